package journal_test

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/journal"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func own(t *testing.T, f *item) *journal.Journal {
	t.Helper()
	j, err := journal.New(f, table).Own(t.Context(), client, me)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func save(t *testing.T, f *item, j *journal.Journal) error {
	t.Helper()
	return journal.New(f, table).Save(t.Context(), j)
}

func failed(t *testing.T, err error, kind failure.Kind, says string) {
	t.Helper()
	if !failure.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v (%s), want %s with %q", err, failure.KindOf(err), kind, says)
	}
}

func TestAClientThatWasNeverRotatedHasAnEmptyJournal(t *testing.T) {
	t.Parallel()
	j := own(t, newItem(t))
	if j.Client != client || j.Owner != me || j.Rev != 0 || j.Secrets == nil || len(j.Secrets) != 0 ||
		j.Promotion != nil {
		t.Errorf("the journal is %+v", j)
	}
}

func TestOnlyTheExecutionThatOwnsTheLockGetsTheJournal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		owner     types.AttributeValue
		execution string
		says      string
	}{
		"another execution has it":               {text(other), me, other},
		"nobody has it":                          {nil, me, "nobody"},
		"the caller does not say who it is":      {text(me), "", me},
		"nobody has it and nobody asks":          {nil, "", "nobody"},
		"the owner's name begins like ours":      {text(me + "0"), me, me + "0"},
		"the owner is not text, so not our name": {number("1"), me, "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newItem(t)
			f.set("owner", c.owner)
			_, err := journal.New(f, table).Own(t.Context(), client, c.execution)
			failed(t, err, failure.LockLost, c.says)
		})
	}
}

func TestWhoOnlyLooksSeesWhoeverHasTheLockAndCannotWrite(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	j := own(t, f)
	j.Secrets["version-1"] = journal.Entry{State: journal.Live, IdPSecretID: "ocs1", At: noon}
	if err := save(t, f, j); err != nil {
		t.Fatal(err)
	}
	f.set("owner", text(other))
	f.set("ownerSince", text("2026-11-22T12:00:00.000Z")) // as JSONata's $now writes it
	j, held, err := journal.New(f, table).Look(t.Context(), client)
	if err != nil || !held.Equal(noon) || j.Secrets["version-1"].IdPSecretID != "ocs1" {
		t.Fatalf("seen %+v, held since %s: %v", j, held, err)
	}
	failed(t, save(t, f, j), failure.LockLost, other)
	f.set("ownerSince", text("yesterday"))
	_, _, err = journal.New(f, table).Look(t.Context(), client)
	failed(t, err, failure.Precondition, "does not say since when")
}

func TestAPersonTakesAFreeLockOnly(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	table := journal.New(f, table)
	failed(t, table.Lock(t.Context(), client, other, noon), failure.LockLost, "another has the lock")
	failed(t, table.Unlock(t.Context(), client, other), failure.LockLost, "another has the lock")
	f.set("owner", nil)
	for range 2 { // a repeat after a lost reply, too
		if err := table.Lock(t.Context(), client, other, noon); err != nil {
			t.Fatal(err)
		}
	}
	r, err := table.Record(t.Context(), client)
	if err != nil || r.Owner != other || !r.Adopting() || !r.OwnerSince.Equal(noon) {
		t.Fatalf("the record is %+v (%v)", r, err)
	}
	if err := table.Unlock(t.Context(), client, other); err != nil {
		t.Fatal(err)
	}
	if left := f.attributes(); len(left) != 0 {
		t.Errorf("left is %v", left)
	}
}

func TestAFreeLockIsHeldByNobody(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	f.set("owner", nil)
	j, held, err := journal.New(f, table).Look(t.Context(), client)
	if err != nil || !held.IsZero() {
		t.Fatalf("held since %s: %v", held, err)
	}
	if err := save(t, f, j); err == nil {
		t.Error("who only looked could write")
	}
}

// sample has every field set.
// referred is reference, read.
func referred() *config.Reference {
	return &config.Reference{Execution: me, Text: config.Text{Version: 7, SHA256: "ab12"},
		Client: config.Identity{Name: client, SecretARN: "arn:s",
			Issuer: "https://idp.example", ClientID: "0oa1", ClientPair: "0oa2", Provider: "okta"}}
}

