package idptest_test

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/memory"
)

func TestTheCanaryIsThatOfTheFaults(t *testing.T) {
	t.Parallel()
	if idptest.Canary != fault.Canary {
		t.Error("an answer with a canary would not be noticed")
	}
}

// disabling is what the mutants below are made from.
type disabling interface {
	idp.Provider
	idp.Disabler
}

// mutant is a provider with one method replaced by a wrong one.
type mutant struct {
	disabling
	vendor *memory.Vendor
	create func(context.Context, idp.CreateRequest) (idp.Created, error)
	remove func(context.Context, string) error
	list   func(context.Context) ([]idp.Secret, error)
}

func (m mutant) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	if m.create != nil {
		return m.create(ctx, r)
	}
	return m.disabling.Create(ctx, r)
}

func (m mutant) Remove(ctx context.Context, id string) error {
	if m.remove != nil {
		return m.remove(ctx, id)
	}
	return m.disabling.Remove(ctx, id)
}

func (m mutant) List(ctx context.Context) ([]idp.Secret, error) {
	if m.list != nil {
		return m.list(ctx)
	}
	return m.disabling.List(ctx)
}

// TestSuiteFindsWrongProviders proves that the rules can fail.
func TestSuiteFindsWrongProviders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		wrong func(m *mutant)
		rule  string // one of those that must fail
		says  string
	}{
		{"creates twice when it gets no reply", func(m *mutant) {
			m.create = func(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
				c, err := m.disabling.Create(ctx, r)
				if failure.Is(err, failure.Unavailable) {
					_, err = m.disabling.Create(ctx, r)
				}
				return c, err
			}
		}, idptest.RuleLostCreate, "a create is made exactly once"},
		{"tells an end that it does not promise", func(m *mutant) {
			m.list = func(ctx context.Context) ([]idp.Secret, error) {
				l, err := m.disabling.List(ctx)
				for i := range l {
					l[i].Until = time.Now().Add(time.Hour)
				}
				return l, err
			}
		}, "the list shows the existing secret", "TellsEnd is false"},
		{"shows the secret in an error", func(m *mutant) {
			m.create = func(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
				c, err := m.disabling.Create(ctx, r)
				if err != nil {
					err = failure.Wrap(failure.KindOf(err), err, "creating %s", r.Value.Reveal())
				}
				return c, err
			}
		}, "forbidden, Create is rejected and has no effect", "an error shows a secret"},
		{"shows an answer in an error", func(m *mutant) {
			m.list = func(ctx context.Context) ([]idp.Secret, error) {
				l, err := m.disabling.List(ctx)
				if err != nil {
					err = failure.Wrap(failure.KindOf(err), errors.New(idptest.Canary), "list")
				}
				return l, err
			}
		}, "throttled, List says so and has no effect", "an error shows the body"},
		{"makes room by removing somebody's secret", func(m *mutant) {
			m.create = func(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
				if c, err := m.disabling.Create(ctx, r); err == nil {
					return c, nil
				}
				id, _ := m.vendor.Current()
				if err := m.disabling.Remove(ctx, id); err != nil {
					return idp.Created{}, err
				}
				return m.disabling.Create(ctx, r)
			}
		}, "a repeated create makes another secret, up to the limit", "beyond the limit"},
		{"does not remove", func(m *mutant) {
			m.remove = func(context.Context, string) error { return nil }
		}, "the old secret can be removed, and the new one stays accepted", "is still there"},
		{"fails to remove what is gone", func(m *mutant) {
			m.remove = func(ctx context.Context, id string) error {
				before := len(m.vendor.IDs())
				if err := m.disabling.Remove(ctx, id); err != nil {
					return err
				}
				if len(m.vendor.IDs()) == before {
					return fmt.Errorf("no secret %s", id)
				}
				return nil
			}
		}, idptest.RuleRemoveNew, "second time"},
		{"lists nothing", func(m *mutant) {
			m.list = func(context.Context) ([]idp.Secret, error) { return nil, nil }
		}, "the list shows the existing secret", "want the active secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := memory.New(memory.Options{MaxSecrets: 3, CanDisable: true})
			m := &mutant{disabling: v.Provider().(disabling), vendor: v}
			tt.wrong(m)
			err := idptest.Judge(t.Context(), tt.rule, m, v, "")
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the rule %q says %v, want something with %q", tt.rule, err, tt.says)
			}
		})
	}
}

func TestAnExceptionThatIsNotNeededFails(t *testing.T) {
	t.Parallel()
	v := memory.New(memory.Options{MaxSecrets: 2})
	if err := idptest.Judge(t.Context(), idptest.RuleRemoveNew, v.Provider(), v, "invented"); err == nil {
		t.Error("an exception for a rule that the provider keeps passed")
	}
}

func TestAnExceptionExcusesTheBrokenRule(t *testing.T) {
	t.Parallel()
	v := memory.New(memory.Options{MaxSecrets: 2, CanDisable: true})
	m := mutant{disabling: v.Provider().(disabling), remove: func(context.Context, string) error {
		return failure.New(failure.IdPRejected, "this vendor removes only the previous secret")
	}}
	if err := idptest.Judge(t.Context(), idptest.RuleRemoveNew, m, v,
		"only the previous secret can be dropped"); err != nil {
		t.Error(err)
	}
}

// TestNoProductionCodeImportsTheSuite keeps what only tests and the local stack use out of the functions.
func TestNoProductionCodeImportsTheSuite(t *testing.T) {
	t.Parallel()
	forTests := regexp.MustCompile(
		`/(shared/(clock|fault|awstest|idp/idptest|idp/[a-z0-9]+/[a-z0-9]+test)|functions/internal/fakes)\b`)
	seen := 0
	for _, module := range []string{"../..", "../../../functions"} {
		err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			seen++
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			for _, i := range f.Imports {
				if forTests.MatchString(i.Path.Value) &&
					!forTests.MatchString("/shared/"+strings.TrimPrefix(filepath.ToSlash(path), "../../")) {
					t.Errorf("%s imports %s, which is for tests only", path, i.Path.Value)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 10 {
		t.Errorf("only %d files were looked at", seen)
	}
}
