package invocation_test

import (
	"testing"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
)

// Only the earlier configuration names the load balancer: as long as a secret that was made under it may be there, the
// load balancer is searched.
func TestAnEarlierConfigurationCountsWhileItsSecretMayBeThere(t *testing.T) {
	t.Parallel()
	const other = "version-other"
	promotion := func(version, from, to string) func(*config.Text) journal.Journal {
		return func(c *config.Text) journal.Journal {
			j := journal.Journal{Secrets: map[string]journal.Entry{version: {State: journal.Live, Config: c}}}
			if to != "" {
				j.Promotion = &journal.Promotion{From: from, To: to}
			}
			return j
		}
	}
	in := func(state journal.State) func(*config.Text) journal.Journal {
		return func(c *config.Text) journal.Journal {
			return journal.Journal{Secrets: map[string]journal.Entry{newer: {State: state, Config: c}}}
		}
	}
	live, same := in(journal.Live), func(*config.Client) {}
	for name, c := range map[string]struct {
		journal func(*config.Text) journal.Journal
		earlier func(*config.Client)
		change  func(*fakes.World, *config.Text)
		counts  bool
		kind    failure.Kind
	}{
		"a live secret":                  {live, same, nil, true, ""},
		"an intended one":                {in(journal.Intended), same, nil, true, ""},
		"one that was removed":           {in(journal.Removed), same, nil, false, ""},
		"one that was kept":              {in(journal.Kept), same, nil, false, ""},
		"AWSCURRENT, in use for good":    {promotion(fakes.Old, "", ""), same, nil, false, ""},
		"AWSCURRENT, not for good":       {promotion(fakes.Old, other, fakes.Old), same, nil, true, ""},
		"the one in use for good before": {promotion(fakes.Old, fakes.Old, newer), same, nil, false, ""},
		"another client's":               {live, func(c *config.Client) { c.ClientID = "0oa1before" }, nil, false, ""},
		"one that is gone": {live, same, func(_ *fakes.World, c *config.Text) {
			c.SHA256 = "of another text"
		}, false, ""},
		"one that cannot be read now": {live, same, func(w *fakes.World, _ *config.Text) {
			w.Before("GetParameter", func() {})
			w.FailLater("GetParameter", failure.New(failure.Throttled, "not now"))
		}, false, failure.Throttled},
		"while the labels cannot be read": {live, same, func(w *fakes.World, _ *config.Text) {
			w.Fail("DescribeSecret", failure.New(failure.Throttled, "not now"))
		}, false, failure.Throttled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t, memory.Options{})
			w.Secrets.Add(newer, value)
			now := w.Client
			c.earlier(&w.Client)
			w.Params.Put(w.Client)
			text := w.Params.Reference(fakes.Other).Text
			now.LoadBalancers = nil
			now.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"team": "orders"},
				Regions: []string{"eu-central-1"}}
			w.Client = now
			if c.change != nil {
				c.change(w, &text)
			}
			w.Journal.Set(c.journal(&text))
			d := w.Deps()
			d.Registrations = nil // as it is deployed
			s, err := d.Open(t.Context(), w.Common())
			if err != nil {
				t.Fatal(err)
			}
			found, err := s.Targets(t.Context(), nil, false)
			if c.kind != "" {
				fakes.Failed(t, err, c.kind, "not now")
				return
			}
			if err != nil || (len(found.Targets) == 1) != c.counts {
				t.Errorf("found %+v (%v); the earlier configuration counts: %t", found.Targets, err, c.counts)
			}
		})
	}
}
