package alb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/config"
)

// Registration is what an action must have to log users in with the client.
type Registration struct {
	// ClientIDs are the client's ids; more than one if two registrations take turns.
	ClientIDs []string
	// Names are those by which the identity provider is reached. The client secret goes only to their token endpoints.
	Names []config.Alias
	// Others are registrations of other providers with one of the client ids.
	Others []config.OtherRegistration
	// UniqueIDs: the ids belong to no other registration, whatever the issuer, and case does not distinguish them.
	UniqueIDs bool
	// AcceptElements are elements of actions that may be dropped.
	AcceptElements []string
	// LeavesToControllers: rules that controllers own are no targets.
	LeavesToControllers bool
}

// Of returns the registration of a client. Where ids are unique there are no others: what is declared as another is the
// client's own.
func Of(c config.Client, uniqueIDs bool) Registration {
	r := Registration{ClientIDs: c.ClientIDs(), Names: c.Names(), Others: c.OtherRegistrations, UniqueIDs: uniqueIDs,
		AcceptElements: c.AcceptElements, LeavesToControllers: c.LeavesToControllers()}
	if uniqueIDs {
		r.Others = nil
	}
	return r
}

// And returns a registration that allows what either allows. Both must have the same client ids.
func (r Registration) And(more Registration) Registration {
	r.LeavesToControllers = r.LeavesToControllers || more.LeavesToControllers
	for _, n := range more.Names {
		if !slices.Contains(r.Names, n) {
			r.Names = append(slices.Clip(r.Names), n)
		}
	}
	for _, e := range more.AcceptElements {
		if !slices.Contains(r.AcceptElements, e) {
			r.AcceptElements = append(slices.Clip(r.AcceptElements), e)
		}
	}
	for _, o := range more.Others {
		if !slices.Contains(r.Others, o) {
			r.Others = append(slices.Clip(r.Others), o)
		}
	}
	return r
}

// uses reports whether an action logs in with the client, under one of its names.
func (r Registration) uses(o *types.AuthenticateOidcActionConfig) bool {
	return slices.Contains(r.ClientIDs, aws.ToString(o.ClientId)) && r.name(o) != nil
}

// name returns the client's name by which an action reaches the provider; nil if it is none of the client's.
func (r Registration) name(o *types.AuthenticateOidcActionConfig) *config.Alias {
	for i, n := range r.Names {
		if config.SameURL(n.Issuer, aws.ToString(o.Issuer)) &&
			config.SameURL(n.TokenEndpoint, aws.ToString(o.TokenEndpoint)) {
			return &r.Names[i]
		}
	}
	return nil
}

// explainDoubt says why it is unclear whether an action's registration is the client's, and what to do; "" if it is
// clear. An action in doubt is never passed over: it would break when the old secret goes.
func (r Registration) explainDoubt(o *types.AuthenticateOidcActionConfig) string {
	id, issuer, endpoint := aws.ToString(o.ClientId), aws.ToString(o.Issuer), aws.ToString(o.TokenEndpoint)
	if !slices.Contains(r.ClientIDs, id) {
		same := func(x string) bool { return strings.EqualFold(x, id) }
		if r.UniqueIDs && slices.ContainsFunc(r.ClientIDs, same) {
			return fmt.Sprintf("has client id %q, which is %q in other letters: write it in the action as in clientId",
				id, r.ClientIDs)
		}
		return ""
	}
	if r.name(o) != nil || r.isOther(issuer, endpoint) {
		return ""
	}
	for _, n := range r.Names {
		switch {
		case config.SameURL(n.Issuer, issuer):
			return fmt.Sprintf(
				"sends the client secret to token endpoint %q, but the configuration says %q: correct the "+
					"action or identityProvider.tokenEndpoint, or add issuer and token endpoint to aliases", endpoint,
				n.TokenEndpoint)
		case config.SameURL(n.TokenEndpoint, endpoint):
			return fmt.Sprintf("uses the client at the same token endpoint, but with issuer %q instead of %q: "+
				"correct the action or issuer, or add issuer and token endpoint to aliases", issuer, n.Issuer)
		}
	}
	return fmt.Sprintf("uses client id %s with issuer %q and token endpoint %q, which are not in the configuration: %s",
		id, issuer, endpoint, r.suggestRemedies())
}

func (r Registration) isOther(issuer, endpoint string) bool {
	return slices.ContainsFunc(r.Others, func(o config.OtherRegistration) bool {
		return config.SameURL(o.Issuer, issuer) && config.SameURL(o.TokenEndpoint, endpoint)
	})
}

// suggestRemedies says what to do about an action whose issuer and token endpoint are both unknown.
func (r Registration) suggestRemedies() string {
	if r.UniqueIDs {
		return "client ids are unique at this provider, so they are another name of it: add them to aliases, or " +
			"correct the action"
	}
	return "if they are another name of the same provider, add them to aliases; if that is another provider, whose " +
		"registration has the same client id by chance, add them to otherRegistrations"
}
