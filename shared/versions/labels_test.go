package versions_test

import (
	"context"
	"maps"
	"testing"
	"time"

	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/versions"
)

type labels = map[string]string

func promote(s *versions.Store) error {
	l, err := s.Labels(context.Background())
	if err != nil {
		return err
	}
	return s.Promote(context.Background(), l, "a", b)
}

func restore(s *versions.Store, before string) error {
	l, err := s.Labels(context.Background())
	if err != nil {
		return err
	}
	return s.Restore(context.Background(), l, "a", b, before)
}

func TestPromoteReachesTheSameLabelsFromEveryStateItCanFind(t *testing.T) {
	t.Parallel()
	want := labels{"AWSCURRENT": b, "AWSPREVIOUS": "a"}
	for name, found := range map[string]labels{
		"before it":                          {"AWSCURRENT": "a", "AWSPENDING": b, "AWSPREVIOUS": "z"},
		"before it, without a previous one":  {"AWSCURRENT": "a", "AWSPENDING": b},
		"interrupted before AWSPENDING left": {"AWSCURRENT": b, "AWSPENDING": b, "AWSPREVIOUS": "a"},
		"done":                               {"AWSCURRENT": b, "AWSPREVIOUS": "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newStored(t, found)
			if err := promote(f.store("")); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(f.labels(), want) {
				t.Fatalf("labels %v, want %v", f.labels(), want)
			}
		})
	}
}

func TestPromoteLeavesAnothersLabelsAlone(t *testing.T) {
	t.Parallel()
	f := newStored(t, labels{"AWSCURRENT": "x", "AWSPENDING": b, "AWSPREVIOUS": "a"})
	wantKind(t, promote(f.store("")), failure.Precondition)
	if len(f.moves) != 0 {
		t.Fatalf("moved %v", f.moves)
	}
	f = newStored(t, labels{"AWSCURRENT": "a", "AWSPENDING": "x", "AWSPREVIOUS": "z"})
	f.has(b, "secret of b")
	if err := promote(f.store("")); err != nil {
		t.Fatal(err)
	}
	if f.labels()["AWSPENDING"] != "x" {
		t.Fatalf("labels %v: AWSPENDING of another version was touched", f.labels())
	}
}

func TestPromoteLosesARaceInsteadOfOverwriting(t *testing.T) {
	t.Parallel()
	f := newStored(t, labels{"AWSCURRENT": "a", "AWSPENDING": b})
	f.late(100*time.Millisecond, func() { f.has("x", "of another", "AWSCURRENT") })
	wantKind(t, promote(f.store("")), failure.Precondition)
	if f.labels()["AWSCURRENT"] != "x" {
		t.Fatalf("labels %v", f.labels())
	}
}

func TestARepeatByTheSDKOfAMoveThatTookEffectIsSuccess(t *testing.T) {
	t.Parallel()
	f := newStored(t, labels{"AWSCURRENT": "a", "AWSPENDING": b})
	f.lose("UpdateSecretVersionStage", 2)
	if err := promote(f.store("")); err != nil {
		t.Fatal(err)
	}
	if want := (labels{"AWSCURRENT": b, "AWSPREVIOUS": "a"}); !maps.Equal(f.labels(), want) {
		t.Fatalf("labels %v, want %v", f.labels(), want)
	}
}

func TestAMoveIsRecognisedEvenIfTheFirstReadsAreOld(t *testing.T) {
	t.Parallel()
	f := newStored(t, labels{"AWSCURRENT": "a", "AWSPENDING": b})
	f.late(time.Second, func() {
		f.change(smtest.Label("AWSCURRENT", b), smtest.Label("AWSPREVIOUS", "a"), smtest.Label("AWSPENDING", ""))
	})
	if err := promote(f.store("")); err != nil {
		t.Fatal(err)
	}
	if f.slept == 0 {
		t.Error("read again without a pause")
	}
}

func TestTwoVersionsAreNeeded(t *testing.T) {
	t.Parallel()
	f := newStored(t, labels{"AWSCURRENT": "a"})
	for _, c := range [][2]string{{"", "a"}, {"a", ""}, {"a", "a"}} {
		wantKind(t, f.store("").Promote(context.Background(), versions.Labels{}, c[0], c[1]), failure.Internal)
		wantKind(t, f.store("").Restore(context.Background(), versions.Labels{}, c[0], c[1], ""), failure.Internal)
	}
}

