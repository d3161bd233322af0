package keycloak

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
)

// margin is how much longer than the grace period the rotated secret must live: what a rotation does before and after
// it, with retries.
const margin = 2 * time.Hour

// noOverlap is what can be done about a client that no policy covers.
const noOverlap = "Keycloak would end the old secret at once, because no client policy with the executor " +
	"secret-rotation has covered this client yet: start Keycloak with --features=client-secret-rotation, add such a " +
	"policy with a condition that matches the client, and log in once; or name a second client like the first in " +
	"identityProvider.clientPair, or accept " +
	"failing logins by identityProvider.allowInterruption"

// policyOnSingle is what can be done about a client that is used as one slot although a policy covers it.
const policyOnSingle = "a client policy of Keycloak gives this client's secret an end (attribute " +
	"client.secret.expiration.time), and then makes another one: leave out identityProvider.clientPair and " +
	"identityProvider.allowInterruption, which are not needed with the policy; or " +
	"take the client out of the policy and save it once"

func ended(at time.Time) string {
	return fmt.Sprintf("Keycloak's client policy has ended the client's secret at %s, so no login works: make a new "+
		"one in Keycloak's admin console, and store it as AWSCURRENT and in the load balancers",
		at.Format(time.RFC3339))
}

// policy is a client policy with the executor secret-rotation (ClientSecretRotationExecutorFactory).
type policy struct {
	name string
	// lifetime of a new current secret, and of one that was replaced.
	lifetime, rotated time.Duration
}

// seconds are a whole number, or a text with one. An empty text, as the admin console saves a cleared field, is notSet.
type seconds time.Duration

const notSet seconds = -1

func (s *seconds) UnmarshalJSON(b []byte) error {
	if string(b) == `""` {
		*s = notSet
		return nil
	}
	n, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 32)
	*s = seconds(time.Duration(n) * time.Second)
	return err
}

// policies are those in force, in the realm, that rotate secrets. Which clients one covers depends on its conditions;
// those are not evaluated here.
func (k *Client) policies(ctx context.Context) ([]policy, error) {
	var profiles struct {
		Profiles []struct {
			Name      string `json:"name"`
			Executors []struct {
				Executor      string `json:"executor"`
				Configuration struct {
					Lifetime *seconds `json:"expiration-period"`
					Rotated  *seconds `json:"rotated-expiration-period"`
				} `json:"configuration"`
			} `json:"executors"`
		} `json:"profiles"`
	}
	if err := k.do(ctx, http.MethodGet, k.realmURL()+"/client-policies/profiles",
		"read the client profiles", nil, &profiles); err != nil {
		return nil, err
	}
	var policies struct {
		Policies []struct {
			Name     string   `json:"name"`
			Enabled  bool     `json:"enabled"`
			Profiles []string `json:"profiles"`
		} `json:"policies"`
	}
	if err := k.do(ctx, http.MethodGet, k.realmURL()+"/client-policies/policies",
		"read the client policies", nil, &policies); err != nil {
		return nil, err
	}
	var out []policy
	for _, p := range policies.Policies {
		for _, f := range profiles.Profiles {
			if !p.Enabled || !slices.Contains(p.Profiles, f.Name) {
				continue
			}
			for _, e := range f.Executors {
				if e.Executor == "secret-rotation" {
					c := e.Configuration
					out = append(out, policy{p.Name, or(c.Lifetime, 30*24*time.Hour), or(c.Rotated, 2*24*time.Hour)})
				}
			}
		}
	}
	return out, nil
}

func or(s *seconds, byDefault time.Duration) time.Duration {
	if s == nil || *s == notSet {
		return byDefault
	}
	return time.Duration(*s)
}

// ReviewShift implements idp.ShiftReviewer. Of several policies the one that keeps the old secret for the shortest time
// counts.
func (k *Client) ReviewShift(ctx context.Context) (idp.Review, error) {
	r, err := k.checked.Get(ctx, k.find)
	if err != nil {
		return idp.Review{}, err
	}
	ends := r.Attributes.SecretEnds.time()
	if ends.IsZero() {
		return refuse(noOverlap), nil
	}
	all, err := k.policies(ctx)
	if s, ok := httpclient.Status(err); ok && s.Status == http.StatusForbidden {
		return refuse("how long Keycloak keeps the old secret cannot be read: " + k.roles()), nil
	}
	if err != nil {
		return idp.Review{}, err
	}
	if len(all) == 0 {
		return refuse(noOverlap), nil
	}
	out := judge(slices.MinFunc(all, func(a, b policy) int { return int(a.rotated - b.rotated) }))
	if !ends.After(k.now()) {
		out.Ended = ended(ends)
	}
	return out, nil
}

// judge says what a policy means for a rotation.
func judge(p policy) idp.Review {
	if p.rotated <= margin {
		return refuse(fmt.Sprintf("client policy %s keeps the old secret for %s: set rotated-expiration-period of "+
			"its executor secret-rotation to gracePeriodSeconds and %s more, at least", p.name, p.rotated, margin))
	}
	out := idp.Review{MaxGrace: p.rotated - margin}
	out.Warnings = append(out.Warnings, fmt.Sprintf("client policy %s ends every secret %s after it was made, and "+
		"all logins with it: the schedule must rotate more often than that", p.name, p.lifetime))
	return out
}

// ReviewSet implements idp.SetReviewer.
func (k *Client) ReviewSet(ctx context.Context) (idp.Review, error) {
	r, err := k.checked.Get(ctx, k.find)
	if err == nil && !r.Attributes.SecretEnds.time().IsZero() {
		return refuse(policyOnSingle), nil
	}
	return idp.Review{}, err
}

func refuse(why string) idp.Review { return idp.Review{Refusals: []string{why}} }