func sample() *journal.Journal {
	return &journal.Journal{Client: client, Owner: me, Rev: 7, Config: referred(), LastWrite: noon,
		Settle: 10 * time.Second, Marks: map[string]journal.Mark{"key": {Result: "updated", At: noon}},
		Proven: journal.Proof{Version: "version-1", At: noon}, Secrets: map[string]journal.Entry{
			"version-1": {State: journal.Live, IdPSecretID: "ocs1", ClientID: "0oa1",
				JSONKey: aws.String("clientSecret"), Config: &config.Text{Version: 7, SHA256: "ab12"}, Imported: true,
				Before: []string{"ocs0"}, Asked: noon, Undone: noon, Missed: noon, Ended: noon, Unused: true,
				Refusing: &journal.Refusing{Seen: map[string]int{"0oa1 https://idp.example/token": 2}, At: noon},
				Canaries: &journal.Canaries{From: "version-0", Targets: []string{"digest"}}, At: noon}},
		Promotion: &journal.Promotion{From: "version-0", To: "version-1", PreviousBefore: "version-9", At: noon,
			GraceUntil: noon.Add(time.Hour), Repair: true},
		Current: &journal.Current{Version: "version-1", Since: noon, DelaySeconds: 3600},
		Begun: &config.Identity{Name: client, SecretARN: "arn:s", Issuer: "https://idp.example", ClientID: "0oa1",
			Provider: "okta"}}
}

func TestWhatIsSavedIsWhatIsReadNext(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	f.set("lastWrite", number(strconv.FormatInt(noon.UnixMilli(), 10)))
	f.set("settleSeconds", number("10"))
	f.set("proven", text(`{"version":"version-1","at":"2026-11-22T12:00:00Z"}`))
	f.set("marked", text(`{"key":{"result":"updated","at":"2026-11-22T12:00:00Z"}}`))
	j := own(t, f)
	want := sample()
	j.Secrets, j.Promotion, j.Current, j.Begun = want.Secrets, want.Promotion, want.Current, want.Begun
	for rev := int64(1); rev <= 3; rev++ {
		if err := save(t, f, j); err != nil || j.Rev != rev {
			t.Fatalf("saved as revision %d: %v", j.Rev, err)
		}
	}
	want.Rev = 3
	if got := own(t, f); !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
}

// The document is compared as a whole, and sample sets every field: a field that is added must be looked at here, and
// must never hold a secret.
func TestTheDocumentHoldsIDsAndTimesOnly(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	f.set("rev", number("7"))
	j := sample()
	for _, v := range []any{*j, j.Secrets["version-1"], *j.Promotion, *j.Current} {
		for i := range reflect.TypeOf(v).NumField() {
			if reflect.ValueOf(v).Field(i).IsZero() {
				t.Errorf("the sample does not set %T.%s", v, reflect.TypeOf(v).Field(i).Name)
			}
		}
	}
	if err := save(t, f, j); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"owner": "S " + me, "config": "S " + reference, "rev": "N 8",
		"state": `S {"secrets":{"version-1":{"state":"live","idpSecretId":"ocs1","clientId":"0oa1",` +
			`"jsonKey":"clientSecret","config":{"version":7,"sha256":"ab12"},"imported":true,"before":["ocs0"],"asked":"2026-11-22T12:00:00Z","undone":"2026-11-22T12:00:00Z","missed":"2026-11-22T12:00:00Z","refusing":{"seen":{"0oa1 https://idp.example/token":2},"at":"2026-11-22T12:00:00Z"},"ended":"2026-11-22T12:00:00Z","unused":true,"canaries":{"from":"version-0","targets":["digest"]},"at":"2026-11-22T12:00:00Z"}},"promotion":{"from":"version-0","to":"version-1",` +
			`"previousBefore":"version-9","at":"2026-11-22T12:00:00Z","graceUntil":"2026-11-22T13:00:00Z","repair":true},"current":{"version":"version-1","since":"2026-11-22T12:00:00Z","delaySeconds":3600},"begun":{"name":"orders-web","secretArn":"arn:s","issuer":"https://idp.example","clientId":"0oa1","provider":"okta"}}`}
	if got := f.attributes(); !maps.Equal(got, want) {
		t.Errorf("the item is %v, want %v", got, want)
	}
}

func TestAReferenceCountsForItsOwnExecutionOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		owner, attribute string
		want             *config.Reference
	}{
		"written with the lock":                    {me, reference, referred()},
		"none, by an execution of long ago":        {me, "", nil},
		"left by another, of a definition of ours": {other, reference, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newItem(t)
			f.set("owner", text(c.owner))
			f.set("config", nil)
			if c.attribute != "" {
				f.set("config", text(c.attribute))
			}
			j, err := journal.New(f, table).Own(t.Context(), client, c.owner)
			if err != nil || !reflect.DeepEqual(j.Config, c.want) {
				t.Errorf("the configuration is %+v (%v), want %+v", j.Config, err, c.want)
			}
		})
	}
	f := newItem(t)
	f.set("config", text("{"))
	_, err := journal.New(f, table).Own(t.Context(), client, me)
	failed(t, err, failure.Precondition, "does not say which configuration")
}

