package rotation_test

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/versions"
)

var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// clean is a client at rest after its first rotation: version b with secret B is current, a with A is gone.
func clean() rotation.Snapshot {
	return rotation.Snapshot{
		Labels: versions.Labels{Current: "b", Previous: "a"},
		Journal: &journal.Journal{Client: "orders-web", Secrets: map[string]journal.Entry{
			"a": {State: journal.Removed, IdPSecretID: "A", At: now.Add(-48 * time.Hour)},
			"b": {State: journal.Live, IdPSecretID: "B", At: now.Add(-24 * time.Hour)},
		}},
		Listed:     []idp.Secret{{ID: "B", Status: idp.Active}},
		MaxSecrets: 2, NewVersionID: "n", GracePeriod: 24 * time.Hour, Now: now,
	}
}

func entry(id string) journal.Entry {
	return journal.Entry{State: journal.Live, IdPSecretID: id, At: now}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change   func(*rotation.Snapshot)
		action   rotation.Action
		from, to rotation.Ref
		grace    time.Duration // until GraceUntil
	}{
		"a client at rest is rotated": {func(*rotation.Snapshot) {}, rotation.Rotate,
			rotation.Ref{VersionID: "b", IdPSecretID: "B"}, rotation.Ref{VersionID: "n"}, 0},
		"AWSPENDING on the AWSCURRENT version is what AWS leaves after a promotion, and harmless": {
			func(s *rotation.Snapshot) {
				s.Labels.Pending = "b"
			}, rotation.Rotate, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, rotation.Ref{VersionID: "n"}, 0},
		"a pending version of a dead rotation is rolled back": {func(s *rotation.Snapshot) {
			s.Labels.Pending, s.Journal.Secrets["c"] = "c", entry("C")
			s.Listed = append(s.Listed, idp.Secret{ID: "C", Status: idp.Active})
		}, rotation.Rollback, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 0},
		"a pending version that the journal does not know is rolled back": {func(s *rotation.Snapshot) {
			s.Labels.Pending = "x"
		}, rotation.Rollback, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, rotation.Ref{VersionID: "x"}, 0},
		"a promoted rotation is finished after the rest of its grace period": {func(s *rotation.Snapshot) {
			promoted(s)
		}, rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 6 * time.Hour},
		"followers need longer than the rest of the grace period": {func(s *rotation.Snapshot) {
			promoted(s)
			s.Followed = now.Add(9 * time.Hour)
		}, rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 9 * time.Hour},
		"a repair that was promoted is gone on with, and never goes back": {func(s *rotation.Snapshot) {
			promoted(s)
			s.Journal.Promotion.Repair = true
		}, rotation.Repair, rotation.Ref{VersionID: "c", IdPSecretID: "C"},
			rotation.Ref{VersionID: "b", IdPSecretID: "B"}, 0},
		"a grace period that is over is not waited for again": {func(s *rotation.Snapshot) {
			promoted(s)
			s.Journal.Promotion.GraceUntil = now.Add(-time.Hour)
		}, rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 0},
		"an emergency ends the grace period of an unfinished rotation at once": {func(s *rotation.Snapshot) {
			promoted(s)
			s.Shorten = new(time.Duration)
		}, rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 0},
		"a longer grace period than is left is not given": {func(s *rotation.Snapshot) {
			promoted(s)
			hours := 12 * time.Hour
			s.Shorten = &hours
		}, rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 6 * time.Hour},
		"the grace period of another promotion is not waited for": {func(s *rotation.Snapshot) {
			promoted(s)
			s.Journal.Promotion.From, s.Journal.Promotion.To = "x", "y"
		}, rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 0},
		"AWSPREVIOUS on the AWSCURRENT version is no old secret to end": {func(s *rotation.Snapshot) {
			s.Labels.Previous = "b"
		}, rotation.Rotate, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, rotation.Ref{VersionID: "n"}, 0},
		"a promotion that died before its grace period was written gets a whole one": {func(s *rotation.Snapshot) {
			promoted(s)
			s.Journal.Promotion.GraceUntil = time.Time{}
		}, rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 24 * time.Hour},
		"a rollback that died after it moved AWSCURRENT back is completed": {func(s *rotation.Snapshot) {
			promoted(s) // b → c, then AWSCURRENT went back to b, which moved AWSPREVIOUS to c
			s.Labels = versions.Labels{Current: "b", Previous: "c"}
		}, rotation.Rollback, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 0},
		"a rollback that died after it put the old secret back at the provider is completed": {
			func(s *rotation.Snapshot) {
				promoted(s)
				s.Listed = []idp.Secret{{ID: "B", Status: idp.Active}, {ID: "C", Status: idp.Disabled}}
			}, rotation.Rollback, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 0},
		"a disabled old secret is finished": {func(s *rotation.Snapshot) {
			promoted(s)
			s.Listed = []idp.Secret{{ID: "B", Status: idp.Disabled}, {ID: "C", Status: idp.Active}}
		}, rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 6 * time.Hour},
		"a secret that is neither current nor previous is rolled back": {func(s *rotation.Snapshot) {
			s.Journal.Secrets["c"] = entry("C")
			s.Listed = append(s.Listed, idp.Secret{ID: "C", Status: idp.Disabled})
		}, rotation.Rollback, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "c", IdPSecretID: "C"}, 0},
		"a removal that was not written down is closed": {func(s *rotation.Snapshot) {
			promoted(s)
			s.Listed = []idp.Secret{{ID: "C", Status: idp.Active}}
		}, rotation.Rollback, rotation.Ref{VersionID: "c", IdPSecretID: "C"},
			rotation.Ref{VersionID: "b", IdPSecretID: "B"}, 0},
		"an intent of which nothing else is known is rolled back": {func(s *rotation.Snapshot) {
			s.Journal.Secrets["c"] = journal.Entry{State: journal.Intended, Before: []string{"B"}, At: now}
		}, rotation.Rollback, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, rotation.Ref{VersionID: "c"}, 0},
		"pending comes before previous": {func(s *rotation.Snapshot) {
			promoted(s)
			s.Labels.Pending, s.Journal.Secrets["d"] = "d", entry("D")
		}, rotation.Rollback, rotation.Ref{VersionID: "c", IdPSecretID: "C"},
			rotation.Ref{VersionID: "d", IdPSecretID: "D"}, 0},
		"a secret that the provider could not remove is no leftover, and gives its place": {func(s *rotation.Snapshot) {
			s.Journal.Secrets["c"] = journal.Entry{State: journal.Kept, IdPSecretID: "C", At: now}
			s.Listed = append(s.Listed, idp.Secret{ID: "C", Status: idp.Active})
		}, rotation.Rotate, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, rotation.Ref{VersionID: "n"}, 0},
		"a version that a person stored is rotated to": {func(s *rotation.Snapshot) {
			s.ByHand, s.Labels.Pending = true, "p"
		}, rotation.Rotate, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, rotation.Ref{VersionID: "p"}, 0},
		"a person's version of a dead rotation is rolled back": {func(s *rotation.Snapshot) {
			s.ByHand, s.Labels.Pending, s.Journal.Secrets["p"] = true, "p", entry("p")
		}, rotation.Rollback, rotation.Ref{VersionID: "b", IdPSecretID: "B"},
			rotation.Ref{VersionID: "p", IdPSecretID: "p"}, 0},
		"the registration of a pair goes with the version": {func(s *rotation.Snapshot) {
			e := entry("B")
			e.ClientID = "client-second"
			s.Journal.Secrets["b"] = e
		}, rotation.Rotate, rotation.Ref{VersionID: "b", IdPSecretID: "B", ClientID: "client-second"},
			rotation.Ref{VersionID: "n"}, 0},
		"of several leftovers the oldest comes first": {func(s *rotation.Snapshot) {
			s.Journal.Secrets["d"] = journal.Entry{State: journal.Intended, At: now}
			s.Journal.Secrets["e"] = journal.Entry{State: journal.Intended, At: now.Add(-time.Hour)}
		}, rotation.Rollback, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, rotation.Ref{VersionID: "e"}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clean()
			test.change(&s)
			d := rotation.Decide(s)
			if len(d.Refusals) > 0 {
				t.Fatalf("refused: %v", d.Refusals)
			}
			if d.Action != test.action || d.From != test.from || d.To != test.to {
				t.Errorf("decided %s from %+v to %+v", d.Action, d.From, d.To)
			}
			if got := d.GraceUntil.Sub(now); got != test.grace {
				t.Errorf("grace until %s from now, want %s", got, test.grace)
			}
		})
	}
}

