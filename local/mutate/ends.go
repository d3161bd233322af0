package mutate

// ofEnds are faults around ends: of secrets and credentials that a provider ends by itself, and of AWSCURRENT that is
// dead, which a repair replaces; and of the client id that followers of a pair read.
var ofEnds = map[string][]fault{
	"functions/plan TestARotationIsStartedBeforeTheSecretEnds": {
		{"functions/plan/measure.go beforeEnd", `min(s.Config.EndsWithin(), ends.Sub(stored)/2)`,
			`s.Config.EndsWithin()`,
			"more than half of a short life"},
		{"functions/plan/measure.go beforeEnd", `min(s.Config.EndsWithin(), ends.Sub(stored)/2)`, `ends.Sub(stored)/2`,
			"far from its end"},
		{"functions/plan/measure.go beforeEnd", `!out.SecretAccepted || `, ``, "it is refused already"},
		{"functions/plan/measure.go beforeEnd", `left <= 0 || `, ``, "it has ended"},
		{"functions/plan/measure.go beforeEnd", ` || left > within`, ` || left > within && false`, "far from its end"},
		{"functions/plan/measure.go beforeEnd", `case out.RotationRefused != "":`, `case false:`,
			"a rotation would be refused"},
		{"functions/plan/measure.go beforeEnd", `last.LastOutcome != "rotated" && `, ``,
			"this secret was put into use again"},
		{"functions/plan/measure.go beforeEnd", `":"+name+"-"`, `":"`, "another rotation was refused"},
		{"functions/plan/measure.go beforeEnd", `"-20060102"`, `"-2006"`, "close to its end"},
	},
	"functions/plan TestNoRotationIsStartedWhileOneIsUnderWay": {
		{"functions/plan/measure.go measure", `if held.IsZero() {`, `if true {`, "beside the one that has the lock"},
	},
	"functions/plan TestAMeasurementTellsWhatWillHaveTheNextRotationRefused": {
		{"functions/plan/measure.go refusedByTargets", `failure.KindOf(err).Transient()`, `false`,
			"what is over soon is told as a refusal"},
		{"functions/plan/measure.go refusedByTargets", `case err != nil:`, `case false:`, "cannot be read is not told"},
		{"functions/plan/measure.go refusedByTargets", `case usesNothing(s.Config, found):`, `case false:`,
			"nothing to rotate is not told"},
	},
	"functions/plan TestTheRotatorsOwnCredentialThatEndsIsTold": {
		{"functions/plan/measure.go twoWeeks", `14 * 24`, `4 * 24`, "13 days before"},
		{"functions/plan/measure.go measure", `; soon != "" {`, `; false {`, "13 days before"},
	},
	"functions/plan TestWhatTheProviderTellsIsHeeded": {
		{"functions/plan/handler.go rotationRefusals", `if err != nil { return nil, err }`,
			`if err != nil { return nil, nil }`, "nobody knows what the provider is set to"},
	},
	"shared/idp/registry TestWhenTheRotatorsOwnCredentialEnds": {
		{"shared/idp/credentialend.go Tell", `c.At.IsZero() || `, ``, "ends at"},
		{"shared/idp/credentialend.go Tell", `> within`, `>= within`, "03-15T10:00:00Z"},
		{"shared/idp/entra/settings.go CredentialEnd", `idp.CredentialEndOf("clientSecret.ends", s.ClientSecret.Ends)`,
			`idp.CredentialEnd{}`, "clientSecret"},
	},
	"functions/plan TestOnlyADeadSecretIsRepaired": {
		{"functions/plan/repair.go mustBeDead", `case verdict.Outcome == probe.Inconclusive:`, `case false:`, "unsure"},
		{"functions/plan/repair.go mustBeDead", `p.journal.Promotion.RepairedTo(labels.Current), `, ``,
			"a repair is to be gone on with"},
		{"functions/plan/repair.go mustBeDead", `, p.request.Heals():`, `:`, "healed"},
		{"functions/plan/repair.go mustBeDead", `!p.request.Repair || `, ``, "no repair is asked for"},
	},
	"functions/plan TestARepairTellsOfASecretInAnotherForm": {
		{"functions/plan/repair.go tellForm", `if p.decided.Promoted {`, `if false {`, "gone on with"},
		{"functions/plan/repair.go tellForm", `case !failure.Is(err, failure.Precondition):`, `case true:`,
			"the plan is to"},
		{"functions/plan/repair.go tellForm", `!known {`, `!known || p.journal.Secrets[version].State == journal.Kept {`,
			"one_that_was_kept"},
	},
	"local/guarantees TestANewSecretThatAPersonMakesAWSCURRENTStays": {
		{"functions/plan/handler.go decision", `p.Successor(labels.Pending) == labels.Current`, `false`, "ended as"},
	},
	"local/guarantees TestANewSecretThatAPersonMakesAWSCURRENTIsGoneOnWith": {
		{"functions/createsecret/handler.go findPadded", `stands != m.from.VersionID || `, ``, "ended as"},
		{"functions/createsecret/handler.go look", `m.Successor(m.version)`, `m.version`, "ended as"},
	},
	"local/guarantees TestANewSecretThatFollowersReadTooEarlyGoes": {
		{"functions/retiresecret/handler.go open", `s.From = in.Keep.VersionID`, `s.From = ""`, "ended as"},
	},
	"functions/plan TestARepairByHandSaysWhatToStore": {
		{"shared/rotation/repair.go repair", `d.To, d.Refusals = Ref{}, `, `d.Refusals = `, "that nobody makes"},
	},
	"functions/plan TestThePlanOfARepairSaysWhatWasAskedFor": {
		{"functions/plan/repair.go tellForm", `errors.Is(err, versions.ErrNotFound)`,
			`errors.Is(err, versions.ErrNotFound) && false`, "the plan is"},
		{"functions/plan/repair.go repairSteps", `case journal.Intended:`, `case journal.Removed:`, "the plan is"},
	},
	"functions/plan TestARepairPassesOverWhatHasAnothersClientID": {
		{"functions/invocation/proof.go FindReplacement", `if err == nil && !s.Capable.MadeByHand() {`, `if false {`,
			"beside the secret is"},
		{"functions/invocation/proof.go FindReplacement", ` && !s.Capable.MadeByHand()`, ``, "belongs to client id"},
		{"functions/invocation/reading.go MustHaveItsClientID", ` && version == s.stays`, ``, "belongs to client id"},
		{"functions/invocation/reading.go MustHaveItsClientID", `s.CurrentEnded && version == s.stays`, `false`,
			"beside the secret is"},
	},
	"functions/plan TestAVersionWithAnothersClientIDIsRefused": {
		{"functions/invocation/reading.go MustFit",
			`if noted == nil || !t.Fits(*noted) { return s.MustHaveItsClientID(ctx, version, label) }`,
			`if noted == nil || !t.Fits(*noted) { return nil }`, "TestAVersionWithAnothersClientIDIsRefused"},
		{"functions/invocation/reading.go MustHaveItsClientID", `if s.IsClientID(v) {`, `if false {`,
			"the other one, known"},
		{"functions/plan/stored.go warnOfStaleID", ` || stored.ClientIDKey != ""`, ``, "that is named is warned of"},
	},
}
