package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/lambda"
	"alboidc.internal/shared/idp/lambda/lambdatest"
	"alboidc.internal/shared/secret"
)

// canary stands where a function shows what it must not.
const canary = "Q1wE3rT5canaryX7yZ9"

// clocked are dependencies whose clock stands; each wait is noted.
func clocked(waits *[]time.Duration) idp.Deps {
	return idp.Deps{Now: imitationtest.Noon, Sleep: func(ctx context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		return ctx.Err()
	}}
}

// answering is a function that answers each operation as it is said, and everything else as the imitation's does.
func answering(t *testing.T, can lambda.Capabilities, answers map[string]string) (idp.Registration, *[]lambda.Request,
	*[]time.Duration) {
	t.Helper()
	v := imitationtest.Start(t, lambdatest.Of(can), nil, first)
	asked, waits := &[]lambda.Request{}, &[]time.Duration{}
	return lambda.Registration(func(_ context.Context, payload []byte) ([]byte, error) {
		var r lambda.Request
		if err := json.Unmarshal(payload, &r); err != nil {
			t.Error(err)
		}
		*asked = append(*asked, r)
		if a, ok := answers[r.Operation]; ok {
			return []byte(a), nil
		}
		return v.Double.(*lambdatest.Lambda).Function(payload), nil
	}, can, idp.Client{Name: "orders", Issuer: "https://id.example.com", ClientID: first}, clocked(waits)), asked, waits
}

var two = lambda.Capabilities{Model: idp.NamedSet, MaxSecrets: 2, TakesValue: true, KeepsToken: true, CanDisable: true,
	Probe: lambda.Probe{Grant: idp.AuthorizationCode, Accepted: []string{"invalid_grant"},
		Rejected: []string{"invalid_client"}}}

// What a function answers is passed on as a kind of failure, and nothing else of it.
func TestAnswersBecomeFailures(t *testing.T) {
	t.Parallel()
	const long = "abcdefghijklmnopqrstuvwxy"
	wrong := func(kind, rest string) string {
		return `{"contract": 1, "error": {"kind": "` + kind + `", "message": "` + canary + `"` + rest + `}}`
	}
	for name, c := range map[string]struct {
		operation, answer string
		kind              failure.Kind
		says              string
	}{
		"throttled": {"create", wrong("throttled", ""), failure.Throttled, "throttled"},
		"refused": {"create", wrong("refused", `, "code": "too_many"`), failure.IdPRejected,
			"refused too_many"},
		"an unknown client":        {"list", wrong("notFound", ""), failure.Precondition, "notFound"},
		"in conflict":              {"create", wrong("conflict", ""), failure.Unavailable, "conflict"},
		"unavailable":              {"create", wrong("unavailable", ""), failure.Unavailable, "unavailable"},
		"a kind that there is not": {"create", wrong(canary, ""), failure.Unavailable, "error.kind must be one of"},
		"a code that is the secret": {"create", wrong("refused", `, "code": "`+canary+`"`), failure.IdPRejected,
			"refused"},
		"a code as long as a secret": {"create", wrong("refused", `, "code": "`+long+`"`), failure.IdPRejected,
			"refused"},
		"a text for a code": {"create", wrong("refused", `, "code": "no `+canary+`"`), failure.IdPRejected,
			"refused"},
		"no JSON":                 {"create", canary, failure.Unavailable, "not understood"},
		"nothing":                 {"create", "null", failure.Unavailable, "not understood"},
		"no version":              {"create", `{"secret": {"id": "a"}}`, failure.Unavailable, "not understood"},
		"another version, change": {"create", `{"contract": 2}`, failure.Unavailable, "speaks 1"},
		"another version, read":   {"list", `{"contract": 2}`, failure.Precondition, "speaks 1"},
		"no secrets":              {"list", `{"contract": 1}`, failure.Unavailable, "not understood"},
		"a status that there is not": {"list", `{"contract": 1, "secrets": [{"id": "a", "status": "` + canary + `"}]}`,
			failure.Unavailable, "not understood"},
		"an id twice": {"list", `{"contract": 1, "secrets": [{"id": "a", "status": "active"},
			{"id": "a", "status": "disabled"}]}`, failure.Unavailable, "not understood"},
		"no id": {"create", `{"contract": 1, "secret": {"value": "` + canary + `"}}`, failure.Unavailable,
			"not understood"},
		"no capabilities": {"capabilities", `{"contract": 1}`, failure.Unavailable, "not understood"},
		"capabilities that there are not": {"capabilities",
			`{"contract": 1, "capabilities": {"model": "` + canary + `"}}`, failure.Precondition, "do not keep to"},
		"other capabilities": {"capabilities", `{"contract": 1, "capabilities": {"model": "named-set",
			"takesValue": true, "maxSecrets": 5}}`, failure.Precondition, "differ in canDisable, keepsToken, maxSecrets"},
		"too much": {"create", `{"contract": 1, "x": "` + strings.Repeat("x", 1<<20) + `"}`, failure.Unavailable,
			"not understood"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _, _ := answering(t, two, map[string]string{c.operation: c.answer})
			p := r.(idp.Provider)
			err := p.Check(t.Context())
			if c.operation == "list" && err == nil {
				_, err = p.List(t.Context())
			}
			if c.operation == "create" && err == nil {
				_, err = p.Create(t.Context(), idp.CreateRequest{Tag: "v2", Value: secret.New("a" + canary + "z")})
			}
			if !failure.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) ||
				strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), long) {
				t.Errorf("%v (%s), want %s with %q", err, failure.KindOf(err), c.kind, c.says)
			}
		})
	}
}

