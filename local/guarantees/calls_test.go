package guarantees_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/idp/idptest/imitations"
)

// looksAgain is what every rotation reads again: the labels, before a secret goes.
var looksAgain = []string{"FinishSecret DescribeSecret 1"}

// A call passes on what it has read, and reads again only right before what cannot be undone (docs/adr/0059). A
// rotation of five targets made 277 requests at Okta and 298 at Keycloak.
func TestARotationReadsLittle(t *testing.T) {
	t.Parallel()
	for vendor, c := range map[string]struct {
		all   int
		again []string
	}{
		"auth0": {166, nil},
		// two registrations, by one address
		"authentik": {168, []string{"Plan authentik.listProviders 1"}},
		// the list, before a secret of it goes; it has pages
		"cognito": {154, []string{"FinishSecret ListUserPoolClientSecrets 1", "Plan ListUserPoolClientSecrets 1"}},
		// as of any provider whose secrets have no ids, though a person's ends none
		"manual": {164, []string{"CreateSecret DescribeSecret 1"}},
		"entra":  {159, nil},
		// Create may end a secret
		"hydra": {162, []string{"CreateSecret DescribeSecret 1"}},
		// the slots, before one is made, and before one is dropped
		"keycloak": {167, []string{"CreateSecret DescribeSecret 1", "CreateSecret keycloak.findClient 1",
			"FinishSecret keycloak.findClient 1", "FinishSecret keycloak.readRotated 1"}},
		"lambda": {178, []string{"DisableOldSecret DescribeSecret 1"}},
		// the list, before a secret of it is switched off, and before it goes
		"okta": {175, []string{"DisableOldSecret DescribeSecret 1", "DisableOldSecret okta.listSecrets 1",
			"FinishSecret okta.listSecrets 1"}},
		"pingone": {165, []string{"CreateSecret DescribeSecret 1", "CreateSecret pingone.readSecret 1",
			"FinishSecret pingone.readSecret 1"}},
	} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, vendor, usual(), quick)
			rotate := func() {
				if vendor == "manual" {
					w.storeByHand()
				}
				w.mustRotate()
			}
			rotate()
			w.pass(time.Hour) // what was removed is settled
			count := scenario.NewCalls()
			w.Stack.Faults.Observe(count.Note)
			rotate()
			all, again := 0, []string{}
			for _, n := range count.By() {
				all += n
			}
			for what, n := range count.Again() {
				again = append(again, fmt.Sprintf("%s %d", what, n))
			}
			slices.Sort(again)
			want := slices.Sorted(slices.Values(append(slices.Clone(looksAgain), c.again...)))
			if all > c.all || !slices.Equal(again, want) {
				t.Errorf("it makes %d requests, may make %d, and reads again\n%s\nmay\n%s", all, c.all,
					strings.Join(again, "\n"), strings.Join(want, "\n"))
			}
			t.Logf("%d requests", all)
		})
	}
	if len(imitations.All) != 10 {
		t.Errorf("%d identity providers, 10 are counted", len(imitations.All))
	}
}
