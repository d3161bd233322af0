// Package lambda manages client secrets at an identity provider that a Lambda function of the user's speaks to, by a
// contract of JSON requests and answers (docs/identity-providers/lambda.md). The function is invoked through the Lambda
// API by the functions of the rotation, and never by the state machine: a secret is in the request and in the answer.
package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/strictjson"
)

// Patience is how long an invocation may take, a cold start included. A rotation's functions end after a minute, and
// look at the secrets before and after.
const Patience = 15 * time.Second

// maxAnswer is the longest answer that is read.
const maxAnswer = 1 << 20

// function is one client as the function sees it.
type function struct {
	invoke  Invoker
	client  idp.Client
	capable Capabilities
	now     func() time.Time
	sleep   func(ctx context.Context, d time.Duration) error
	checked idp.Checked[answer]
}

func newFunction(invoke Invoker, can Capabilities, c idp.Client, d idp.Deps) function {
	return function{invoke: invoke, client: c, capable: can, now: d.Now, sleep: d.Sleep}
}

// New returns what manages the client. It makes no request.
func New(raw json.RawMessage, c idp.Client, d idp.Deps) (idp.Registration, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return nil, err
	}
	return Registration(ByLambda(d.AWS(s.region()), s.FunctionARN), s.Capabilities, c, d), nil
}

// Registration returns what manages a client by an invoker, as the capabilities say, which must have been checked. Of
// the dependencies it uses the clock.
func Registration(invoke Invoker, can Capabilities, c idp.Client, d idp.Deps) idp.Registration {
	f := newFunction(invoke, can, c, d)
	switch is := can.of(); {
	case is.CanDisable:
		return &switched{named{f}}
	case is.HasIDs():
		return &named{f}
	case is.KeepsOne():
		return &single{f}
	case can.ShowsValues:
		return &shown{slots{single{f}}}
	}
	return &slots{single{f}}
}

// CapabilitiesOf are those of a client with these settings.
func CapabilitiesOf(raw json.RawMessage, _ idp.Client) (idp.Capabilities, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return idp.Capabilities{}, err
	}
	return s.Capabilities.of(), nil
}

// Ask asks a function what it can do.
func Ask(ctx context.Context, invoke Invoker, c idp.Client, d idp.Deps) (Capabilities, error) {
	f := newFunction(invoke, Capabilities{}, c, d)
	return f.ask(ctx)
}

func (f *function) ask(ctx context.Context) (Capabilities, error) {
	a, err := f.do(ctx, Request{Operation: opCapabilities})
	if err != nil {
		return Capabilities{}, err
	}
	if len(a.Capabilities) == 0 || string(a.Capabilities) == "null" {
		return Capabilities{}, notUnderstood(opCapabilities, "capabilities", "be an object with what it can do")
	}
	var told Capabilities
	ps := strictjson.Decode(a.Capabilities, &told, "capabilities")
	if len(ps) == 0 {
		told.check(&ps)
	}
	if len(ps) > 0 {
		return Capabilities{}, failure.New(failure.Precondition, "the capabilities that the function answers do not "+
			"keep to contract %d: %s", Contract, nameProblems(ps))
	}
	return told, nil
}

// Capabilities implements idp.Registration.
func (f *function) Capabilities() idp.Capabilities { return f.capable.of() }

// Compare fails unless the function with these settings answers the capabilities that they name. Nothing is asked of
// the identity provider.
func Compare(ctx context.Context, raw json.RawMessage, c idp.Client, d idp.Deps) error {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return err
	}
	f := newFunction(ByLambda(d.AWS(s.region()), s.FunctionARN), s.Capabilities, c, d)
	return f.compare(ctx)
}

// Check implements idp.Registration: the function can do what the configuration says, and reads the client.
func (f *function) Check(ctx context.Context) error {
	if err := f.compare(ctx); err != nil {
		return err
	}
	_, err := f.checked.Renew(ctx, f.list)
	return err
}

func (f *function) compare(ctx context.Context) error {
	can, err := f.ask(ctx)
	if err != nil {
		return err
	}
	if differ := differences(f.capable, can); len(differ) > 0 {
		return failure.New(failure.Precondition, "the function's capabilities are not those in %s; they differ in %s: "+
			"write down what it answers (rotator conformance shows it), or let the alias point to the "+
			"version that was "+
			"meant", idp.Setting("capabilities"), strings.Join(differ, ", "))
	}
	return nil
}