// What breaks the contract is named by its field, and by what that must be; nothing of the answer is shown.
func TestWhatIsWrongInAnAnswerIsNamed(t *testing.T) {
	t.Parallel()
	const secrets = `"secrets": [{"id": "a", "status": "active"}, `
	mint, slots, single := two, two, two
	single.Model, single.KeepsToken, single.CanDisable, single.MaxSecrets = idp.SingleSlot, false, false, 0
	mint.TakesValue, mint.MaxSecrets = false, 0
	slots.Model, slots.TakesValue, slots.KeepsToken, slots.CanDisable = idp.CurrentPrevious, false, false, false
	slots.ShowsValues, slots.MaxSecrets = true, 0
	for _, c := range []struct {
		can               lambda.Capabilities
		operation, answer string
		says              string
	}{
		{two, "list", `"secrets": null`, "secrets must be a list, [] if there are none"},
		{two, "list", `"secrets": {"id": "` + canary + `"}`, "secrets must be a list;"},
		{two, "list", secrets + `null]`, "secrets[1].id must have 1 to 255 characters"},
		{two, "list", secrets + `"` + canary + `"]`, "secrets must be a list of objects;"},
		{two, "list", secrets + `{"id": 7}]`, "secrets.id must be a string;"},
		{two, "list", secrets + `{"id": "` + canary + strings.Repeat("x", 255) + `"}]`, "secrets[1].id must have 1 to"},
		{two, "list", secrets + `{"id": "` + canary + `\n"}]`,
			"secrets[1].id must have 1 to 255 characters, and no line"},
		{two, "list", secrets + `{"id": "a", "status": "active"}]`, "secrets[1].id must be another than that of a"},
		{two, "list", secrets + `{"id": "b"}]`, "secrets[1].status must be active or disabled"},
		{two, "list", secrets + `{"id": "b", "status": "` + canary + `"}]`,
			"secrets[1].status must be active or disab"},
		{two, "list", secrets + `{"id": "b", "created": -1}]`, "secrets.created must be a time as in RFC 3339"},
		{two, "list", secrets + `{"id": "b", "created": "` + canary + `"}]`, "secrets.created must be a time"},
		{two, "list", secrets + `{"id": "b", "created": "99999-01-01T00:00:00Z"}]`, "secrets.created must be a time"},
		{two, "list", secrets + `{"id": "b", "created": ""}]`, "secrets.created must be a time"},
		{two, "list", secrets + `{"id": "b", "status": "active", "until": "2026-03-01T12:00:00Z"}]`,
			"secrets[1].until must be left out, or capabilities.tellsEnd be true"},
		{two, "list", `"secrets": [], "registration": {"graceSeconds": -1}`, "registration.graceSeconds must be 0 or"},
		{two, "list", `"secrets": [], "registration": {"graceSeconds": 1e99}`,
			"registration.graceSeconds must be a whole number"},
		{single, "list", `"secrets": [], "registration": {"traits": "` + canary + `"}`,
			"registration.traits must be an object"},
		{two, "list", `"contract": "` + canary + `", "secrets": []`, "contract must be a whole number"},
		{two, "list", `"error": {"kind": "throttle"}`,
			"error.kind must be one of conflict, notFound, refused, throttled, un"},
		{two, "list", `"contract": 0`, "contract must be the number 1"},
		{two, "list", `"error": "` + canary + `"`, "error must be an object"},
		{two, "list", `"error": {"kind": 429}`, "error.kind must be a string"},
		{two, "list", `"error": {"retryAfterSeconds": "` + canary + `"}`, "error.retryAfterSeconds must be a number"},
		{two, "create", `"secret": null`, "secret must be an object with the id of the new secret"},
		{two, "create", `"secret": "` + canary + `"`, "secret must be an object;"},
		{two, "create", `"secret": {"id": "a` + canary + `z"}`, "secret.id must not hold the value"},
		{two, "create", `"secret": {"id": "a", "value": "` + canary + `\n"}`, "secret.value must be the secret as the"},
		{mint, "create", `"secret": {"id": "a"}`, "secret.value must be the secret as the identity provider takes it"},
		{mint, "create", `"secret": {"id": "a", "value": "` + canary + `\r\n"}`, "without white space or a line break"},
		{mint, "create", `"secret": {"id": "a", "value": "` + canary + ` "}`, "secret.value must be the secret as the"},
		{mint, "create", `"secret": {"id": "a", "value": {"v": "` + canary + `"}}`, "secret.value must be a string"},
		{mint, "create", `"secret": {"id": "x` + canary + `", "value": "` + canary + `"}`,
			"secret.id must not hold the"},
		{slots, "create", `"secret": {}`, "secret.value must be the secret"},
		{slots, "create", `"done": true`, "secret must be an object with the value of the new secret"},
		{slots, "list", `"secrets": []`, "secrets must hold the one with id current"},
		{slots, "list", `"secrets": [{"id": "` + canary + `", "value": "v"}]`, "secrets[0].id must be current or prev"},
		{slots, "list", `"secrets": [{"id": "current"}]`, "secrets[0].value must be the secret"},
		{slots, "list", `"secrets": [{"id": "current", "value": "` + canary + `\n"}]`,
			"secrets[0].value must be the sec"},
		{slots, "list", `"secrets": [{"id": "current", "value": "v"}, {"id": "current", "value": "w"}]`,
			"secrets[1].id must be another"},
		{slots, "list", `"secrets": [{"id": "current", "value": "v", "until": "2026-03-01T12:00:00Z"}]`,
			"secrets[0].until must be left out"},
		{slots, "list", `"secrets": [{"id": "previous", "value": "v", "lastUsed": 1}]`,
			"secrets.lastUsed must be a time"},
		{two, "capabilities", `"capabilities": null`, "capabilities must be an object with what it can do"},
		{two, "capabilities", `"capabilities": "` + canary + `"`, "capabilities must be an object"},
		{two, "capabilities", `"capabilities": {"` + canary + `": true}`,
			"a field of capabilities is not known; allow"},
		{two, "capabilities", `"capabilities": {"max_secrets": 2}`, "did you mean maxSecrets?"},
		{two, "capabilities", `"capabilities": {"maxSecrets": 1.5}`, "capabilities.maxSecrets must be a whole number"},
		{two, "capabilities", `"capabilities": {"model": "` + canary + `"}`, "capabilities.model must be one of"},
		{two, "capabilities", `"capabilities": {"model": "named-set"}`,
			"capabilities.keepsToken or takesValue must be"},
		{two, "capabilities", `"capabilities": {"model": "single-slot"}`, "capabilities.takesValue must be true"},
		{two, "capabilities", `"capabilities": {"model": "single-slot", "takesValue": true, "canDisable": true,
			"maxSecrets": -1}`, "capabilities.maxSecrets must be left out for single-slot; capabilities.canDisable must"},
		{two, "capabilities", `"capabilities": {"model": "named-set", "takesValue": true, "probe":
			{"accepted": ["` + canary + `"], "rejected": ["` + canary + `"]}}`, "capabilities.probe.rejected must not"},
		{two, "capabilities", `"capabilities": {"model": "named-set", "takesValue": true, "probe": {"` + canary +
			`": 1}}`,
			"a field of capabilities is not known"},
	} {
		t.Run(c.operation+" "+c.says, func(t *testing.T) {
			t.Parallel()
			r, _, _ := answering(t, c.can, map[string]string{c.operation: `{"contract": 1, ` + c.answer + `}`})
			err := call(t, r, c.operation)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), canary) ||
				failure.KindOf(err) != failure.Unavailable && c.operation != "capabilities" {
				t.Errorf("%v (%s), want %q", err, failure.KindOf(err), c.says)
			}
		})
	}
}

