package manual_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/manual"
	"alboidc.internal/shared/idp/manual/manualtest"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

const clientID = "orders-web"

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	const p = "identityProvider.settings"
	for settings, want := range map[string]string{
		`{}`: "",
		`{"acceptedErrors": ["invalid_grant", "bad_code"], "rejectedErrors": ["access_denied"]}`: "",
		`{"acceptedErrors": ["a canary"]}`:                         p + ".acceptedErrors: must hold error codes",
		`{"acceptedErrors": ["same"], "rejectedErrors": ["same"]}`: p + ".rejectedErrors: must not hold same",
		`{"rejectedErrors": ["invalid_grant"]}`:                    p + ".rejectedErrors: must not hold invalid_grant",
		`{"apiKey": "canary"}`: p + ".apiKey: is not known; allowed here: " +
			"acceptedErrors, rejectedErrors",
	} {
		_, err := manual.Capabilities([]byte(settings), idp.Client{})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
}

func TestTheCodesOfTheTokenEndpointCanBeSet(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string][2]string{`{}`: {"invalid_grant", "invalid_client"},
		`{"acceptedErrors": ["bad_code"], "rejectedErrors": ["access_denied"]}`: {"bad_code", "access_denied"}} {
		r, err := manual.New([]byte(settings), idp.Client{}, idp.Deps{})
		if err != nil || r.Check(t.Context()) != nil {
			t.Fatal(err)
		}
		c := r.Capabilities()
		if !c.MadeByHand() || !slices.Equal(c.Probe.Accepted, []string{want[0]}) ||
			!slices.Equal(c.Probe.Rejected, []string{want[1]}) {
			t.Errorf("%s: %+v", settings, c)
		}
	}
}

// person makes each secret at the vendor before it is stored for the rotation.
type person struct {
	*idptest.Versions
	vendor *imitationtest.Vendor
}

func (p person) Store(version string, v secret.Value) {
	if !slices.ContainsFunc(p.vendor.Live(clientID), v.Equal) {
		p.vendor.Add(clientID, v.Reveal())
	}
	p.Versions.Store(version, v)
}

// exceptions: a person does what the suite expects of requests.
func exceptions() map[string]string {
	out := map[string]string{idptest.RuleLostCreate: "there is no reply that could get lost"}
	for _, op := range []idptest.Operation{idptest.Check, idptest.List, idptest.Create, idptest.Remove} {
		maps.Copy(out, idptest.NeedsNoRequest(op, "a person does it; no request is made"))
	}
	for _, rule := range []string{idptest.RuleRemoveOld, idptest.RuleRemoveNew} {
		out[rule] = "a person removes it, and is told to"
	}
	return out
}

func TestConformance(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{Exceptions: exceptions(), New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		r, err := manual.New([]byte(`{}`), idp.Client{}, idp.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		v := imitationtest.Start(t, manualtest.Imitation, nil, clientID)
		p, b := idptest.WithSlots(t, v, []string{clientID},
			func(b withoutids.Env) idp.Provider { return withoutids.ByHand(r, b) })
		return p, person{b, v}
	}})
}
