package mutate

// ofTheJournal are faults of the lock and of what is kept under it.
var ofTheJournal = map[string][]fault{
	"shared/journal TestOnlyTheExecutionThatOwnsTheLockGetsTheJournal": {
		{"shared/journal/journal.go Own", `execution == "" || j.Owner != execution`, `execution == ""`,
			"another execution has it"},
		{"shared/journal/journal.go Own", `execution == "" || `, ``, "nobody has it and nobody asks"},
		{"shared/journal/journal.go parse", `Owner: stringOf(item["owner"])`, `Owner: ""`, "want LockLost"},
	},
	"shared/journal TestASaveWithoutTheLockChangesNothing": {
		{"shared/journal/journal.go Save", `"#owner = :owner AND (attribute_not_exists(#rev) OR #rev = :was)"`,
			`"(#owner = :owner OR attribute_exists(client)) AND (attribute_not_exists(#rev) OR #rev = :was)"`,
			"another execution took it"},
		{"shared/journal/journal.go settle", `if now.Owner != j.Owner {`, `if false {`, "it was released"},
	},
	"shared/journal TestASaveOverSomebodyElsesRevisionChangesNothing": {
		{"shared/journal/journal.go Save", `"#owner = :owner AND #rev = :was"`,
			`"#owner = :owner AND (#rev = :was OR #rev > :was)"`, "another call of this execution wrote"},
		{"shared/journal/journal.go Save", `":rev": rev(j.Rev + 1)`, `":rev": rev(j.Rev)`, "written twice"},
		{"shared/journal/journal.go settle", `now.Rev == j.Rev+1 && `, ``, "written twice"},
		{"shared/journal/journal.go settle", ` && sameDocument(now, j)`, ``, "another call of this execution wrote"},
	},
	"shared/journal TestALostReplyIsNotTakenForAnothersSave": {
		{"shared/journal/journal.go settle", `if now.Owner == j.Owner && now.Rev`, `if now.Rev`, "want LockLost"},
	},
	"shared/journal TestAnItemThatLostItsRevisionIsNotOverwritten": {
		{"shared/journal/journal.go Save", `"#owner = :owner AND #rev = :was"`,
			`"#owner = :owner AND (attribute_not_exists(#rev) OR #rev = :was)"`, "the item was written"},
	},
	"shared/journal TestTheRepeatOfASaveWhoseReplyWasLostSucceeds": {
		{"shared/journal/journal.go Save", `return t.settle(ctx, j)`, `return awserr.Wrap(err, "writing")`,
			"by the SDK"},
		{"shared/journal/journal.go settle", `j.Rev = now.Rev`, ``, "revision 0"},
		{"shared/journal/journal.go Save", `j.Rev++`, ``, "the next save"},
	},
	"shared/journal TestAnItemThatCannotBeReadIsNotTakenForAnEmptyOne": {
		{"shared/journal/journal.go parse", `if !ok || json.Unmarshal([]byte(doc.Value), j) != nil {`,
			`if !ok || json.Unmarshal([]byte(doc.Value), j) != nil && len(j.Secrets) > 0 {`,
			"the document is not JSON"},
		{"shared/journal/journal.go parse", `if err := j.readWaits(item); err != nil {`,
			`if err := j.readWaits(item); false {`, "the wait is not whole"},
	},
	"shared/journal TestWhatIsSavedIsWhatIsReadNext": {
		{"shared/journal/journal.go item", `ConsistentRead: aws.Bool(true)`, `ConsistentRead: aws.Bool(false)`,
			"not strongly consistent"},
	},
	"shared/journal TestWhoOnlyLooksSeesWhoeverHasTheLockAndCannotWrite": {
		{"shared/journal/journal.go Look", `j.Owner = ""`, ``, "want LockLost"},
	},
	"shared/journal TestAReferenceCountsForItsOwnExecutionOnly": {
		{"shared/journal/journal.go reference", ` || r.Execution != owner`, ``, "left by another"},
	},
	"shared/journal TestOnlyTheOldestRemovedSecretsAreForgotten": {
		{"shared/journal/journal.go prune", `if e.State == Removed {`, `if e.State != Intended {`, "the journal holds"},
		{"shared/journal/journal.go prune", `.At.Before(`, `.At.After(`, "is known"},
		{"shared/journal/journal.go keepRemoved", `20`, `2`, "is known"},
	},
	"shared/journal TestARenamedVersionIsTheOtherEverywhere": {
		{"shared/journal/journal.go Rename", `e.IdPSecretID = to`, ``, "looks for the secret where it is not"},
		{"shared/journal/journal.go Rename", `if p := j.Promotion; p != nil {`, `if p := j.Promotion; false {`,
			"moves labels to a version that is gone"},
	},
	"shared/journal TestTheLastWriteOfATargetIsNoted": {
		{"shared/journal/waits.go NoteWrite", `(attribute_not_exists(#last) OR #last <= :at)`,
			`(attribute_not_exists(#last) OR attribute_exists(#last))`, "the journal is"},
		{"shared/journal/waits.go NoteWrite", `#owner = :owner AND `,
			`(#owner = :owner OR attribute_exists(client)) AND `, "who does not have the lock gets"},
		{"shared/journal/waits.go NoteWrite", `_, err = t.Own(ctx, client, owner)`, `err = nil`,
			"who does not have the lock gets"},
		{"shared/journal/waits.go Left", `j.LastWrite.Add(wait).Sub(now)`, `j.LastWrite.Sub(now)`, "are left"},
	},
	"shared/journal TestWhatDynamoDBSaysIsTold": {
		{"shared/journal/waits.go NoteWrite", `case err != nil:`, `case false:`, "is written"},
		{"shared/journal/proofs.go NoteProof", `if err != nil { return awserr`, `if false { return awserr`,
			"was proven"},
		{"shared/journal/journal.go settle", `if err != nil { return err }`, `if err != nil { return nil }`,
			"reading the journal"},
	},
	"shared/journal TestAnItemOfAnEarlierReleaseSettlesAsThatDid": {
		{"shared/journal/waits.go defaultSettle", `75`, `15`, "the journal is"},
	},
	"shared/journal TestMarksOfCallsAtOnceAreAllKept": {
		{"shared/journal/marks.go putMarks", `#owner = :owner AND #marked = :was`, `#owner = :owner`,
			"what was set is set again for ever"},
		{"shared/journal/marks.go NoteMarks", `if stringOf(item["owner"]) != owner {`, `if false {`,
			"who does not have the lock gets"},
		{"shared/journal/marks.go NoteMarks", `return !m.Fresh(now)`, `return false`, "set again for ever"},
	},
	"shared/journal TestARepeatedProofIsNotedByTheOwnerOnly": {
		{"shared/journal/proofs.go NoteProof", `"#owner = :owner"`, `"#owner = :owner OR attribute_exists(client)"`,
			"who does not have the lock gets"},
		{"shared/journal/journal.go parse", `readProof(item[proven]); err != nil`, `readProof(item[proven]); false`,
			"remove it from the item"},
	},
}