// differences are the names of the fields in which two capabilities differ.
func differences(a, b Capabilities) []string {
	x, y := fields(a), fields(b)
	var out []string
	all := maps.Clone(x)
	maps.Copy(all, y)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !reflect.DeepEqual(x[name], y[name]) {
			out = append(out, name)
		}
	}
	return out
}

func fields(c Capabilities) map[string]any {
	out := map[string]any{}
	b, _ := json.Marshal(c) // of plain fields
	_ = json.Unmarshal(b, &out)
	return out
}

func (f *function) list(ctx context.Context) (answer, error) {
	a, err := f.do(ctx, Request{Operation: opList})
	switch {
	case err != nil:
	case a.Secrets == nil: // an answer without would make every secret look removed
		err = notUnderstood(opList, "secrets", "be a list, [] if there are none")
	case a.Registration.GraceSeconds < 0:
		err = notUnderstood(opList, "registration.graceSeconds", "be 0 or more, or left out")
	}
	return a, err
}

// do sends a request. One that only reads is sent again, up to three times, if it is throttled or unavailable: after
// any other the caller must first look at what it did.
func (f *function) do(ctx context.Context, r Request) (answer, error) {
	for try := 1; ; try++ {
		a, err := f.send(ctx, r)
		told := &Wait{}
		errors.As(err, &told)
		wait, fits := httpclient.Again(ctx, told.For, try)
		if err == nil || !r.Reads() || !failure.KindOf(err).Transient() || !fits || f.sleep(ctx, wait) != nil {
			return a, err
		}
	}
}

func (f *function) send(ctx context.Context, r Request) (answer, error) {
	var a answer
	r.Contract, r.Client = Contract, Client{ID: f.client.ClientID, Issuer: f.client.Issuer}
	r.Deadline = f.now().Add(Patience).UTC().Truncate(time.Second) // without fractions, which not everything reads
	payload, err := json.Marshal(r)
	if err != nil {
		return a, failure.New(failure.Internal, "the request to %s cannot be marshalled", r.Operation)
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	body, err := f.invoke(ctx, payload)
	if err != nil {
		return a, err
	}
	if a, err = parse(r.Operation, body); err != nil {
		return a, err
	}
	if a.Contract != Contract {
		return a, failure.New(kindOfSkew(r), "the function answers by contract %d, and this release speaks %d: "+
			"let the alias point to a version that speaks it", a.Contract, Contract)
	}
	return a, a.Error.failure(r)
}

// kindOfSkew is that of an answer by another contract: what a change did cannot be told.
func kindOfSkew(r Request) failure.Kind {
	if r.Reads() {
		return failure.Precondition
	}
	return failure.Unavailable
}

// errNotFound is in the chain of the failure for a client or a secret that is not there.
var errNotFound = errors.New("not found")

// kinds are the failures that the kinds of error stand for. conflict may mean that an earlier create with the same
// token has taken effect, so it is Unavailable, after which everything is looked at again.
var kinds = map[string]failure.Kind{"throttled": failure.Throttled, "refused": failure.IdPRejected,
	"notFound": failure.Precondition, "conflict": failure.Unavailable, "unavailable": failure.Unavailable}

// errorCode is the form of an error code that is passed on: letters, and a number at the end; it is shorter than the
// secrets that providers make. A secret is hardly ever that, whatever the function's author does.
var errorCode = regexp.MustCompile(`^[A-Za-z][A-Za-z_]*[0-9]{0,8}$`)

const longestCode = 24

// failure is that of an error answer. Its code is passed on only if it is one, and nothing of the secret in the
// request; free text never is.
func (p *problem) failure(r Request) error {
	if p == nil {
		return nil
	}
	kind, known := kinds[p.Kind]
	if !known {
		return notUnderstood(r.Operation, "error.kind",
			"be one of "+strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	name := p.Kind
	if len(p.Code) <= longestCode && errorCode.MatchString(p.Code) &&
		(r.Value == "" || !strings.Contains(p.Code, r.Value) &&
			!strings.Contains(r.Value, p.Code)) {
		name += " " + p.Code
	}
	var cause error
	switch {
	case p.Kind == "notFound":
		cause = errNotFound
	case p.RetryAfterSeconds > 0:
		cause = &Wait{inLimits(p.RetryAfterSeconds)}
	default:
		return failure.New(kind, "the function could not %s: %s", r.Operation, name)
	}
	return failure.Wrap(kind, cause, "the function could not %s: %s", r.Operation, name)
}