func TestAPromotionThatWasNotMadeHasNoTimes(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	j := own(t, f)
	j.Promotion = &journal.Promotion{From: "version-0", To: "version-1"}
	if err := save(t, f, j); err != nil {
		t.Fatal(err)
	}
	if p := own(t, f).Promotion; p == nil || !p.At.IsZero() || !p.GraceUntil.IsZero() ||
		strings.Contains(f.attributes()["state"], "graceUntil") {
		t.Errorf("the promotion is %+v, the document %s", p, f.attributes()["state"])
	}
}

func TestTheLockAndOtherAttributesOutliveASave(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	f.set("ownerSince", text("2026-11-22T12:00:00Z"))
	if err := save(t, f, own(t, f)); err != nil {
		t.Fatal(err)
	}
	if f.attributes()["owner"] != "S "+me || f.attributes()["ownerSince"] != "S 2026-11-22T12:00:00Z" {
		t.Errorf("the item is %v", f.attributes())
	}
}

func TestASaveWithoutTheLockChangesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		owner types.AttributeValue
		says  string
	}{"another execution took it": {text(other), other}, "it was released": {nil, "nobody"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newItem(t)
			j := own(t, f)
			f.before = func() { f.set("owner", c.owner) }
			failed(t, save(t, f, j), failure.LockLost, c.says)
			if f.attributes()["state"] != "" || j.Rev != 0 {
				t.Errorf("the item is %v, revision %d", f.attributes(), j.Rev)
			}
		})
	}
}

// The same document at the next revision is only ours if the lock is.
func TestALostReplyIsNotTakenForAnothersSave(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	j := own(t, f)
	f.before = func() {
		if err := save(t, f, own(t, f)); err != nil {
			t.Fatal(err)
		}
		f.set("owner", text(other))
	}
	failed(t, save(t, f, j), failure.LockLost, other)
}

func TestASaveOverSomebodyElsesRevisionChangesNothing(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*testing.T, *item){
		"another call of this execution wrote": func(t *testing.T, f *item) {
			late := own(t, f)
			late.Secrets["version-late"] = journal.Entry{State: journal.Live, IdPSecretID: "ocs9", At: noon}
			if err := save(t, f, late); err != nil {
				t.Fatal(err)
			}
		},
		"the same document was written twice": func(t *testing.T, f *item) {
			j := own(t, f)
			for range 2 {
				if err := save(t, f, j); err != nil {
					t.Fatal(err)
				}
			}
		},
		"the item was put back from a backup": func(_ *testing.T, f *item) { f.set("rev", number("3")) },
	} {
		for _, rev := range []string{"", "5"} {
			t.Run(fmt.Sprintf("%s, read as revision %q", name, rev), func(t *testing.T) {
				t.Parallel()
				f := newItem(t)
				if rev != "" {
					f.set("rev", number(rev))
				}
				j := own(t, f)
				disturb(t, f)
				before := f.attributes()
				failed(t, save(t, f, j), failure.Unavailable, "the step starts over")
				if after := f.attributes(); !maps.Equal(after, before) {
					t.Errorf("the item became %v", after)
				}
			})
		}
	}
}

func TestAnItemThatLostItsRevisionIsNotOverwritten(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	f.set("rev", number("5"))
	j := own(t, f)
	f.set("rev", nil)
	failed(t, save(t, f, j), failure.Unavailable, "the step starts over")
	if f.attributes()["state"] != "" {
		t.Error("the item was written")
	}
}

