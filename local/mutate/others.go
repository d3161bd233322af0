package mutate

// ofOthersHelp are faults of what works through others: keys in KMS, sessions in other accounts, functions of users
// that speak to a provider, followers of AWSCURRENT, and of repairs.
var ofOthersHelp = map[string][]fault{
	"shared/clientcredentials TestAnAssertionIsSignedForFiveMinutes": {
		{"shared/clientcredentials/kms.go sign", `types.MessageTypeDigest`, `types.MessageTypeRaw`, "KMS: "},
		{"shared/clientcredentials/kms.go sign", `if algorithm != ES256 {`, `if true {`, "by a curve at KMS"},
		{"shared/clientcredentials/kms.go Algorithms", `types.SigningAlgorithmSpecRsassaPkcs1V15Sha256`,
			`types.SigningAlgorithmSpecRsassaPssSha256`, "by KMS"},
	},
	"shared/clientcredentials TestAKeyOfKMSThatDoesNotSign": {
		{"shared/clientcredentials/kms.go explain", `case errors.As(err, &disabled):`,
			`case errors.As(err, &disabled) && false:`, "it is disabled"},
		{"shared/clientcredentials/kms.go explain", `case errors.As(err, &state):`,
			`case errors.As(err, &state) && false:`, "it is about to be deleted"},
		{"shared/clientcredentials/kms.go explain", `case awserr.KindOf(err) == failure.AccessDenied:`, `case false:`,
			"nobody may"},
	},
	"functions/entrypoint TestASessionIsKeptUntilShortlyBeforeItsEnd": {
		{"functions/entrypoint/accounts.go unused", `5 * time.Minute`, `5 * time.Second`, "sessions, want"},
		{"functions/entrypoint/accounts.go sessionLife", `15 * time.Minute`, `60 * time.Minute`, "sessions, want"},
		{"functions/entrypoint/accounts.go Retrieve", `a.known[a.session] = c`, `_ = c`, "sessions, want"},
		{"functions/entrypoint/accounts.go Retrieve", `delete(a.known, k)`, `_ = k`, "sessions, want"},
		{"functions/entrypoint/accounts.go assume", `in.ExternalId = &a.role.ExternalID`, ``,
			"does not trust the function's role"},
	},
	"functions/entrypoint TestARoleThatCannotBeUsedIsTold": {
		{"functions/entrypoint/accounts.go assume", `; got != account {`, `; got != account && false {`,
			"a third account"},
		{"functions/entrypoint/accounts.go assume", `case awserr.KindOf(err) == failure.AccessDenied:`, `case false:`,
			"another external id"},
	},
	"functions/entrypoint TestATokenIsAskedForAsDocumented": {
		{"functions/entrypoint/webidentity.go lifetime", `60`, `3600`, "the form is"},
		{"functions/entrypoint/webidentity.go signing", `"RS256"`, `"ES384"`, "the form is"},
	},
	"functions/entrypoint TestRefusalsSayWhatToDo": {
		{"functions/entrypoint/webidentity.go token", `case errors.As(err, &disabled):`,
			`case errors.As(err, &disabled) && false:`, "the feature is off"},
	},
	"shared/idp/lambda TestInvocationsThatFail": {
		{"shared/idp/lambda/invoke.go invokeBy", `if out.FunctionError != nil {`, `if false {`, "an exception"},
		{"shared/idp/lambda/invoke.go explainInvoke", `case errors.As(err, &throttled):`,
			`case errors.As(err, &throttled) && false:`, "asked to wait 4s"},
		{"shared/idp/lambda/invoke.go functionError", `functionErrors[e.Type] != ""`, `true`, "an exception"},
	},
	"shared/idp/lambda TestOnlyReadsAreRepeated": {
		{"shared/idp/lambda/lambda.go do", `!r.Reads() || `, ``, "after 3 requests"},
		{"shared/idp/lambda/invoke.go longestTold", `300`, `3`, "a list, too long"},
	},
	"shared/idp/lambda TestAnswersBecomeFailures": {
		{"shared/idp/lambda/lambda.go list", `case a.Secrets == nil:`, `case false:`, "no secrets"},
		{"shared/idp/lambda/lambda.go compare", `len(differ) > 0`, `false`, "other capabilities"},
		{"shared/idp/lambda/lambda.go send", `if a.Contract != Contract {`, `if false {`, "another version"},
		{"shared/idp/lambda/lambda.go kindOfSkew", `if r.Reads() {`, `if true {`, "another version, change"},
		{"shared/idp/lambda/lambda.go longestCode", `24`, `64`, "a code as long as a secret"},
		{"shared/idp/lambda/lambda.go failure", `if !known {`, `if !known && false {`, "a kind that there is not"},
		{"shared/idp/lambda/models.go checkListed", `return x.ID == s.ID`, `return false`, "an id twice"},
		{"shared/idp/lambda/models.go Create", `case checkID(a.Secret.ID) != "":`,
			`case a.Secret == nil:`, "no id"},
	},
	"shared/idp/lambda TestWhatIsWrongInAnAnswerIsNamed": {
		{"shared/idp/lambda/lambda.go list", `case a.Registration.GraceSeconds < 0:`, `case false:`,
			"graceSeconds_must_be_0"},
		{"shared/idp/lambda/answer.go nameProblems", `path != opCapabilities && `, `false && `,
			"a_field_of_capabilities"},
		{"shared/idp/lambda/answer.go checkValue", `versions.Padded(secret.New(v))`,
			`false && versions.Padded(secret.New(v))`, "secret.value_must_be_the_secret_as_the"},
		{"shared/idp/lambda/answer.go checkID", `|| strings.ContainsFunc(id, unicode.IsControl)`, ``, "no_line"},
		{"shared/idp/lambda/models.go Create", `strings.Contains(a.Secret.ID, value)`,
			`false && strings.Contains(a.Secret.ID, value)`, "must_not_hold_the"},
		{"shared/idp/lambda/models.go checkSlot", `case slices.ContainsFunc(before, `,
			`case false && slices.ContainsFunc(before, `, "must_be_another"},
	},
	"shared/idp/lambda TestRequestsSayWhatTheContractSays": {
		{"shared/idp/lambda/lambda.go Patience", `15 * time.Second`, `15 * time.Minute`, "want"},
		{"shared/idp/lambda/models.go Remove", `if !errors.Is(err, errNotFound) {`, `if true {`, "notFound"},
	},
	"shared/idp/lambda TestTrialsOutlastTheDelay": {
		{"shared/idp/lambda/contract.go of", `(c.ActivationSeconds+tries-2)/(tries-1)`, `c.ActivationSeconds/tries`,
			"30 s: 10 times every 3 s"},
	},
	"shared/idp/lambda TestSettingsAreRefusedFieldByField": {
		{"shared/idp/lambda/settings.go maxActivation", `120`, `1200`, "activationSeconds"},
	},
	"shared/journal TestWhenFollowersHaveAWSCURRENT": {
		{"shared/journal/followers.go Follow", `next.Since = c.Since`, `_ = c`, "as noted"},
		{"shared/journal/followers.go Follow", `case p != nil && p.To == version && !p.At.IsZero():`, `case false:`,
			"followers that came later"},
		{"shared/journal/followers.go FollowedAt", `at.Add(time.Second - 1)`, `at`, "in fractions of a second"},
	},
	"functions/retiresecret TestNothingGoesThatFollowersMayHave": {
		{"functions/retiresecret/decide.go mustBeFollowed", `s.Action == rotation.RetireEnable || `, ``,
			"the old one, enabled in a rollback"},
		{"functions/retiresecret/handler.go followed", `.Add(r.SpreadTime())`, ``, "the old one, deleted"},
		{"functions/retiresecret/handler.go followed", `if goes.Unused || `, `if `, "the new one, that never was"},
		{"functions/retiresecret/handler.go followed",
			`if err := r.Journal.Save(ctx, r.journal); err != nil {`, `if false { err := error(nil)`,
			"moved by a person"},
	},
	"functions/promotesecret TestFollowersHaveTheirTimeWhateverTheCallSays": {
		{"functions/promotesecret/handler.go undo", `; ends || follows {`, `; ends || follows && false {`,
			"followers that read it have no time"},
	},
	"shared/rotation TestDecideNeverLengthensTheGracePeriod": {
		{"shared/rotation/decide.go grace", `max(*s.Shorten, s.Followers)`, `*s.Shorten`, "followers need"},
	},
	"shared/rotation TestDecide": {
		{"shared/rotation/decide.go Decide", `Later(s.graceUntil(), s.Followed)`, `s.graceUntil()`,
			"followers need longer than the rest of the grace period"},
		{"shared/rotation/decide.go Decide", `case s.Journal.Promotion.RepairedTo(s.Labels.Current):`, `case false:`,
			"a repair that was promoted is gone on with"},
	},
	"functions/createsecret TestWhatIsDoneNext": {
		{"functions/createsecret/decide.go decide", `s.Repair && s.Entry.State == journal.Kept`, `false`,
			"a repair takes what could not be removed"},
		{"functions/createsecret/decide.go refusal", `s.Entry.State == journal.Kept && !s.Repair`,
			`s.Entry.State == journal.Kept`, "a repair takes what could not be removed"},
		{"functions/createsecret/decide.go refusal", `first && s.Missing != "" && !s.Repair`,
			`first && s.Missing != ""`, "a repair, and the dead one is gone"},
	},
	"local/guarantees TestARepairOfWhatLivesChangesNothing": {
		{"functions/plan/repair.go mustBeDead", `, p.request.Heals():`, `, true:`, "ended as"},
		{"functions/plan/repair.go mustBeDead", `case verdict.Outcome == probe.Rejected:`, `case true:`, "ended as"},
	},
	"local/guarantees TestADeadSecretThatIsStoredAgainIsReplaced": {
		{"functions/invocation/labels.go nameCurrent", `s.stands == s.From`, `false`, "CreateReplacement"},
		{"functions/plan/repair.go mustBeDead", `p.MustStay(labels.Current)`, ``, "Plan"},
	},
	"local/guarantees TestARepairThatGivesUpSparesWhatFollowersHave": {
		{"functions/retiresecret/handler.go mustKeep", `case !goes.Unused || r.journal.GivenOut(r.seen.Version):`,
			`case false:`, "TestARepairThatGivesUpSparesWhatFollowersHave"},
	},
}
