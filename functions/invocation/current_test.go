package invocation_test

import (
	"context"
	"testing"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/invocation"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
)

func TestAThirdVersionAsCurrentIsToldFromTheRotationsOwn(t *testing.T) {
	t.Parallel()
	const third = "version-third"
	for name, c := range map[string]struct {
		world func(*fakes.World)
		want  string // which of the two; "" is a third version
		on    string
	}{
		"on the old one":           {func(*fakes.World) {}, fakes.Old, fakes.Old},
		"on the new one":           {func(w *fakes.World) { w.Secrets.SetLabel("AWSCURRENT", newer) }, newer, newer},
		"the new one stored again": {func(w *fakes.World) { w.Secrets.Add(third, value, "AWSCURRENT") }, newer, third},
		"the old one stored again": {func(w *fakes.World) {
			w.Secrets.Add(third, w.Secrets.Value(fakes.Old), "AWSCURRENT")
		}, fakes.Old, third},
		"another": {func(w *fakes.World) { w.Secrets.Add(third, foreign, "AWSCURRENT") }, "", ""},
		"another, and ours are gone": {func(w *fakes.World) {
			w.Secrets.Add(third, foreign, "AWSCURRENT")
			w.Secrets.Change(smtest.Drop(fakes.Old))
			w.Secrets.Change(smtest.Drop(newer))
		}, "", ""},
		"a label that only lags behind": {func(w *fakes.World) {
			w.Secrets.Add(third, foreign, "AWSCURRENT")
			w.Before("DescribeSecret", func() {})
			w.Before("DescribeSecret", func() { w.Secrets.SetLabel("AWSCURRENT", newer) })
		}, newer, newer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, resolve := range map[string]func(*invocation.Invocation, context.Context, string, string) (string,
				string, error){"ResolveCurrent": (*invocation.Invocation).ResolveCurrent,
				"ResolveByText": (*invocation.Invocation).ResolveByText} {
				w, _ := newWorld(t, memory.Options{})
				w.Secrets.Add(newer, value)
				c.world(w)
				stands, on, err := resolve(open(t, w), t.Context(), fakes.Old, newer)
				if c.want == "" {
					fakes.Failed(t, err, failure.Superseded, third)
				} else if err != nil || stands != c.want || on != c.on {
					t.Errorf("%s: AWSCURRENT stands for %q, on %q (%v)", how, stands, on, err)
				}
			}
		})
	}
}