func TestTheRepeatOfASaveWhoseReplyWasLostSucceeds(t *testing.T) {
	t.Parallel()
	t.Run("by the SDK", func(t *testing.T) {
		t.Parallel()
		f := newItem(t)
		j := own(t, f)
		f.Client = f.connect(2)
		f.once(fault.Rule{Operation: "UpdateItem", Mode: fault.Lose})
		if err := save(t, f, j); err != nil || j.Rev != 1 || f.attributes()["rev"] != "N 1" {
			t.Errorf("revision %d, in the item %s: %v", j.Rev, f.attributes()["rev"], err)
		}
	})
	t.Run("by the caller", func(t *testing.T) {
		t.Parallel()
		f := newItem(t)
		j := own(t, f)
		f.once(fault.Rule{Operation: "UpdateItem", Mode: fault.Lose})
		failed(t, save(t, f, j), failure.Unavailable, "writing the journal")
		if err := save(t, f, j); err != nil || j.Rev != 1 || f.attributes()["rev"] != "N 1" {
			t.Errorf("revision %d, in the item %s: %v", j.Rev, f.attributes()["rev"], err)
		}
		if err := save(t, f, j); err != nil || j.Rev != 2 {
			t.Errorf("the next save: revision %d, %v", j.Rev, err)
		}
	})
	t.Run("but not of another document", func(t *testing.T) {
		t.Parallel()
		f := newItem(t)
		j := own(t, f)
		f.once(fault.Rule{Operation: "UpdateItem", Mode: fault.Lose})
		failed(t, save(t, f, j), failure.Unavailable, "writing the journal")
		j.Secrets["version-1"] = journal.Entry{State: journal.Intended, At: noon}
		failed(t, save(t, f, j), failure.Unavailable, "the step starts over")
	})
}

