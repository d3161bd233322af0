package mutate

// ofCanaries are faults of what has some targets get a new secret first: which those are, what tests them, and whom a
// rollback spares.
var ofCanaries = map[string][]fault{
	"shared/config TestCanariesThatShowNothingAreRefused": {
		{"shared/config/canaries.go checkCanaries", `if !slices.Contains(c.LoadBalancers, arn) {`, `if false {`,
			"another one"},
		{"shared/config/canaries.go checkCanaries", `if slices.Contains(c.Canaries[:i], arn) {`, `if false {`, "twice"},
		{"shared/config/canaries.go checkCanaries", `len(c.Canaries) >= len(c.LoadBalancers)`,
			`len(c.Canaries) > len(c.LoadBalancers)`, "all of them"},
		{"shared/config/canaries.go checkCanaries", ` && c.LoadBalancerSearch == nil`, ``, "a search finds others"},
		{"shared/config/canaries.go checkCanaries", `if c.IdentityProvider.AllowInterruption {`, `if false {`,
			"in place"},
		{"shared/config/canaries.go checkCanaries", `; why != "" {`, `; false {`, "only a redirect"},
		{"shared/config/canaries.go checkKind", `follower && canary`, `false`, "a follower"},
	},
	"shared/config TestTheTestsOfCanariesAreThoseThatAreMarked": {
		{"shared/config/canaries.go CanaryTests", `c.SmokeTests.Login { if t.Canary || all && !t.Follower {`,
			`c.SmokeTests.Login { if t.Canary || all {`, "not marked: canaries are tested"},
		{"shared/config/canaries.go CanaryTests", `c.SmokeTests.Redirect { if t.Canary || all && !t.Follower {`,
			`c.SmokeTests.Redirect { if t.Canary || all {`, "not marked: canaries are tested"},
		{"shared/config/canaries.go CanaryTests",
			`slices.ContainsFunc(c.SmokeTests.Redirect, func(t RedirectTest) bool { return t.Canary }) ||`,
			``, "a marked redirect"},
		{"shared/config/canaries.go UntestedCanaries", `case len(login) > 0:`, `case len(login) >= 0:`,
			"a pair, not marked"},
	},
	"shared/journal TestWhichTargetsMayHaveASecretIsNoted": {
		{"shared/journal/canaries.go Keep", `From: from,`, `From: "",`, "a rollback leaves targets alone"},
		{"shared/journal/canaries.go Give", `slices.Clone(e.Canaries.Targets)`, `[]string{}`, "may have it"},
		{"shared/journal/canaries.go Give", `; !slices.Contains(next.Targets, d) {`, `; true {`, "is saved again"},
		{"shared/journal/canaries.go Give", `len(next.Targets) == len(e.Canaries.Targets)`, `false`, "is saved again"},
		{"shared/journal/canaries.go Give", `if e.Canaries == nil {`, `if false {`, "panic"},
		{"shared/journal/canaries.go Has", ` || !e.Unused`, ``, "once AWSCURRENT"},
		{"shared/journal/canaries.go Has", `return slices.Contains`, `return !slices.Contains`, "may have it"},
		{"shared/journal/canaries.go digest", `[]byte(key)`, `[]byte("")`, "may have it"},
	},
	"functions/plan TestWhichTargetsAreCanaries": {
		{"functions/plan/canaries.go chooseCanaries", ` || p.request.Repair`, ``, "a repair, healed"},
		{"functions/plan/canaries.go chooseCanaries", `slices.Contains(p.Config.Canaries, t.LoadBalancerARN) || `, ``,
			"a load balancer"},
		{"functions/plan/canaries.go chooseCanaries", ` || p.found.Canaries[t.Key()]`, ``, "a listener with the tag"},
		{"functions/plan/canaries.go chooseCanaries", `case p.Capable.ReplacesInPlace():`, `case false:`,
			"in place"},
	},
	"functions/plan TestARollbackLeavesAloneWhatNeverHadTheSecret": {
		{"functions/plan/canaries.go leaveOthers", `if has(t.Key()) {`, `if true {`, "the rollback is on"},
		{"functions/plan/canaries.go leaveOthers", `err != nil || has == nil {`, `err != nil {`, "panic"},
		{"functions/plan/canaries.go leaveOthers", `t.Canary = true`, ``, "other targets were given it"},
	},
	"functions/smoketest TestCanariesThatNoLoginReachesAreTold": {
		{"functions/smoketest/metrics.go tellUntested", `x.Canary && `, ``, "load balancers without canaries"},
	},
	"functions/invocation TestAClientOfAFurtherStackNeedsItsRoles": {
		{"functions/invocation/invocation.go at", `case cfg.Place == 0:`, `case true:`, "TestAClientOfAFurtherStack"},
	},
}
