package fakes_test

import (
	"context"
	"fmt"
	"testing"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// recorder keeps a test's errors from failing it.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// TestASecretThatIsShownAnywhereFailsTheTest proves that the check at the end of every test of a function can fail.
func TestASecretThatIsShownAnywhereFailsTheTest(t *testing.T) {
	t.Parallel()
	answer := func(w *fakes.World, out rotation.CreateOutput, err error) {
		_, _ = fakes.Call(w, func(context.Context, rotation.CreateInput) (rotation.CreateOutput, error) {
			return out, err
		},
			rotation.CreateInput{Common: w.Common()})
	}
	for name, c := range map[string]struct {
		shows func(w *fakes.World, current string)
		shown bool
	}{
		"nothing":    {func(w *fakes.World, _ string) { answer(w, rotation.CreateOutput{}, nil) }, false},
		"a log line": {func(w *fakes.World, current string) { w.Deps().Log.Info("done", "detail", current) }, true},
		"an error": {func(w *fakes.World, current string) {
			answer(w, rotation.CreateOutput{}, failure.New(failure.Internal, "with %s", current))
		}, true},
		"an output": {func(w *fakes.World, current string) {
			answer(w, rotation.CreateOutput{To: rotation.Ref{VersionID: current}}, nil)
		}, true},
		"the journal": {func(w *fakes.World, current string) {
			j, err := w.Deps().Journal.Own(t.Context(), fakes.ClientName, fakes.Execution)
			if err != nil {
				t.Fatal(err)
			}
			j.Secrets[current] = journal.Entry{State: journal.Live}
			if err := w.Deps().Journal.Save(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}, true},
		"a secret that was stored later": {func(w *fakes.World, _ string) {
			w.Secrets.Add("version-new", "stored-without-a-mark")
			w.Deps().Log.Info("done", "detail", "stored-without-a-mark")
		}, true},
	} {
		r := &recorder{}
		t.Run(name, func(t *testing.T) {
			r.TB = t
			v := memory.New(memory.Options{})
			_, current := v.Current()
			c.shows(fakes.New(r, v, current.Reveal()), current.Reveal())
		})
		if (len(r.errors) > 0) != c.shown {
			t.Errorf("%s: the check says %q", name, r.errors)
		}
	}
}
