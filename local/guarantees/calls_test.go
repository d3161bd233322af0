package guarantees_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/idp/idptest/imitations"
)

// counter counts the requests of one rotation.
type counter struct {
	mu      sync.Mutex
	all     int
	repeats map[string]int // reads that are the same again within one call, by state and operation
	state   string
	seen    map[string]bool // reads of the present call, since the last write of their service
}

// note takes one request. What asks the token endpoint is no read: a secret is tried several times on purpose. Of a
// target, what is read right before and after its write is none either: other hands are found by it.
func (c *counter) note(service, operation, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all++
	switch {
	case operation == "Invoke" && !strings.Contains(text, `"state":"`): // of a provider's function
	case operation == "Invoke":
		_, c.state, _ = strings.Cut(text, `"state":"`)
		c.state, _, _ = strings.Cut(c.state, `"`)
		c.seen = map[string]bool{}
	case operation == "token", strings.Contains(text, "RuleArns.member"),
		strings.Contains(text, "ListenerArns.member"):
	case !reads(operation):
		maps.DeleteFunc(c.seen, func(k string, _ bool) bool { return strings.HasPrefix(k, service+" ") })
	default:
		k := service + " " + text
		if c.seen[k] {
			c.repeats[c.state+" "+operation]++
		}
		c.seen[k] = true
	}
}

func reads(operation string) bool {
	_, own, vendors := strings.Cut(operation, ".")
	if !vendors {
		own = operation
	}
	return slices.ContainsFunc([]string{"describe", "get", "list", "read", "find"},
		func(verb string) bool { return strings.HasPrefix(strings.ToLower(own), verb) })
}

// looksAgain are the reads that every rotation repeats: the labels, right before the decision of Plan, which the search
// for targets made old, before they are moved, and before a secret goes.
var looksAgain = []string{"Plan DescribeSecret 1", "PromoteSecret DescribeSecret 1", "FinishSecret DescribeSecret 1"}

// A call passes on what it has read, and reads again only right before what cannot be undone. A rotation of five
// targets made 277 requests at Okta and 298 at Keycloak.
func TestARotationReadsLittle(t *testing.T) {
	t.Parallel()
	for vendor, c := range map[string]struct {
		all   int
		again []string
	}{
		// a pair: each registration reads the admin credential
		"auth0":     {182, []string{"Plan GetSecretValue 1"}},
		"authentik": {184, []string{"Plan GetSecretValue 1", "Plan authentik.listProviders 1"}},
		// the list, which has pages, for the report and for the end of the secret in use, and before one goes
		"cognito": {170, []string{"FinishSecret ListUserPoolClientSecrets 1", "Plan ListUserPoolClientSecrets 2"}},
		// as of any provider whose secrets have no ids, though a person's ends none
		"manual": {177, []string{"CreateSecret DescribeSecret 1"}},
		"entra":  {175, []string{"Plan entra.getApplication 1"}},
		// Create may end a secret
		"hydra": {179, []string{"CreateSecret DescribeSecret 1"}},
		// the slots, which are three reads, before one is made, and before one is dropped
		"keycloak": {199, []string{"CreateSecret DescribeSecret 1", "CreateSecret keycloak.findClient 2",
			"CreateSecret keycloak.readRotated 1", "CreateSecret keycloak.readSecret 1",
			"FinishSecret keycloak.findClient 1", "FinishSecret keycloak.readRotated 1",
			"FinishSecret keycloak.readSecret 1", "Plan keycloak.findClient 1"}},
		// the list of secrets, of which a review is a part: for the check, the report and the decision
		"lambda": {197, []string{"DisableOldSecret DescribeSecret 1", "Plan lambda.list 2"}},
		// the list, before a secret of it is switched off, and before it goes
		"okta": {190, []string{"DisableOldSecret DescribeSecret 1", "DisableOldSecret okta.listSecrets 1",
			"FinishSecret okta.listSecrets 1"}},
		"pingone": {180, []string{"CreateSecret DescribeSecret 1", "CreateSecret pingone.readSecret 1",
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
			count := &counter{repeats: map[string]int{}, seen: map[string]bool{}}
			w.Stack.Faults.Observe(count.note)
			rotate()
			var again []string
			for what, n := range count.repeats {
				again = append(again, fmt.Sprintf("%s %d", what, n))
			}
			slices.Sort(again)
			want := slices.Sorted(slices.Values(append(slices.Clone(looksAgain), c.again...)))
			if count.all > c.all || !slices.Equal(again, want) {
				t.Errorf("it makes %d requests, may make %d, and reads again\n%s\nmay\n%s", count.all, c.all,
					strings.Join(again, "\n"), strings.Join(want, "\n"))
			}
			t.Logf("%d requests", count.all)
		})
	}
	if len(imitations.All) != 10 {
		t.Errorf("%d identity providers, 10 are counted", len(imitations.All))
	}
}
