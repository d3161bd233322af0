package rotation_test

import (
	"strings"
	"testing"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/versions"
)

// unknown makes AWSCURRENT a version that the journal does not know; it knows b, with secret B.
func unknown(s *rotation.Snapshot, listed ...string) {
	s.Labels = versions.Labels{Current: "x", Previous: "b"}
	s.MaxSecrets, s.Listed = 0, nil
	for _, id := range listed {
		s.Listed = append(s.Listed, idp.Secret{ID: id, Status: idp.Active})
	}
}

func TestWhichSecretAWSCURRENTIsIsDecidedBeforeAnythingGoes(t *testing.T) {
	t.Parallel()
	cannotTell := "so it is unknown whether AWSCURRENT (version x, which the journal does not know) is its secret B " +
		"or another one"
	for name, c := range map[string]struct {
		change  func(*rotation.Snapshot)
		action  rotation.Action
		from    rotation.Ref
		imports bool
		refused string
	}{
		"another text beside a secret made by hand: taken over": {func(s *rotation.Snapshot) { unknown(s, "B", "H") },
			rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, false, ""},
		"another text, long since: taken over as well": {func(s *rotation.Snapshot) {
			unknown(s, "B", "H")
			s.Labels.Previous = ""
		},
			rotation.Rollback, rotation.Ref{VersionID: "x"}, false, ""},
		"no text and one active secret: that is it": {func(s *rotation.Snapshot) {
			unknown(s, "B")
			s.Unreadable = []string{"b"}
		},
			rotation.Rotate, rotation.Ref{VersionID: "x", IdPSecretID: "B"}, true, ""},
		"no text, and the journal's secret is gone: the other": {func(s *rotation.Snapshot) {
			unknown(s, "H")
			s.Unreadable = []string{"b"}
		},
			rotation.Rollback, rotation.Ref{VersionID: "x"}, false, ""},
		"no text, and the journal's secret is switched off: the other": {func(s *rotation.Snapshot) {
			unknown(s, "B", "H")
			s.Listed[0].Status, s.Unreadable = idp.Disabled, []string{"b"}
		}, rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, false, ""},
		"no text and two active secrets: nobody knows": {func(s *rotation.Snapshot) {
			unknown(s, "B", "S")
			s.Unreadable = []string{"b"}
		},
			"", rotation.Ref{}, false, cannotTell},
		"the same, and it is no longer AWSPREVIOUS": {func(s *rotation.Snapshot) {
			unknown(s, "B", "S")
			s.Labels.Previous, s.Unreadable = "a", []string{"b"}
		}, "", rotation.Ref{}, false, cannotTell},
		"a person says that it is the journal's": {func(s *rotation.Snapshot) {
			unknown(s, "B", "S")
			s.Unreadable, s.CurrentSecretID = []string{"b"}, "B"
		}, rotation.Rotate, rotation.Ref{VersionID: "x", IdPSecretID: "B"}, true, ""},
		"a person says that it is another": {func(s *rotation.Snapshot) {
			unknown(s, "B", "H")
			s.Unreadable, s.CurrentSecretID = []string{"b"}, "H"
		}, rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, false, ""},
		"a hint for the first import that is of the past": {func(s *rotation.Snapshot) {
			unknown(s, "B", "S")
			s.Unreadable, s.CurrentSecretID = []string{"b"}, "A"
		}, "", rotation.Ref{}, false, cannotTell},
		"such a hint does not make another text the same": {func(s *rotation.Snapshot) {
			unknown(s, "B", "H")
			s.CurrentSecretID = "B"
		},
			rotation.Finish, rotation.Ref{VersionID: "b", IdPSecretID: "B"}, false, ""},
		"another text, but only one active secret": {func(s *rotation.Snapshot) { unknown(s, "B") },
			"", rotation.Ref{}, false, "lists one active secret, B, which the journal holds for version b, but " +
				"AWSCURRENT (version x) holds another text"},
		"and a person says that it is that one": {func(s *rotation.Snapshot) {
			unknown(s, "B")
			s.CurrentSecretID = "B"
		},
			rotation.Rotate, rotation.Ref{VersionID: "x", IdPSecretID: "B"}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clean()
			c.change(&s)
			d := rotation.Decide(s)
			refusals := strings.Join(d.Refusals, "; ")
			if c.refused != "" {
				if !strings.Contains(refusals, c.refused) || !strings.Contains(refusals,
					"in identityProvider.currentSecretId (B, or another)") {
					t.Errorf("refused: %s", refusals)
				}
				return
			}
			if refusals != "" || d.Action != c.action || d.From != c.from || d.Import != c.imports {
				t.Errorf("decided %+v", d)
			}
			if e := s.Journal.Secrets["b"]; e.State != journal.Live { // nothing was changed
				t.Errorf("the journal became %+v", s.Journal)
			}
		})
	}
}
