package idp_test

import (
	"context"
	"errors"
	"testing"

	"alboidc.internal/shared/idp"
)

// What Check has read must not be what a secret is removed by.
func TestOnlyOneMomentSharesWhatWasRead(t *testing.T) {
	t.Parallel()
	var c idp.Checked[int]
	reads := 0
	read := func(context.Context) (int, error) { reads++; return reads, nil }
	now, later := idp.Together(t.Context()), idp.Together(t.Context())
	share := func(what string, ctx context.Context, want int) {
		t.Helper()
		if got, err := c.Share(ctx, read); err != nil || got != want {
			t.Errorf("%s: what was read is %d, want %d (%v)", what, got, want, err)
		}
	}
	share("before anything was", now, 1)
	if _, err := c.Renew(now, read); err != nil {
		t.Fatal(err)
	}
	share("of the same moment", now, 2)
	share("of another moment", later, 3)
	share("of no moment", t.Context(), 4)
	if _, err := c.Renew(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	share("of no moment, for one", now, 6)
	share("of no moment, for none", t.Context(), 7)
	_, err := c.Renew(later, func(context.Context) (int, error) { return 0, errors.New("no answer") })
	if err == nil {
		t.Error("the error is lost")
	}
	share("nothing", later, 8)
}