// call carries an operation of the contract out, as the rotation does.
func call(t *testing.T, r idp.Registration, operation string) error {
	t.Helper()
	var err error
	v := secret.New(canary)
	switch p := r.(type) {
	case idp.Provider:
		if operation == "create" {
			if !r.Capabilities().AcceptsValue {
				v = secret.Value{}
			}
			_, err = p.Create(t.Context(), idp.CreateRequest{Tag: "v2", Value: v})
		} else if _, err = p.List(t.Context()); err == nil {
			err = p.Check(t.Context())
		}
	case idp.PreviousKeeper:
		if operation == "create" {
			_, err = p.Shift(t.Context())
		} else if _, err = p.Slots(t.Context()); err == nil {
			err = r.Check(t.Context())
		}
	case idp.Setter:
		if err = r.Check(t.Context()); operation == "set" && err == nil {
			err = p.Set(t.Context(), v)
		}
	}
	return err
}

// A read is repeated after the wait that is asked for, a change is not, and no wait is longer than a call has.
func TestOnlyReadsAreRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		operation, wait string
		times           int
		waited          []time.Duration
	}{
		"a list":           {"list", `, "retryAfterSeconds": 3`, 3, []time.Duration{3 * time.Second, 3 * time.Second}},
		"a list, no wait":  {"list", "", 3, []time.Duration{500 * time.Millisecond, time.Second}},
		"a list, too long": {"list", `, "retryAfterSeconds": 1e9`, 1, nil},
		"a create":         {"create", `, "retryAfterSeconds": 3`, 1, nil},
		"a remove":         {"remove", "", 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, asked, waited := answering(t, two, map[string]string{c.operation: `{"contract": 1, "error": {"kind": ` +
				`"throttled"` + c.wait + `}}`})
			calls := map[string]func(idp.Provider) error{
				"list":   func(p idp.Provider) error { _, err := p.List(t.Context()); return err },
				"remove": func(p idp.Provider) error { return p.Remove(t.Context(), "a") },
				"create": func(p idp.Provider) error {
					_, err := p.Create(t.Context(), idp.CreateRequest{Tag: "v2", Value: secret.New(canary)})
					return err
				},
			}
			err := calls[c.operation](r.(idp.Provider))
			if !failure.Is(err, failure.Throttled) || len(*asked) != c.times || !slices.Equal(*waited, c.waited) {
				t.Errorf("%v after %d requests and %v", err, len(*asked), *waited)
			}
		})
	}
}

