package alb

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// withSecret returns an action list to send: a copy of the one read, with the client id and secret of c in the action
// that logs in with the client. It fails if there is no such action.
func withSecret(read []types.Action, c Change) ([]types.Action, error) {
	if err := matches(read, c); err != nil {
		return nil, err
	}
	out := slices.Clone(read)
	for i := range out {
		if f := out[i].ForwardConfig; f != nil && len(f.TargetGroups) > 0 {
			// an answer holds both, but a request may only for a single target group (API reference, Action)
			out[i].TargetGroupArn = nil
		}
		o := out[i].AuthenticateOidcConfig
		if o == nil {
			continue
		}
		changed := *o
		if c.Registration.uses(o) {
			// a secret and UseExistingClientSecret together are refused (InvalidLoadBalancerAction)
			changed.ClientId, changed.ClientSecret, changed.UseExistingClientSecret = &c.ClientID,
				aws.String(c.Secret.Reveal()), nil
		} else {
			// no answer holds another client's secret: without this the write would be refused, or lose it
			changed.ClientSecret, changed.UseExistingClientSecret = nil, aws.Bool(true)
		}
		out[i].AuthenticateOidcConfig = &changed
	}
	return out, nil
}

// withClientID returns an action list as it should read back once withSecret of it was sent.
func withClientID(read []types.Action, c Change) []types.Action {
	out := slices.Clone(read)
	for i, a := range out {
		if o := a.AuthenticateOidcConfig; o != nil && c.Registration.uses(o) {
			changed := *o
			changed.ClientId = &c.ClientID
			out[i].AuthenticateOidcConfig = &changed
		}
	}
	return out
}

// matches says what is wrong with a list in which no action logs in with the client.
func matches(actions []types.Action, c Change) error {
	err := errors.New("it has no authenticate-oidc action any more")
	for _, a := range actions {
		o := a.AuthenticateOidcConfig
		if o == nil {
			continue
		}
		if c.Registration.uses(o) {
			return nil
		}
		if doubt := c.Registration.explainDoubt(o); doubt != "" {
			return errors.New("it " + doubt)
		}
		err = fmt.Errorf("it logs in with client id %q at issuer %q, which is not the client's",
			aws.ToString(o.ClientId), aws.ToString(o.Issuer))
	}
	return err
}
