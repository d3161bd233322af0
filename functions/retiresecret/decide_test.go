package retiresecret

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

var (
	now   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	plain = idp.Capabilities{Model: idp.NamedSet, CanDisable: true}
	shift = idp.Capabilities{Model: idp.CurrentPrevious}
	place = idp.Capabilities{Model: idp.InPlace, CanDisable: true}
)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// grace is a rotation in its grace period: the old secret goes, the new one is AWSCURRENT and stays. Both are listed.
func grace(action rotation.RetireAction, changes ...func(*snapshot)) snapshot {
	s := snapshot{Action: action, Version: "old", Keep: "new", Stands: "new", Current: "new", Now: now, Told: true,
		Capable: plain,
		Goes:    journal.Entry{State: journal.Live, IdPSecretID: "id-old"}, Stays: journal.Entry{State: journal.Live,
			IdPSecretID: "id-new"},
		Promotion: &journal.Promotion{From: "old", To: "new", At: ago(time.Hour)}, ID: "id-old",
		Listed: both(idp.Active)}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func both(old idp.Status) []idp.Secret {
	return []idp.Secret{{ID: "id-old", Status: old}, {ID: "id-new", Status: idp.Active}}
}

// Changes of a snapshot.
func off(s *snapshot)         { s.Listed = both(idp.Disabled) }
func gone(s *snapshot)        { s.Listed = both(idp.Active)[1:] }
func unknown(s *snapshot)     { s.Goes, s.ID, s.Listed = journal.Entry{}, "", nil }
func stranger(s *snapshot)    { s.Stays = journal.Entry{} } // the journal does not know AWSCURRENT
func untold(s *snapshot)      { s.Told = false }
func named(s *snapshot)       { s.Named = "id-new" }
func same(s *snapshot)        { s.Same = true }
func alone(s *snapshot)       { s.Listed = both(idp.Active)[:1] }
func shifting(s *snapshot)    { s.Capable = shift }
func pair(s *snapshot)        { s.Capable, s.Pair = idp.Capabilities{Model: idp.ClientPair}, true }
func asked(s *snapshot)       { s.Goes = journal.Entry{State: journal.Intended, Asked: now}; s.ID = "" }
func otherClient(s *snapshot) { s.Goes.ClientID, s.Stays.ClientID = "a", "b" }

func sinceMissed(d time.Duration) func(*snapshot) {
	return func(s *snapshot) { s.Goes.Missed = ago(d) }
}

// atOnce: there was no grace period, and nodes took two minutes to leave the old secret after the promotion.
func atOnce(s *snapshot) { s.Promotion.GraceUntil, s.Spread = s.Promotion.At, 2*time.Minute }

func used(d time.Duration) func(*snapshot) { return func(s *snapshot) { s.Used = ago(d) } }

func TestWhatIsDone(t *testing.T) {
	t.Parallel()
	const disabling, enabling, deleting = rotation.RetireDisable, rotation.RetireEnable, rotation.RetireDelete
	for name, c := range map[string]struct {
		snapshot
		next   step
		result string
		says   string // of a refusal
	}{
		"disable":                                {grace(disabling), disable, "disabled", ""},
		"disable what is off":                    {grace(disabling, off), rest, "disabled", ""},
		"disable what is gone":                   {grace(disabling, gone), rest, "absent", ""},
		"disable what the journal does not know": {grace(disabling, unknown), rest, "absent", ""},
		"disable where that cannot be":           {grace(disabling, shifting), rest, "unsupported", ""},
		"disable what was used at the switch": {grace(disabling, used(59*time.Minute+time.Second)), disable,
			"disabled", ""},
		"disable what is used": {grace(disabling, used(59*time.Minute)), refuse, "", "something else uses it"},
		"the same where that cannot be": {grace(disabling, shifting, used(time.Minute)), refuse, "",
			"something else uses it"},
		"disable what nodes used that had not left": {grace(disabling, atOnce, used(57*time.Minute+time.Second)),
			disable, "disabled", ""},
		"disable what is used, without a grace period": {grace(disabling, atOnce, used(57*time.Minute)), refuse, "",
			"every known target had left it by " + rotation.Timestamp(ago(58*time.Minute))},
		"disable what another rotation used": {grace(disabling, used(time.Minute),
			func(s *snapshot) { s.Promotion.From = "x" }),
			disable, "disabled", ""},
		"disable the same secret":      {grace(disabling, same), refuse, "", "hold the same secret"},
		"disable the same secret, off": {grace(disabling, same, off), rest, "disabled", ""},
		"disable beside a stranger's":  {grace(disabling, stranger, untold), refuse, "", "is gone or cannot be read"},
		"disable beside the one that a person names": {grace(disabling, stranger, untold, named), disable,
			"disabled", ""},

		"enable":                      {grace(enabling, off), enable, "enabled", ""},
		"enable what is on":           {grace(enabling), rest, "enabled", ""},
		"enable what is gone":         {grace(enabling, gone), rest, "absent", ""},
		"enable where that cannot be": {grace(enabling, shifting), rest, "unsupported", ""},
		"enable what is overwritten": {grace(enabling, off, func(s *snapshot) { s.Capable = place }), enable,
			"enabled", ""},
		"enable whatever AWSCURRENT is": {grace(enabling, off, stranger, untold), enable, "enabled", ""},

		"delete":             {grace(deleting), remove, "deleted", ""},
		"delete what is off": {grace(deleting, off), remove, "deleted", ""},
		// it was looked at before it was off
		"delete what is used":                      {grace(deleting, used(time.Minute)), remove, "deleted", ""},
		"delete what is not listed":                {grace(deleting, gone), rest, "absent", ""},
		"delete what the journal does not know":    {grace(deleting, unknown), rest, "absent", ""},
		"delete what was asked for and never made": {grace(deleting, asked, gone), rest, "absent", ""},
		"delete what the token endpoint refuses":   {grace(deleting, shifting, gone), remove, "absent", ""},
		"the same, of a stranger": {grace(deleting, shifting, gone, stranger, untold), remove,
			"absent", ""},
		"delete where no id is known":        {grace(deleting, shifting, unknown), rest, "absent", ""},
		"delete the same secret":             {grace(deleting, same), refuse, "", "hold the same secret"},
		"the same text at two registrations": {grace(deleting, same, otherClient), remove, "deleted", ""},
		"delete beside a stranger's":         {grace(deleting, stranger), remove, "deleted", ""},
		"delete the only one": {grace(deleting, stranger, alone), refuse, "",
			"lists no active secret but that of version old"},
		"delete the only one, named": {grace(deleting, stranger, alone, named), refuse, "",
			"lists no active secret but"},
		"delete, and the texts do not tell": {grace(deleting, stranger, untold), refuse, "",
			"cannot be told; nothing is retired"},
		"the same, and a person names the other": {grace(deleting, stranger, untold, named), remove, "deleted", ""},
		"the same, and it is off":                {grace(deleting, stranger, untold, off), remove, "deleted", ""},

		"a pair's":            {grace(deleting, pair), remove, "deleted", ""},
		"a pair's is missing": {grace(deleting, pair, gone), miss, "", ""},
		"a pair's is missing for less": {grace(deleting, pair, gone, sinceMissed(59*time.Second)), refuse, "",
			"it is asked again until that is 1m0s ago"},
		"a pair's is missing for a minute": {grace(deleting, pair, gone, sinceMissed(time.Minute)), remove,
			"absent", ""},
		"a pair's may be missing": {grace(deleting, pair, asked, gone), miss, "", ""},
		"a pair's is back":        {grace(deleting, pair, sinceMissed(time.Second)), remove, "deleted", ""},
		"a pair's was removed": {grace(deleting, pair, gone,
			func(s *snapshot) { s.Goes, s.ID = journal.Entry{State: journal.Removed, Asked: now}, "" }),
			rest, "absent", ""},

		"nothing that is known": {grace("shred"), refuse, "", `"shred" is not one of disable, enable, delete`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next, result, why := decide(c.snapshot)
			if next != c.next || result != c.result || (why != nil) != (c.says != "") || why != nil &&
				!strings.Contains(why.Error(), c.says) {
				t.Errorf("decided %s %q (%v), want %s %q with %q", next, result, why, c.next, c.result, c.says)
			}
		})
	}
}