// promoted makes the snapshot one of a rotation from b to c that is in its grace period.
func promoted(s *rotation.Snapshot) {
	s.Labels = versions.Labels{Current: "c", Previous: "b"}
	s.Journal.Secrets["c"] = entry("C")
	s.Journal.Promotion = &journal.Promotion{From: "b", To: "c", PreviousBefore: "a", At: now.Add(-18 * time.Hour),
		GraceUntil: now.Add(6 * time.Hour)}
	s.Listed = append(s.Listed, idp.Secret{ID: "C", Status: idp.Active})
}

func TestWhatIsMissedLeastMakesRoomFirst(t *testing.T) {
	t.Parallel()
	s := clean()
	s.Labels = versions.Labels{Current: "b", Pending: "c", Previous: "d"}
	for version, age := range map[string]int{"b": 9, "c": 8, "d": 7, "e": 1, "f": 2} {
		s.Journal.Secrets[version] = journal.Entry{State: journal.Live, IdPSecretID: strings.ToUpper(version),
			At: now.Add(-time.Duration(age) * time.Hour)}
	}
	s.Journal.Secrets["again"] = journal.Entry{State: journal.Live, IdPSecretID: "B", At: now.Add(-99 * time.Hour)}
	s.Listed = nil
	for _, id := range []string{"B", "C", "stranger", "D", "E", "F"} {
		s.Listed = append(s.Listed, idp.Secret{ID: id, Status: idp.Disabled})
	}
	s.Listed = append(s.Listed, idp.Secret{ID: "A", Status: idp.Active})
	if got := strings.Join(s.DeadOfOurs(), " "); got != "F E D C B" {
		t.Errorf("they go in the order %s", got)
	}
}

