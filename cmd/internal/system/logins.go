package system

import (
	"context"

	"alboidc.internal/shared/alb"
)

// Logins lists the actions of Regions' load balancers that log users in by OIDC.
func (s *System) Logins(ctx context.Context, regions []string) ([]alb.Login, error) {
	var out []alb.Login
	for _, region := range regions {
		found, err := s.balancers.Logins(ctx, region)
		if err != nil {
			return nil, Unreachable(err, "looking at the load balancers of %s", region)
		}
		out = append(out, found...)
	}
	return out, nil
}
