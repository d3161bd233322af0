package lambda_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/lambda"
	"alboidc.internal/shared/idp/lambda/lambdatest"
	"alboidc.internal/shared/idp/withoutids"
)

const first, second = "orders-web", "orders-web-second"

// client is what manages a client of an imitated provider, by AWS Lambda.
func client(t *testing.T, v *imitationtest.Vendor, clientID string) idp.Registration {
	t.Helper()
	d := v.Deps()
	d.AWS = func(region string) aws.Config {
		return awsapi.Config(awsapi.NewServer(v.Clock, nil, v.Double.(awsapi.Service)), region)
	}
	r, err := lambda.New(v.Settings(""), idp.Client{Name: "orders-web", Issuer: v.URL, ClientID: clientID}, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ways are what a function can say of its provider, each with how a client is rotated then.
var ways = map[string]struct {
	im    imitation.Imitation
	model idp.Model
	// exceptions are the rules that a provider of this kind cannot keep.
	exceptions map[string]string
}{
	"two secrets that can be disabled": {lambdatest.Imitation, idp.NamedSet, nil},
	"secrets of the provider's making": {lambdatest.Of(lambda.Capabilities{Model: idp.NamedSet, KeepsToken: true}),
		idp.NamedSet, nil},
	"secrets without a token": {lambdatest.Of(lambda.Capabilities{Model: idp.NamedSet, TakesValue: true,
		ActivationSeconds: 30}), idp.NamedSet, nil},
	"a current and a previous one": {lambdatest.Of(lambda.Capabilities{Model: idp.CurrentPrevious, TakesValue: true,
		ShowsValues: true, TellsEnd: true}), idp.CurrentPrevious, nil},
	"a current and a previous one, hidden": {lambdatest.Of(lambda.Capabilities{Model: idp.CurrentPrevious,
		TakesValue: true}), idp.CurrentPrevious,
		map[string]string{idptest.RuleLostCreate: "what is not shown, and was never told, cannot be listed"}},
	"a current and a previous one that takes no value": {lambdatest.Of(lambda.Capabilities{
		Model: idp.CurrentPrevious, ShowsValues: true, TellsEnd: true}), idp.CurrentPrevious,
		map[string]string{idptest.RuleRemoveNew: "the new secret stays the current one, unused"}},
	"one, as a pair": {single, idp.ClientPair,
		idptest.NeedsNoRequest(idptest.List, "of a pair the token endpoint is asked")},
	"one, in place": {single, idp.InPlace, idptest.InOneSlot()},
	"two slots, as a pair": {lambdatest.Of(lambda.Capabilities{Model: idp.CurrentPrevious, TakesValue: true,
		ShowsValues: true, TellsEnd: true}), idp.ClientPair,
		idptest.NeedsNoRequest(idptest.List, "of a pair the token endpoint is asked")},
}

var single = lambdatest.Of(lambda.Capabilities{Model: idp.SingleSlot, TakesValue: true})

// carriers are the function's operations that carry an operation of the suite out.
func carriers(v map[string]any, model idp.Model) map[idptest.Operation]string {
	can := v["capabilities"].(lambda.Capabilities)
	named := model == idp.NamedSet
	out := map[idptest.Operation]string{idptest.Check: "list", idptest.List: "list", idptest.Create: "create",
		idptest.Remove: "remove", idptest.Disable: "disable", idptest.Enable: "enable"}
	if !named && (model != idp.CurrentPrevious || !can.ShowsValues) {
		maps.Copy(out, map[idptest.Operation]string{idptest.Remove: "set", idptest.Enable: "set"})
	}
	if model == idp.ClientPair || model == idp.InPlace {
		out[idptest.Create] = "set"
	}
	if !named {
		delete(out, idptest.Disable)
	}
	for op, name := range out {
		out[op] = "lambda." + name
	}
	return out
}

func TestConformance(t *testing.T) {
	t.Parallel()
	if _, ok := ways["two secrets that can be disabled"]; !ok || lambdatest.Imitation.New == nil {
		t.Fatal("the imitation of the local stack is not among them")
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idptest.Run(t, idptest.Subject{Exceptions: way.exceptions, New: func(t *testing.T) (idp.Provider,
				idptest.Backend) {
				return subject(t, way.im, way.model)
			}})
		})
	}
}

// subject is a provider with a client of its own.
func subject(t *testing.T, im imitation.Imitation, model idp.Model) (idp.Provider, idptest.Backend) {
	v := imitationtest.Start(t, im, carriers(im.Settings("", "", ""), model), first, second)
	r := client(t, v, first)
	ids := []string{first}
	if model == idp.ClientPair {
		ids = append(ids, second)
	}
	if model == idp.NamedSet {
		return r.(idp.Provider), v.Named(first)
	}
	p, b := idptest.WithSlots(t, v, ids, func(b withoutids.Env) idp.Provider {
		switch model {
		case idp.ClientPair:
			return withoutids.Pair(first, r.(idp.Setter), second, client(t, v, second).(idp.Setter), b)
		case idp.InPlace:
			return withoutids.InPlace(r.(idp.Setter), b)
		}
		return withoutids.CurrentPrevious(r.(idp.PreviousKeeper), b)
	})
	return p, b
}

// settings are those of the imitation, changed.
func settings(t *testing.T, change func(map[string]any)) []byte {
	t.Helper()
	var s map[string]any
	b, err := json.Marshal(lambdatest.Imitation.Settings("", "", ""))
	if err != nil || json.Unmarshal(b, &s) != nil {
		t.Fatal(err)
	}
	change(s)
	if b, err = json.Marshal(s); err != nil {
		t.Fatal(err)
	}
	return b
}
