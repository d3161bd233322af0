package probe

import (
	"context"
	"fmt"
	"time"
)

// Turns says by how many questions, and with what pause between them, a refusal is proven.
type Turns struct {
	Times int
	Pause time.Duration
}

// Refusal proves that a secret is refused: a provider that has lost its database, or whose servers disagree, answers
// the right secret like a wrong one (seen at Ory Hydra). So check must be Rejected every time, and control, which
// shows that the provider answers rightly at that moment, Accepted before and after. A control that is not makes
// the verdict inconclusive; any other verdict of check is returned as it is, and so is the first failure.
//
// It asks the first question twice in a row: if check and control took turns, so would the servers behind a load
// balancer, and an ill one might get only the questions of check.
func Refusal(ctx context.Context, t Turns, sleep func(context.Context, time.Duration) error,
	check, control func(context.Context) (Verdict, error)) (Verdict, error) {
	shown, err := control(ctx)
	if err != nil {
		return Verdict{}, err
	}
	var v Verdict
	for n := 1; shown.Outcome == Accepted; n++ {
		if v, err = check(ctx); err != nil || v.Outcome != Rejected {
			return v, err
		}
		if n == 1 {
			continue
		}
		if shown, err = control(ctx); err != nil {
			return Verdict{}, err
		}
		if shown.Outcome != Accepted {
			break
		}
		if n >= t.Times {
			return Verdict{Rejected, fmt.Sprintf("%s, %d times, while %s", v.Reason, n, shown.Reason)}, nil
		}
		if err := sleep(ctx, t.Pause); err != nil {
			return Verdict{}, err
		}
	}
	return Verdict{Inconclusive, "refused, but " + shown.Reason}, nil
}
