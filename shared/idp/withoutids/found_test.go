package withoutids_test

import (
	"context"
	"testing"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

// What a request without an answer may have made must be found, or it stays; and nothing else, or that is removed.
func TestOnlyWhatARequestMayHaveMadeIsFound(t *testing.T) {
	t.Parallel()
	asked, never := time.Unix(1, 0), time.Time{}
	shifted := func(d *desk) secret.Value { return d.Shift("a") }
	twice := func(d *desk) secret.Value { d.Shift("a"); return d.Shift("a") }
	over := func(d *desk) secret.Value { v := d.Shift("a"); d.Shift("a"); return v }
	nothing := func(*desk) secret.Value { return secret.New("a-value-that-nobody-has") }
	switched := func(d *desk) secret.Value { return d.Shift("b") }
	for name, c := range map[string]struct {
		model string
		made  func(*desk) secret.Value
		// stored: the version's value is known.
		stored bool
		asked  time.Time
		found  bool
	}{
		"stored, and the current one":            {"current and previous", shifted, true, asked, true},
		"stored, and the previous one":           {"current and previous", over, true, asked, true},
		"stored, and gone since":                 {"current and previous", nothing, true, asked, false},
		"asked for, and somebody's is current":   {"current and previous", shifted, false, asked, true},
		"never asked for":                        {"current and previous", shifted, false, never, false},
		"asked for, and nothing was made":        {"current and previous", nothing, false, asked, false},
		"asked for, and the one in use has gone": {"current and previous", twice, false, asked, false},
		"hidden, stored":                         {"the same, hidden", shifted, true, asked, true},
		"hidden, stored, and refused now":        {"the same, hidden", nothing, true, asked, true},
		"hidden, asked for":                      {"the same, hidden", shifted, false, asked, true},
		"hidden, never asked for":                {"the same, hidden", shifted, false, never, false},
		"of a pair, accepted":                    {"a pair", switched, true, asked, true},
		"of a pair, refused":                     {"a pair", nothing, true, asked, false},
		"of a pair, its value is gone":           {"a pair", switched, false, asked, false},
		"by hand, accepted":                      {"by hand", shifted, true, asked, true},
		"by hand, its value is gone":             {"by hand", shifted, false, asked, false},
	} {
		m := models[c.model]
		d := atDesk(m.options, m.clientIDs...)
		v := withoutids.Version{ID: "version-other", ClientID: m.clientIDs[len(m.clientIDs)-1]}
		if value := c.made(d); c.stored {
			v.Value = value
		}
		d.store(v)
		p := m.make(d.Slots, d.env()).(idp.Finder)
		got, err := p.FindLost(t.Context(), v.ID, c.asked)
		if err != nil || (got == v.ID) != c.found || got != "" && got != v.ID {
			t.Errorf("%s: found %q (%v), must be found: %v: else it stays for ever, or another goes", name, got, err,
				c.found)
		}
		if got, err := p.FindLost(t.Context(), "version-of-nobody", never); err != nil || got != "" {
			t.Errorf("%s: a version that is not known is found as %q (%v)", name, got, err)
		}
	}
}

func TestASecretOfSomebodyElseIsListedAsThat(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{}, "a")
	d.Shift("a")
	got, err := d.shifting().List(t.Context())
	if err != nil || len(got) != 2 || got[0].ID == "" || got[0].ID == inUse || got[1].ID != inUse {
		t.Errorf("listed are %+v (%v): a stranger's secret is taken for ours", got, err)
	}
	d = atDesk(memory.SlotOptions{}, "a")
	if got, err := d.shifting().List(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("listed are %+v (%v): an empty slot is taken for a secret", got, err)
	}
}

// What is in the current slot beside the secret in use is taken up only if it was kept, or could not be removed.
func TestOnlyWhatIsOursIsTakenUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		known, kept, adopt, beside bool
		taken                      bool
	}{
		"kept":                                  {true, true, false, true, true},
		"known, and not kept":                   {true, false, true, true, false},
		"nobody's, and it could not be removed": {false, false, true, true, true},
		"nobody's":                              {false, false, false, true, false},
		"kept, but the one in use is gone":      {true, true, true, false, false},
	} {
		d := atDesk(memory.SlotOptions{}, "a")
		made := d.Shift("a")
		if !c.beside {
			d.Shift("a")
			made = d.Shift("a")
		}
		if c.known {
			d.store(withoutids.Version{ID: "version-other", ClientID: "a", Value: made, Kept: c.kept})
		}
		before := d.live("a")
		got, err := d.shifting().Create(t.Context(), idp.CreateRequest{Tag: "version-new", Adopt: c.adopt})
		if taken := err == nil && got.Value.Equal(made); taken != c.taken || d.live("a") != before {
			t.Errorf("%s: taken up: %v (%v), must be: %v: else a stranger's secret is used, or the one in use ends",
				name,
				taken, err, c.taken)
		}
	}
}

// graced tells how long it keeps a previous secret, once as a registration and once for a shift.
type graced struct {
	idp.PreviousDropper
	registration, shift time.Duration
}

func (g graced) Review(context.Context) (idp.Review, error) {
	return idp.Review{MaxGrace: g.registration, Warnings: []string{"the same"}}, nil
}

func (g graced) ReviewShift(context.Context) (idp.Review, error) {
	return idp.Review{MaxGrace: g.shift, Warnings: []string{"the same"}}, nil
}

func TestTheShorterTimeOfTwoCounts(t *testing.T) {
	t.Parallel()
	const hour, day = time.Hour, 24 * time.Hour
	for _, c := range []struct{ registration, shift, want time.Duration }{
		{0, 0, 0}, {hour, 0, hour}, {0, hour, hour}, {hour, day, hour}, {day, hour, hour}} {
		d := atDesk(memory.SlotOptions{}, "a")
		p := withoutids.CurrentPrevious(graced{d.Registration("a").(idp.PreviousDropper), c.registration, c.shift},
			d.env())
		got, err := p.(idp.Reviewer).Review(t.Context())
		if err != nil || got.MaxGrace != c.want || len(got.Warnings) != 1 {
			t.Errorf("%s and %s: %+v (%v), must be %s: the old secret ends in the grace period", c.registration,
				c.shift, got,
				err, c.want)
		}
	}
}

// A registration that cannot be read refuses every secret: ours may be there.
func TestAPairIsRightOnlyIfBothRegistrationsAre(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{Single: true}, "a", "b")
	d.store(withoutids.Version{ID: "version-other", ClientID: "b", Value: secret.New("a-value-that-nobody-has")})
	p, requests := pair(d.Slots, d.env()), 0
	for fails := range 3 {
		requests = 0
		d.OnRequest(func() idptest.Fault {
			if requests++; requests == fails {
				return idptest.Throttle
			}
			return idptest.None
		})
		if err := p.Check(t.Context()); (err != nil) != (fails > 0) {
			t.Errorf("registration %d cannot be read, and the check says %v", fails, err)
		}
	}
	d.OnRequest(func() idptest.Fault { return idptest.Throttle })
	for _, name := range []string{"FindLost", "Remove"} {
		if err := calls[name](t.Context(), p); err == nil {
			t.Errorf("%s: a secret is taken for gone because its registration cannot be read", name)
		}
	}
}
