package guarantees_test

import (
	"slices"
	"time"

	"alboidc.internal/shared/awstest/sts"
)

// dies is what a repair is for.
var dies = &kind{name: "AWSCURRENT dies at the provider", weight: 4, before: true, any: true, fits: mortal,
	do: func(r *telling, _ int, _ seen) string {
		if r.padded || r.slow || !r.accepts(r.current()) ||
			slices.ContainsFunc(r.world.dead, r.used) {
			return ""
		}
		r.revoke()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.outdated = nil // a repair takes what lives
		return "the secret that is AWSCURRENT ends at the identity provider"
	}}

// mortal: where people only make secrets they repair by themselves, and what follows a pair has no client id of a test
// for a while.
func mortal(y way) bool { return y.vendor != "manual" && (!y.followed || y.vendor != "auth0") }

// ofClients are what happens to some clients only.
var ofClients = []*kind{
	dies,
	{name: "AWSCURRENT dies meanwhile", weight: 2, any: true, fits: mortal,
		states: []string{"Plan", "VerifyNewSecret", "AwaitSpread", "GracePeriod"}, do: dies.do},
	{name: "logins fail", weight: 8, any: true, states: []string{"AwaitCanarySpread", "AwaitSpread", "GracePeriod"},
		fits: func(y way) bool { return y.canaried || y.name == "with a login test" },
		do: func(r *telling, _ int, _ seen) string {
			r.loginsBreak("")
			r.mend(r.mustLogin)
			return "the password of the user of the login tests changes, and is put right in the end"
		}},
	{name: "a role in another account vanishes", weight: 30, any: true,
		fits: func(y way) bool { return y.away }, do: func(r *telling, n int, _ seen) string {
			r.Stack.STS.DeleteRole(workloadRole)
			d := time.Duration(1+n%600) * time.Second
			r.after(d, func(bool) { r.trusting(func(*sts.Trust) {}) })
			return "the role in the other account is deleted, and made again after " + d.String()
		}},
	{name: "a rule becomes a controller's", weight: 10, any: true,
		fits: func(y way) bool { return y.followed }, do: func(r *telling, _ int, _ seen) string {
			r.fs.adds(r.weighted().ARN)
			return "a rule becomes a controller's"
		}},
	{name: "a controller gives its rules up", weight: 10, any: true,
		fits: func(y way) bool { return y.followed }, do: func(r *telling, _ int, _ seen) string {
			r.fs.loses()
			return "a controller gives its rules up"
		}},
}