// Where a new secret pushes out the previous one, ours are no reason against a repair if the provider says that all
// have ended. That they are refused does not count: it may be ill.
func TestARepairHasTheRoomOfOurOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		strangers      int
		current, other time.Duration // until they end; 0 if they do not
		refused        bool
	}{{0, -time.Second, -time.Second, false}, {1, -time.Second, -time.Second, false},
		{2, -time.Second, -time.Second, true}, {0, time.Hour, time.Hour, true}, {0, 0, 0, true},
		{0, -time.Second, time.Hour, true}, {0, -time.Second, 0, true}} {
		s := clean()
		s.Ended, s.ByVersion, s.MaxSecrets = true, true, 2
		s.Labels = versions.Labels{Current: "b", Previous: "a"}
		s.Journal.Secrets = map[string]journal.Entry{"a": {State: journal.Live, IdPSecretID: "a"},
			"b": {State: journal.Live, IdPSecretID: "b"}}
		s.Listed = []idp.Secret{{ID: "a", Status: idp.Active}, {ID: "b", Status: idp.Active}}
		for n, ends := range []time.Duration{c.other, c.current} {
			if ends != 0 {
				s.Listed[n].Until = s.Now.Add(ends)
			}
		}
		for n := range c.strangers {
			s.Listed[n].ID = "somebody's"
		}
		if d := rotation.Decide(s); len(d.Refusals) > 0 != c.refused {
			t.Errorf("%d of somebody else, they end after %s and %s: %v", c.strangers, c.current, c.other, d.Refusals)
		}
	}
}