func TestAnItemThatCannotBeReadIsNotTakenForAnEmptyOne(t *testing.T) {
	t.Parallel()
	for name, item := range map[string]map[string]types.AttributeValue{
		"the document is not JSON":         {"state": text("CANARY{")},
		"the document is of another form":  {"state": text(`{"secrets":["CANARY"]}`)},
		"the document is not text":         {"state": number("5")},
		"the revision is too large":        {"rev": number("99999999999999999999")},
		"the revision is not whole":        {"rev": number("1.5")},
		"the last write is not whole":      {"lastWrite": number("1.5")},
		"the wait is not whole":            {"settleSeconds": number("1.5")},
		"the document has a wrong instant": {"state": text(`{"secrets":{"v":{"state":"live","at":"CANARY"}}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newItem(t)
			for name, v := range item {
				f.set(name, v)
			}
			_, err := journal.New(f, table).Own(t.Context(), client, me)
			failed(t, err, failure.Precondition, client)
			if strings.Contains(fmt.Sprint(err), "CANARY") {
				t.Errorf("the item is quoted: %v", err)
			}
		})
	}
}

func TestADocumentWithoutSecretsCanBeAddedTo(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{`{}`, `null`, `{"secrets":null}`} {
		f := newItem(t)
		f.set("state", text(doc))
		j := own(t, f)
		j.Secrets["version-1"] = journal.Entry{State: journal.Intended, At: noon}
		if err := save(t, f, j); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestWhatDynamoDBSaysIsTold(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	j := own(t, f)
	f.refuse("GetItem", 400, "ProvisionedThroughputExceededException")
	_, err := journal.New(f, table).Own(t.Context(), client, me)
	failed(t, err, failure.Throttled, "reading the journal")
	f.refuse("UpdateItem", 400, "AccessDeniedException")
	failed(t, save(t, f, j), failure.AccessDenied, "writing the journal")
	f.before = func() { f.set("owner", text(other)); f.refuse("GetItem", 500, "InternalServerError") }
	failed(t, save(t, f, j), failure.Unavailable, "reading the journal")
	f.refuse("GetItem", 500, "InternalServerError")
	_, _, err = journal.New(f, table).Look(t.Context(), client)
	failed(t, err, failure.Unavailable, "reading the journal")
	// a note that was not taken must not look like one that was: nobody would wait for the write
	f.refuse("UpdateItem", 400, "AccessDeniedException")
	failed(t, journal.New(f, table).NoteWrite(t.Context(), client, me, noon), failure.AccessDenied, "is written")
	f.refuse("UpdateItem", 400, "AccessDeniedException")
	failed(t, journal.New(f, table).NoteProof(t.Context(), client, me, journal.Proof{}), failure.AccessDenied,
		"was proven")
}

// A secret that was stored again has another version id, everywhere in the journal.
func TestARenamedVersionIsTheOtherEverywhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ id, becomes string }{
		"an id of the provider stays":            {"ocs1", "ocs1"},
		"an id that is the version's is renamed": {"old", "new"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, p := range []journal.Promotion{{From: "old", To: "a", PreviousBefore: "b"},
				{From: "a", To: "old", PreviousBefore: "b"}, {From: "a", To: "b", PreviousBefore: "old"}} {
				was := journal.Entry{State: journal.Live, IdPSecretID: c.id, At: noon}
				j := journal.Journal{Secrets: map[string]journal.Entry{"old": was, "a": {State: journal.Live}},
					Promotion: &p}
				want := *j.Promotion
				for _, v := range []*string{&want.From, &want.To, &want.PreviousBefore} {
					*v = strings.ReplaceAll(*v, "old", "new")
				}
				j.Rename("old", "new")
				is := was
				is.IdPSecretID = c.becomes
				if !reflect.DeepEqual(j.Secrets, map[string]journal.Entry{"new": is, "a": {State: journal.Live}}) {
					t.Errorf("a rollback or removal looks for the secret where it is not: %+v", j.Secrets)
				}
				if *j.Promotion != want {
					t.Errorf("a rollback moves labels to a version that is gone: %+v, want %+v", *j.Promotion, want)
				}
			}
			j := journal.Journal{Secrets: map[string]journal.Entry{}}
			j.Rename("old", "new")
		})
	}
}

func TestACopyIsChangedAlone(t *testing.T) {
	t.Parallel()
	j := sample()
	c := j.Clone()
	c.Promotion.To, c.Secrets["version-2"] = "version-2", journal.Entry{}
	if !reflect.DeepEqual(j, sample()) {
		t.Errorf("what is tried on a copy is saved: %+v", j)
	}
	j.Promotion = nil
	if j.Clone().Promotion != nil {
		t.Error("the copy has another promotion")
	}
}

func TestOnlyTheOldestRemovedSecretsAreForgotten(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	j := own(t, f)
	j.Secrets["live"] = journal.Entry{State: journal.Live, IdPSecretID: "ocs-live"}
	j.Secrets["intended"] = journal.Entry{State: journal.Intended}
	canaries := &journal.Canaries{From: "live"}
	j.Secrets["on canaries"] = journal.Entry{State: journal.Live, Unused: true, Canaries: canaries}
	j.Secrets["promoted"] = journal.Entry{State: journal.Live, Canaries: canaries}
	const removed, kept = 25, 20
	for i := range removed {
		j.Secrets[fmt.Sprintf("removed-%02d", i)] = journal.Entry{State: journal.Removed, Unused: true,
			Canaries: canaries, At: noon.Add(time.Duration(i) * time.Hour)}
	}
	if err := save(t, f, j); err != nil {
		t.Fatal(err)
	}
	got := own(t, f).Secrets
	for i := range removed {
		if _, known := got[fmt.Sprintf("removed-%02d", i)]; known != (i >= removed-kept) {
			t.Errorf("secret %d of %d is known: %v", i, removed, known)
		}
	}
	for version, e := range got {
		if (e.Canaries != nil) != (version == "on canaries") {
			t.Errorf("%s: the targets that had it are known: %t", version, e.Canaries != nil)
		}
	}
	if len(got) != kept+4 || got["live"].State != journal.Live || got["intended"].State != journal.Intended {
		t.Errorf("the journal holds %d secrets: %v", len(got), got)
	}
	if err := save(t, f, j); err != nil || len(own(t, f).Secrets) != kept+4 {
		t.Errorf("the next save holds %d: %v", len(own(t, f).Secrets), err)
	}
}

func TestTheKnownIDsAreThoseOfEveryState(t *testing.T) {
	t.Parallel()
	j := journal.Journal{Secrets: map[string]journal.Entry{"a": {State: journal.Live, IdPSecretID: "ocs1"},
		"b": {State: journal.Removed, IdPSecretID: "ocs2"}, "c": {State: journal.Intended}}}
	if got, want := j.KnownIDs(), (map[string]bool{"ocs1": true, "ocs2": true}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWhatPeopleReadOfAnItem(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	const at = "2026-11-22T12:00:00.000Z"
	for name, value := range map[string]string{"ownerSince": at, "ownerKind": "emergency", "lastOutcome": "rotated",
		"lastExecution": other, "lastEnded": at, "lastRotated": "long ago"} {
		f.set(name, text(value))
	}
	got, err := journal.New(f, table).Record(t.Context(), client)
	want := journal.Record{Journal: own(t, f), OwnerSince: noon, OwnerKind: "emergency", LastOutcome: "rotated",
		LastExecution: other, LastEnded: noon}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("people read %+v (%v), must read %+v", got, err, want)
	}
	f.set("state", text("{"))
	_, err = journal.New(f, table).Record(t.Context(), client)
	failed(t, err, failure.Precondition, "restore the item")
	f.refuse("GetItem", 500, "InternalServerError")
	_, err = journal.New(f, table).Record(t.Context(), client)
	failed(t, err, failure.Unavailable, "reading the journal")
}
