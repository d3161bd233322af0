package metrics

import (
	"context"
	"time"

	"alboidc.internal/shared/failure"
)

// late is how old a data point must be to be there for sure: load balancers report every 60 seconds (Application Load
// Balancers user guide, "CloudWatch metrics"), and data arrive some minutes late.
const late = 5 * time.Minute

// LoginsStopped returns the ARNs of the load balancers on which logins succeeded before made and none has since
// switched, in times of the same length. It reads ELBAuthSuccess, which has no client dimension: other clients' logins
// hide that one's have stopped, and only a real login raises it. Failures are those of package awserr, and
// InvalidInput.
func (r *Reader) LoginsStopped(ctx context.Context, loadBalancers []string, made, switched time.Time) ([]string,
	error) {
	if made.IsZero() || switched.Before(made) {
		return nil, failure.New(failure.InvalidInput,
			"the metrics test needs the times when the new secret was made and then used")
	}
	before, after, ok := loginWindows(made, switched, r.now())
	if !ok || len(loadBalancers) == 0 {
		return nil, nil
	}
	usual, err := r.readEach(ctx, "ELBAuthSuccess", before, loadBalancers)
	if err != nil {
		return nil, err
	}
	since, err := r.readEach(ctx, "ELBAuthSuccess", after, loadBalancers)
	if err != nil {
		return nil, err
	}
	var stopped []string
	for i, b := range since {
		if b.sum == 0 && usual[i].sum > chance(usual[i].sum) { // so few that none could be chance prove nothing
			stopped = append(stopped, b.arn)
		}
	}
	return stopped, nil
}

// loginWindows returns equally long times before the new secret existed and while every node used it, two weeks at
// most; not ok if the latter is empty. Only whole periods count, unlike for errors: here one login too many or too few
// decides.
func loginWindows(made, switched, now time.Time) (before, after window, ok bool) {
	period := shortestPeriod(now.Sub(made) + min(now.Sub(switched), longest))
	start, end := switched.UTC().Truncate(period).Add(period), now.Add(-late).UTC().Truncate(period)
	length := min(end.Sub(start), longest)
	at := made.UTC().Truncate(period)
	return window{start: at.Add(-length), end: at, period: period}, window{start: end.Add(-length), end: end,
		period: period}, length > 0
}

// stretch is the length of the stretches of time in which the last login is looked for.
const stretch = 5 * time.Minute

// LastLogin returns the beginning of the last five minutes in which a login succeeded on any of the load balancers;
// zero if none did in two weeks. It reads ELBAuthSuccess, in which other clients of a load balancer count, too.
// Failures are as in LoginsStopped.
func (r *Reader) LastLogin(ctx context.Context, loadBalancers []string) (time.Time, error) {
	end := r.now().UTC().Truncate(stretch).Add(stretch)
	any := func(from time.Time) (bool, error) {
		each, err := r.readEach(ctx, "ELBAuthSuccess", window{start: from, end: end, period: stretch}, loadBalancers)
		for _, b := range each {
			if b.sum > 0 {
				return true, err
			}
		}
		return false, err
	}
	from := end.Add(-longest)
	if found, err := any(from); err != nil || !found {
		return time.Time{}, err
	}
	for until := end; until.Sub(from) > stretch; {
		middle := from.Add(until.Sub(from) / 2).Truncate(stretch)
		found, err := any(middle)
		if err != nil {
			return time.Time{}, err
		}
		if found {
			from = middle
		} else {
			until = middle
		}
	}
	return from, nil
}