func TestWhatIsNotAllowed(t *testing.T) {
	t.Parallel()
	of := func(change func(*snapshot)) snapshot { return grace(rotation.RetireDelete, change) }
	for name, c := range map[string]struct {
		snapshot
		kind failure.Kind
		says string
	}{
		"nothing speaks against it": {of(func(*snapshot) {}), "", ""},
		"no version": {of(func(s *snapshot) { s.Version = "" }), failure.InvalidInput,
			"must be given and differ"},
		"without one that stays": {of(func(s *snapshot) { s.Keep = "" }), failure.InvalidInput,
			"must be given and differ"},
		"one and the same": {of(func(s *snapshot) { s.Version = s.Keep }), failure.InvalidInput,
			"must be given and differ"},
		"two versions of one secret": {of(func(s *snapshot) { s.Goes.IdPSecretID = "id-new" }),
			failure.Precondition, "share the secret id-new"},
		"nobody knows either": {of(func(s *snapshot) {
			s.Goes, s.Stays = journal.Entry{},
				journal.Entry{}
		}), "", ""},
		"targets searched for long ago": {of(func(s *snapshot) { s.Searched = ago(searchLasts + time.Minute) }),
			failure.Outdated, "12h1m0s ago"},
		"targets searched for not so long": {of(func(s *snapshot) { s.Searched = ago(searchLasts) }), "", ""},
		"the secret that is current": {of(func(s *snapshot) { s.Stands, s.Current = "old", "old" }),
			failure.Precondition, "AWSCURRENT is on version old"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := allow(c.snapshot)
			if err == nil {
				err = mustStay(c.snapshot)
			}
			if c.kind == "" && err != nil || c.kind != "" && (!failure.Is(err, c.kind) ||
				!strings.Contains(err.Error(), c.says)) {
				t.Errorf("got %v (%s), want %s with %q", err, failure.KindOf(err), c.kind, c.says)
			}
		})
	}
}

func TestWhatWasOverwrittenInUse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		idp.Capabilities
		made journal.Entry
		want time.Time
	}{
		"the only secret":        {place, journal.Entry{State: journal.Live, At: now}, now},
		"perhaps":                {place, journal.Entry{State: journal.Intended, Asked: now, At: now}, now},
		"it was never asked for": {place, journal.Entry{State: journal.Intended, At: now}, time.Time{}},
		"it was there before": {place, journal.Entry{State: journal.Live, Imported: true, At: now},
			time.Time{}},
		"where there is room for two":    {shift, journal.Entry{State: journal.Live, At: now}, time.Time{}},
		"where the journal knows no one": {place, journal.Entry{}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := overwritten(c.Capabilities, c.made); !got.Equal(c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