func TestRestoreUndoesEveryStateOfAPromotion(t *testing.T) {
	t.Parallel()
	z := labels{"AWSCURRENT": "a", "AWSPREVIOUS": "z"}
	none := labels{"AWSCURRENT": "a"}
	cases := map[string]struct {
		found  labels
		before string
		gone   bool // the version that was AWSPREVIOUS has been deleted
		want   labels
	}{
		"nothing promoted":             {labels{"AWSCURRENT": "a", "AWSPENDING": b, "AWSPREVIOUS": "z"}, "z", false, z},
		"nothing even stored":          {labels{"AWSCURRENT": "a", "AWSPREVIOUS": "z"}, "z", false, z},
		"promoted, still pending":      {labels{"AWSCURRENT": b, "AWSPENDING": b, "AWSPREVIOUS": "a"}, "z", false, z},
		"promoted":                     {labels{"AWSCURRENT": b, "AWSPREVIOUS": "a"}, "z", false, z},
		"promoted, without a previous": {labels{"AWSCURRENT": b, "AWSPREVIOUS": "a"}, "", false, none},
		"promoted, previous deleted":   {labels{"AWSCURRENT": b, "AWSPREVIOUS": "a"}, "z", true, none},
		"the caller read the labels too late, previous is from": {
			labels{"AWSCURRENT": b, "AWSPREVIOUS": "a"}, "a", false, none},
		"interrupted after AWSCURRENT": {
			labels{"AWSCURRENT": "a", "AWSPENDING": b, "AWSPREVIOUS": b}, "z", false, z},
		"interrupted after AWSPREVIOUS": {
			labels{"AWSCURRENT": "a", "AWSPENDING": b, "AWSPREVIOUS": "z"}, "z", false, z},
		"interrupted after AWSPREVIOUS was removed": {
			labels{"AWSCURRENT": "a", "AWSPENDING": b}, "", false, none},
		"promoted, AWSPREVIOUS already back": {
			labels{"AWSCURRENT": b, "AWSPREVIOUS": "z"}, "z", false, z},
		"AWSPREVIOUS is on from, promoted by hand": {
			labels{"AWSCURRENT": "a", "AWSPREVIOUS": "a"}, "z", false, labels{"AWSCURRENT": "a", "AWSPREVIOUS": "a"}},
		"AWSPENDING of another": {
			labels{"AWSCURRENT": b, "AWSPENDING": "x", "AWSPREVIOUS": "a"}, "z", false,
			labels{"AWSCURRENT": "a", "AWSPENDING": "x", "AWSPREVIOUS": "z"}},
		"AWSPREVIOUS of another while nothing was promoted": {
			labels{"AWSCURRENT": "a", "AWSPENDING": b, "AWSPREVIOUS": "x"}, "z", false,
			labels{"AWSCURRENT": "a", "AWSPREVIOUS": "x"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newStored(t, c.found)
			for _, id := range []string{"a", b, "z"} {
				f.has(id, "secret of "+short(id))
			}
			if c.gone {
				f.change(smtest.Drop("z"))
			}
			for range 2 {
				if err := restore(f.store(""), c.before); err != nil {
					t.Fatal(err)
				}
				if !maps.Equal(f.labels(), c.want) {
					t.Fatalf("labels %v, want %v", f.labels(), c.want)
				}
			}
		})
	}
}

func TestRestoreConvergesFromAFaultAtEveryMove(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(f *stored){
		"throttled":      func(f *stored) { f.refuse("UpdateSecretVersionStage", 400, "ThrottlingException") },
		"reply lost":     func(f *stored) { f.lose("UpdateSecretVersionStage", 1) },
		"SDK's repeat":   func(f *stored) { f.lose("UpdateSecretVersionStage", 2) },
		"read throttled": func(f *stored) { f.refuse("DescribeSecret", 400, "ThrottlingException") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newStored(t, labels{"AWSCURRENT": b, "AWSPENDING": b, "AWSPREVIOUS": "a"})
			f.has("z", "secret of z")
			err := error(nil)
			for try := range 5 {
				if try < 4 {
					fault(f)
				}
				if err = restore(f.store(""), "z"); err == nil {
					break
				}
				if !failure.KindOf(err).Transient() {
					t.Fatalf("try %d: %v", try, err)
				}
				if p, c := f.labels()["AWSPENDING"], f.labels()["AWSCURRENT"]; p == "" && c != "a" {
					t.Fatalf("labels %v: AWSPENDING left before AWSCURRENT was back", f.labels())
				}
			}
			if want := (labels{"AWSCURRENT": "a", "AWSPREVIOUS": "z"}); err != nil || !maps.Equal(f.labels(), want) {
				t.Fatalf("labels %v (%v), want %v", f.labels(), err, want)
			}
		})
	}
}