func TestRequestsSayWhatTheContractSays(t *testing.T) {
	t.Parallel()
	r, asked, _ := answering(t, two, nil)
	p := r.(idp.Provider)
	made, err := p.Create(t.Context(), idp.CreateRequest{Tag: "v2", Value: secret.New(canary)})
	if err != nil || !made.Value.Equal(secret.New(canary)) {
		t.Fatal(made, err)
	}
	if err := errors.Join(p.(idp.Disabler).Disable(t.Context(), made.ID), p.(idp.Disabler).Enable(t.Context(), made.ID),
		p.Remove(t.Context(), made.ID), p.Remove(t.Context(), made.ID)); err != nil {
		t.Error(err)
	}
	want := []lambda.Request{{Operation: "create", Token: "v2", Value: canary},
		{Operation: "disable", SecretID: made.ID},
		{Operation: "enable", SecretID: made.ID}, {Operation: "remove", SecretID: made.ID},
		{Operation: "remove", SecretID: made.ID}, {Operation: "list"}} // whether the client is still there
	for i := range want {
		want[i].Contract, want[i].Deadline = 1, imitationtest.Noon().Add(15*time.Second)
		want[i].Client = lambda.Client{ID: first, Issuer: "https://id.example.com"}
	}
	if !slices.Equal(*asked, want) {
		t.Errorf("got  %+v\nwant %+v", *asked, want)
	}
}

