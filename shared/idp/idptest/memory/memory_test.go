package memory_test

import (
	"testing"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/memory"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]memory.Options{
		"two secrets, callers' values, can disable": {MaxSecrets: 2, CanDisable: true},
		"two secrets, cannot disable":               {MaxSecrets: 2},
		"no limit, own values, tags":                {MakesValues: true, KeepsTag: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idptest.Run(t, idptest.Subject{New: func(*testing.T) (idp.Provider, idptest.Backend) {
				v := memory.New(o)
				return v.Provider(), v
			}})
		})
	}
}