// A request that got no answer may have taken the last place.
func TestARepairWithoutRoomTakesWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*rotation.Snapshot)
		to     string // "" is refused
	}{
		"asked for twice": {func(s *rotation.Snapshot) {
			s.Journal.Secrets["d"] = journal.Entry{State: journal.Intended, At: now, Asked: now.Add(-2 * time.Hour)}
		}, "c"},
		"with AWSCURRENT": {func(s *rotation.Snapshot) {
			s.Journal.Secrets["b"] = journal.Entry{State: journal.Live, At: s.Journal.Secrets["c"].At}
		}, "c"},
		"before AWSCURRENT was": {func(s *rotation.Snapshot) { s.Journal.Secrets["b"] = entry("B") }, ""},
		"there is room":         {func(s *rotation.Snapshot) { s.Listed = s.Listed[:1] }, "n"},
		"secrets have ids":      {func(s *rotation.Snapshot) { s.ByVersion = false }, ""},
		"AWSCURRENT is new":     {func(s *rotation.Snapshot) { s.Labels.Current = "x" }, ""},
		"never asked for": {func(s *rotation.Snapshot) {
			s.Journal.Secrets["c"] = journal.Entry{State: journal.Intended, At: now}
		}, ""},
		"removed since": {func(s *rotation.Snapshot) {
			s.Journal.Secrets["c"] = journal.Entry{State: journal.Removed, At: now, Asked: now}
		}, ""},
	} {
		s := clean()
		s.Ended, s.ByVersion = true, true
		s.Journal.Secrets["c"] = journal.Entry{State: journal.Intended, At: now.Add(-time.Hour),
			Asked: now.Add(-time.Hour)}
		s.Listed = []idp.Secret{{ID: "somebody's", Status: idp.Active}, {ID: "another", Status: idp.Active}}
		c.change(&s)
		d := rotation.Decide(s)
		if d.Action != rotation.Repair || len(d.Refusals) > 0 != (c.to == "") || c.to != "" && d.To.VersionID != c.to {
			t.Errorf("%s: decided %+v", name, d)
		}
	}
}

func TestDecideRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*rotation.Snapshot)
		want   string
	}{
		"a secret without a value": {func(s *rotation.Snapshot) { s.Labels = versions.Labels{} }, "no AWSCURRENT"},
		"a client whose slots are full": {func(s *rotation.Snapshot) {
			s.Listed = append(s.Listed, idp.Secret{ID: "foreign", Status: idp.Disabled})
		}, "no room for a new one: remove the unused one there (listed: B (active), foreign (disabled); in use: B)"},
		// Who removed the "unused" one would break logins: the targets still have it.
		"a secret stored by hand that no target may have": {func(s *rotation.Snapshot) {
			s.Journal.Secrets, s.CurrentSecretID = map[string]journal.Entry{}, "B"
			s.Listed = append(s.Listed, idp.Secret{ID: "foreign", Status: idp.Active})
		}, "no room for a new one: set AWSCURRENT on every listener and rule first"},
		"a first rotation that cannot tell which secret is in use": {func(s *rotation.Snapshot) {
			s.Journal.Secrets, s.MaxSecrets = map[string]journal.Entry{}, 0
			s.Listed = append(s.Listed, idp.Secret{ID: "other", Status: idp.Active})
		}, "name it in identityProvider.currentSecretId"},
		"a hint that the provider does not list": {func(s *rotation.Snapshot) {
			s.Journal.Secrets, s.CurrentSecretID = map[string]journal.Entry{}, "Z"
		}, "does not list Z"},
		"a client of a person who has stored nothing": {func(s *rotation.Snapshot) {
			s.ByHand, s.SecretARN, s.Labels.Pending = true, "arn:aws:secretsmanager:x", "b"
		}, "aws secretsmanager put-secret-value --secret-id arn:aws:secretsmanager:x --version-stages AWSPENDING"},
		"a current secret that the provider no longer lists": {func(s *rotation.Snapshot) { s.Listed = nil },
			"does not list secret B"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clean()
			test.change(&s)
			d := rotation.Decide(s)
			if !strings.Contains(strings.Join(d.Refusals, "; "), test.want) {
				t.Errorf("refusals: %v, want %q", d.Refusals, test.want)
			}
		})
	}
}