// A token has one secret, however often an invocation is delivered.
func TestATokenHasOneSecret(t *testing.T) {
	t.Parallel()
	r, _, _ := answering(t, lambda.Capabilities{Model: idp.NamedSet, TakesValue: true, KeepsToken: true}, nil)
	p, again := r.(idp.Provider), idp.CreateRequest{Tag: "v2", Value: secret.New(canary)}
	if _, err := p.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Create(t.Context(), again); !failure.Is(err, failure.Unavailable) {
		t.Errorf("the second create: %v, want what makes the rotation look again", err)
	}
	if list, err := p.List(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("%v %v, want the first one and that of the token", list, err)
	}
}

func TestReviewsTellWhatTheFunctionTells(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		registration string
		want         idp.Review
	}{
		"nothing": {`{}`, idp.Review{}},
		"a method and a grace": {`{"authMethod": "client_secret_post", "graceSeconds": 86400}`,
			idp.Review{AuthMethod: "client_secret_post", MaxGrace: 24 * time.Hour}},
		"a key": {`{"authMethod": "private_key_jwt"}`, idp.Review{Refusals: []string{""}}},
	} {
		r, _, _ := answering(t, two, map[string]string{"list": `{"contract": 1, "secrets": [], "registration": ` +
			c.registration + `}`})
		got, err := r.(idp.Reviewer).Review(t.Context())
		if err != nil || got.AuthMethod != c.want.AuthMethod || got.MaxGrace != c.want.MaxGrace ||
			len(got.Refusals) != len(c.want.Refusals) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

// aws answers an invocation with a status, headers and a body.
func awsAnswers(status int, header, body string) aws.Config {
	return awsapi.Config(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for line := range strings.Lines(header) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}), lambdatest.Region)
}

