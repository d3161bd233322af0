package trial

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/lambda"
	"alboidc.internal/shared/secret"
)

// sentence is one of the contract that no rotation tries.
type sentence struct {
	name, says string
	check      func(ctx context.Context) error
}

// reply is what these look at. Values are not read.
type reply struct {
	Contract int `json:"contract"`
	Error    *struct {
		Kind string `json:"kind"`
		Code string `json:"code"`
	} `json:"error"`
	Secret *struct {
		ID string `json:"id"`
	} `json:"secret"`
	Secrets []struct {
		ID string `json:"id"`
	} `json:"secrets"`
}

func (r *run) contract() []sentence {
	out := []sentence{
		{"an unknown version of the contract is refused",
			`a request with a "contract" that the function does not know ` +
				`is answered by {"contract": 1, "error": {"kind": "refused", "code": "contract"}}`, r.refuseVersion},
		{"an unknown operation is refused", `it is answered by an error of kind refused, not by success`,
			r.refuseOperation},
		{"a client that there is not is not found", "list answers an error of kind notFound, and no empty list",
			r.missClient},
		{"after the deadline nothing is changed",
			"a change whose deadline has passed is answered by an error of kind " +
				"unavailable, before anything is done: by then it counts as lost", r.keepDeadline},
	}
	if r.capabilities().HasIDs() {
		out = append(out, sentence{"a token has one secret",
			"Lambda may deliver an invocation twice: a create with a " +
				"token that has a secret answers that secret again, or conflict", r.keepToken})
	}
	return out
}

// send sends a request as it is.
func (r *run) send(ctx context.Context, q lambda.Request) (reply, error) {
	var out reply
	if q.Contract == 0 {
		q.Contract = lambda.Contract
	}
	if q.Client.ID == "" {
		q.Client.ID = r.Client.ClientID
	}
	if q.Deadline.IsZero() {
		q.Deadline = r.Now().Add(lambda.Patience)
	}
	q.Client.Issuer = r.Client.Issuer
	payload, err := json.Marshal(q)
	if err != nil {
		return out, err
	}
	answer, err := r.Invoke(ctx, payload)
	if err != nil {
		return out, err
	}
	if json.Unmarshal(answer, &out) != nil || out.Contract != lambda.Contract {
		return out, failure.New(failure.Unavailable, `the answer is no JSON object with "contract": %d`,
			lambda.Contract)
	}
	return out, nil
}

// wants fails unless the answer is an error of the kind.
func (a reply) wants(kind string) error {
	switch {
	case a.Error == nil:
		return fmt.Errorf("the answer is no error, want one of kind %s", kind)
	case a.Error.Kind != kind:
		return fmt.Errorf("the answer is an error of another kind than %s", kind)
	}
	return nil
}

func (r *run) refuseVersion(ctx context.Context) error {
	a, err := r.send(ctx, lambda.Request{Contract: lambda.Contract + 1000, Operation: "list"})
	if err == nil {
		err = a.wants("refused")
	}
	if err == nil && a.Error.Code != "contract" {
		err = fmt.Errorf("the error's code is another one than contract")
	}
	return err
}

func (r *run) refuseOperation(ctx context.Context) error {
	a, err := r.send(ctx, lambda.Request{Operation: "invented"})
	if err != nil {
		return err
	}
	return a.wants("refused")
}

func (r *run) missClient(ctx context.Context) error {
	a, err := r.send(ctx, lambda.Request{Operation: "list", Client: lambda.Client{ID: "no-such-client-" + rand.Text()}})
	if err != nil {
		return err
	}
	return a.wants("notFound")
}

// token is one that no secret has.
func (r *run) token() string { return "rotator-conformance-" + rand.Text() }

// keepDeadline sends a change whose deadline has passed, and looks whether it was carried out.
func (r *run) keepDeadline(ctx context.Context) error {
	id, before, err := r.begin(ctx)
	if err != nil {
		return err
	}
	v, err := secret.Generate(nil)
	if err != nil {
		return err
	}
	q := r.change(v)
	q.Deadline = r.Now().Add(-time.Minute)
	a, err := r.send(ctx, q)
	if err != nil {
		return err
	}
	r.changed = true
	if !r.accepts(ctx, r.Client.ClientID, before) || r.can.TakesValue && r.accepts(ctx, r.Client.ClientID, v) {
		return fmt.Errorf("the change was carried out")
	}
	if p, named := r.registration(r.Client.ClientID, r.Invoke).(idp.Provider); named {
		list, err := p.List(ctx)
		if err != nil || len(list) != 1 || list[0].ID != id {
			return fmt.Errorf("the change was carried out: %d secrets are listed (%w)", len(list), err)
		}
	}
	return a.wants("unavailable")
}

// keepToken sends a create twice.
func (r *run) keepToken(ctx context.Context) error {
	id, _, err := r.begin(ctx)
	if err != nil {
		return err
	}
	v, err := secret.Generate(nil)
	if err != nil {
		return err
	}
	q := r.change(v)
	first, err := r.send(ctx, q)
	if err != nil {
		return err
	}
	if first.Error != nil || first.Secret == nil {
		return fmt.Errorf("the first create was not answered by a secret")
	}
	again, err := r.send(ctx, q)
	if err != nil {
		return err
	}
	list, err := r.send(ctx, lambda.Request{Operation: "list"})
	switch {
	case err != nil:
		return err
	case len(list.Secrets) != 2:
		return fmt.Errorf("after two creates with one token there are %d secrets besides %s, want 1",
			len(list.Secrets)-1, id)
	case again.Error != nil:
		return again.wants("conflict")
	case again.Secret == nil || again.Secret.ID != first.Secret.ID:
		return fmt.Errorf("the second answer has another secret")
	}
	return nil
}

// change is the request that makes a secret.
func (r *run) change(v secret.Value) lambda.Request {
	q := lambda.NewChange(r.can, v)
	if q.Operation == "create" {
		q.Token = r.token()
	}
	return q
}