// Labels that did not move must not look moved: a rollback would remove the secret in use.
func TestACallOfAMoveThatFailsIsTold(t *testing.T) {
	t.Parallel()
	promoted := labels{"AWSCURRENT": b, "AWSPENDING": b, "AWSPREVIOUS": "a"}
	restore := func(before string) func(*versions.Store) error {
		return func(s *versions.Store) error { return restore(s, before) }
	}
	for name, c := range map[string]struct {
		found labels
		do    func(*versions.Store) error
	}{
		"promote":                    {labels{"AWSCURRENT": "a", "AWSPENDING": b, "AWSPREVIOUS": "z"}, promote},
		"restore":                    {promoted, restore("z")},
		"restore, none was previous": {promoted, restore("")},
		"drop": {promoted, func(s *versions.Store) error {
			return s.DropPending(context.Background(), versions.Labels{Pending: b}, b)
		}},
	} {
		calls := 0
		for n := 0; n <= calls; n++ {
			f := newStored(t, c.found)
			f.has("z", "secret of z")
			seen := 0
			f.faults.Observe(func(_, _, _ string) { seen++ })
			if n > 0 {
				f.once(fault.Rule{Operation: "*", Skip: n - 1, Mode: fault.Refuse, Status: 400,
					Code: "AccessDeniedException"})
			}
			switch err := c.do(f.store("")); {
			case n == 0 && err == nil:
				calls = seen
			case n == 0 || !failure.Is(err, failure.AccessDenied):
				t.Errorf("%s: call %d of %d was refused, and it ends with %v: nobody knows where the labels are",
					name, n,
					calls, err)
			}
		}
	}
}

func TestRestoreTakesAwsPendingLast(t *testing.T) {
	t.Parallel()
	f := newStored(t, labels{"AWSCURRENT": b, "AWSPENDING": b, "AWSPREVIOUS": "a"})
	f.has("z", "secret of z")
	if err := restore(f.store(""), "z"); err != nil {
		t.Fatal(err)
	}
	want := []string{"AWSCURRENT b>a", "AWSPREVIOUS b>z", "AWSPENDING b>"}
	for i := range want {
		if len(f.moves) != len(want) || f.moves[i] != want[i] {
			t.Fatalf("moves %v, want %v", f.moves, want)
		}
	}
}

func TestRestoreLeavesAnothersLabelsAlone(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]labels{
		"AWSCURRENT is elsewhere":                            {"AWSCURRENT": "x", "AWSPENDING": b, "AWSPREVIOUS": "a"},
		"AWSCURRENT is nowhere":                              {"AWSPENDING": b, "AWSPREVIOUS": "a"},
		"moving AWSCURRENT would take another's AWSPREVIOUS": {"AWSCURRENT": b, "AWSPREVIOUS": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newStored(t, found)
			wantKind(t, restore(f.store(""), "z"), failure.Precondition)
			if len(f.moves) != 0 {
				t.Fatalf("moved %v", f.moves)
			}
		})
	}
}

func TestDropPendingTouchesOnlyTheGivenVersion(t *testing.T) {
	t.Parallel()
	f := newStored(t, labels{"AWSCURRENT": "a", "AWSPENDING": b})
	for _, id := range []string{"x", "", b, b} {
		now := versions.Labels{Current: f.labels()["AWSCURRENT"], Pending: f.labels()["AWSPENDING"]}
		if err := f.store("").DropPending(t.Context(), now, id); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.moves) != 1 || f.moves[0] != "AWSPENDING b>" {
		t.Fatalf("moves %v", f.moves)
	}
}

func TestDropPendingIsSatisfiedIfTheLabelHasJustMovedOn(t *testing.T) {
	t.Parallel()
	f := newStored(t, labels{"AWSCURRENT": "a", "AWSPENDING": "x"})
	if err := f.store("").DropPending(t.Context(), versions.Labels{Current: "a", Pending: b}, b); err != nil {
		t.Fatal(err)
	}
	if f.labels()["AWSPENDING"] != "x" {
		t.Fatalf("labels %v", f.labels())
	}
}
