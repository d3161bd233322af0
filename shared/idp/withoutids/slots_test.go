package withoutids_test

import (
	"testing"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/idp/withoutids"
)

// listedByProbe are the exceptions where the token endpoint tells which secrets there are.
func listedByProbe() map[string]string {
	return idptest.NeedsNoRequest(idptest.List, "the vendor lists no secrets; the token endpoint is asked")
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options    memory.SlotOptions
		clientIDs  []string
		make       func(v *memory.Slots, b withoutids.Env) idp.Provider
		exceptions map[string]string
	}{
		"current and previous": {memory.SlotOptions{}, []string{"a"}, shifting, nil},
		"current and previous, hidden": {memory.SlotOptions{Hidden: true}, []string{"a"}, shifting,
			map[string]string{idptest.RuleLostCreate: "what is not shown, and was never told, cannot be listed"}},
		"a pair":   {memory.SlotOptions{Single: true}, []string{"a", "b"}, pair, listedByProbe()},
		"in place": {memory.SlotOptions{Single: true}, []string{"a"}, inPlace, idptest.InOneSlot()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idptest.Run(t, idptest.Subject{Exceptions: c.exceptions, New: func(t *testing.T) (idp.Provider,
				idptest.Backend) {
				v := memory.NewSlots(c.options, c.clientIDs...)
				p, b := idptest.WithSlots(t, v, c.clientIDs,
					func(b withoutids.Env) idp.Provider { return c.make(v, b) })
				return p, b
			}})
		})
	}
}

func shifting(v *memory.Slots, b withoutids.Env) idp.Provider {
	return withoutids.CurrentPrevious(v.Registration("a").(idp.PreviousKeeper), b)
}

func pair(v *memory.Slots, b withoutids.Env) idp.Provider {
	return withoutids.Pair("a", v.Registration("a").(idp.Setter), "b", v.Registration("b").(idp.Setter), b)
}

func inPlace(v *memory.Slots, b withoutids.Env) idp.Provider {
	return withoutids.InPlace(v.Registration("a").(idp.Setter), b)
}