func TestDecideImportsTheOnlyActiveSecretOnTheFirstRotation(t *testing.T) {
	t.Parallel()
	s := clean()
	s.Journal.Secrets = map[string]journal.Entry{}
	d := rotation.Decide(s)
	if d.Action != rotation.Rotate || !d.Import || d.From.IdPSecretID != "B" || len(d.Refusals) > 0 {
		t.Errorf("decided %+v", d)
	}
}

// Where the provider's secrets have no ids, it lists the version itself.
func TestDecideImportsTheVersionWhereSecretsHaveNoIDs(t *testing.T) {
	t.Parallel()
	s := clean()
	s.Journal.Secrets = map[string]journal.Entry{}
	s.Listed = []idp.Secret{{ID: "b", Status: idp.Active}, {ID: "somebody's", Status: idp.Active}}
	s.MaxSecrets = 0
	d := rotation.Decide(s)
	if d.Action != rotation.Rotate || !d.Import || d.From != (rotation.Ref{VersionID: "b", IdPSecretID: "b"}) ||
		len(d.Refusals) > 0 {
		t.Errorf("decided %+v", d)
	}
}

func TestDecideNeverLengthensTheGracePeriod(t *testing.T) {
	t.Parallel()
	s := clean()
	week := 7 * 24 * time.Hour
	s.Shorten = &week
	if d := rotation.Decide(s); d.Grace != s.GracePeriod {
		t.Errorf("grace period %s", d.Grace)
	}
	*s.Shorten, s.Followers = time.Minute, time.Hour
	if d := rotation.Decide(s); d.Grace != s.Followers {
		t.Errorf("followers need %s, the grace period is %s", s.Followers, d.Grace)
	}
}

func TestRequestNamesTheFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		`{}`: "client: is missing",
		`{"client":"a","grace":1}`: "grace: is not known; allowed here: client, " +
			"dryRun, emergency, fleet, gracePeriodSeconds, measure, reason",
		`{"client":"a","fleet":"all"}`: "fleet: must be the ARN of a fleet's execution",
		`{"client":"a","fleet":"arn:aws:states:eu-central-1:111122223333:execution:f-fleet:a b"}`: "fleet: must be the ARN",
		`{"client":7}`:                                "client: must be a string",
		`{"client":"a","dryRun":"yes"}`:               "dryRun: must be true or false",
		`{"client":"a","gracePeriodSeconds":-1}`:      "gracePeriodSeconds: must be 0",
		`{"client":"a","measure":"yes"}`:              "measure: must be true or false",
		`{"client":"a","measure":true,"dryRun":true}`: "measure: cannot be given with dryRun",
		`{"client":"a","measure":true,"gracePeriodSeconds":0}`: "measure: cannot be given with dryRun or " +
			"gracePeriodSeconds",
		`{"client":"a","gracePeriodSeconds":31536001}`: "gracePeriodSeconds: must be 0 or more, at most " +
			"31536000",
		`{"client":"a","emergency":true,"dryRun":true}`:  "emergency: cannot be given with dryRun",
		`{"client":"a","emergency":true,"measure":true}`: "emergency: cannot be given with dryRun",
		`{"client":"a","emergency":true,"gracePeriodSeconds":0}`: "emergency: cannot be given with dryRun, measure " +
			"or gracePeriodSeconds",
	} {
		_, err := rotation.ParseRequest([]byte(input))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", input, err, want)
		}
	}
}