// What goes wrong at AWS Lambda, or in the function: nothing of its error is passed on.
func TestInvocationsThatFail(t *testing.T) {
	t.Parallel()
	const message = `{"Message": "` + canary + `", "message": "` + canary + `"}`
	for name, c := range map[string]struct {
		status       int
		header, body string
		kind         failure.Kind
		says         string
	}{
		"an exception": {200, "X-Amz-Function-Error: Unhandled",
			`{"errorType": "` + canary + `", "errorMessage": "` + canary + `", "stackTrace": ["` + canary + `"]}`,
			failure.Unavailable, "an error of its code"},
		"a timeout": {200, "X-Amz-Function-Error: Unhandled",
			`{"errorType": "Sandbox.Timedout", "errorMessage": "` + canary + `"}`, failure.Unavailable,
			"longer than its timeout"},
		"throttled": {429, "X-Amzn-ErrorType: TooManyRequestsException\nRetry-After: 4", message, failure.Throttled,
			"asked to wait 4s"},
		"no such alias": {404, "X-Amzn-ErrorType: ResourceNotFoundException", message, failure.Precondition,
			"identityProvider.settings.functionArn"},
		"no right": {403, "X-Amzn-ErrorType: AccessDeniedException", `{"Message": "x is not authorized"}`,
			failure.IdPRejected, "allow lambda:InvokeFunction on exactly that ARN"},
		"too large": {413, "X-Amzn-ErrorType: RequestTooLargeException", message, failure.IdPRejected, "HTTP 413"},
		"starting":  {502, "X-Amzn-ErrorType: ResourceNotReadyException", message, failure.Unavailable, "HTTP 502"},
		"AWS is ill": {500, "X-Amzn-ErrorType: ServiceException", message, failure.Unavailable,
			"HTTP 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := lambda.ByLambda(awsAnswers(c.status, c.header, c.body), lambdatest.FunctionARN)(t.Context(),
				[]byte(`{}`))
			if !failure.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) ||
				strings.Contains(err.Error(), canary) {
				t.Errorf("%v (%s), want %s with %q", err, failure.KindOf(err), c.kind, c.says)
			}
		})
	}
}

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	can := func(name string, v any) func(map[string]any) {
		return func(s map[string]any) { s["capabilities"].(map[string]any)[name] = v }
	}
	all := func(changes ...func(map[string]any)) func(map[string]any) {
		return func(s map[string]any) {
			for _, change := range changes {
				change(s)
			}
		}
	}
	arn := func(arn string) func(map[string]any) { return func(s map[string]any) { s["functionArn"] = arn } }
	slots := all(can("model", "current-previous"), can("maxSecrets", 0), can("keepsToken", false),
		can("canDisable", false))
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"good":            {func(map[string]any) {}, ""},
		"another account": {arn("arn:aws-us-gov:lambda:us-gov-west-1:444455556666:function:a:3"), ""},
		"no qualifier":    {arn("arn:aws:lambda:eu-west-1:111122223333:function:a"), "functionArn: must be the ARN"},
		"$LATEST":         {arn("arn:aws:lambda:eu-west-1:111122223333:function:a:$LATEST"), "functionArn: must be"},
		"a wildcard":      {arn("arn:aws:lambda:eu-west-1:111122223333:function:*:a"), "functionArn: must be"},
		"no model":        {can("model", ""), "capabilities.model: must be one of"},
		"one secret":      {can("maxSecrets", 1), "maxSecrets: must be 2 or more"},
		"nothing to tell a lost one by": {all(can("takesValue", false), can("keepsToken", false)),
			"keepsToken: or takesValue must be true"},
		"slots":                    {slots, ""},
		"slots that can be off":    {all(slots, can("canDisable", true)), "canDisable: must be left out for current-"},
		"slots that cannot be end": {all(slots, can("takesValue", false)), "showsValues: or takesValue must be true"},
		"one slot of its making": {all(slots, can("model", "single-slot"), can("takesValue", false)),
			"takesValue: must be true for single-slot"},
		"a long delay":  {can("activationSeconds", 121), "activationSeconds: must be from 0 to 120"},
		"a wrong grant": {can("probe", map[string]any{"grant": canary}), "probe.grant: must be"},
		"a code for both": {can("probe", map[string]any{"rejected": []string{"invalid_grant"}}),
			"probe.rejected: must not hold a code that is among accepted"},
		"an unknown field": {can(canary, true), "is not known; allowed here: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := lambda.CapabilitiesOf(settings(t, c.change), idp.Client{})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// The trials of a new secret go on for longer than the delay.
func TestTrialsOutlastTheDelay(t *testing.T) {
	t.Parallel()
	for delay, want := range map[int][2]int{0: {0, 0}, 1: {10, 1}, 30: {10, 4}, 120: {10, 14}} {
		c, err := lambda.CapabilitiesOf(settings(t, func(s map[string]any) {
			s["capabilities"].(map[string]any)["activationSeconds"] = delay
		}), idp.Client{})
		if err != nil || c.Probe.InARow != want[0] || c.Probe.IntervalSeconds != want[1] {
			t.Errorf("%d s: %d times every %d s (%v)", delay, c.Probe.InARow, c.Probe.IntervalSeconds, err)
		}
	}
}
