package dataplane

import (
	"context"
	"net/url"

	"alboidc.internal/shared/awstest/elbv2"
)

// identity returns the session's identity, refreshed if the access token has expired and there is a refresh token;
// without one the session goes on until its own end (Elastic Load Balancing user guide, Authenticate users using an
// Application Load Balancer, Session timeout). false means that a refresh failed, now or before: the user has to log in
// again.
func (v *visit) identity(s *session, o *elbv2.OIDC) (identity, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return identity{}, false
	}
	t := s.identity.tokens
	if t.refresh == "" || t.expires.IsZero() || v.plane.o.Now().Before(t.expires) {
		return s.identity, true
	}
	// A browser that goes away must not lose a refresh token that the IdP has already replaced.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), 2*idpTimeout)
	defer cancel()
	id, err := v.plane.refresh(ctx, o, s.identity)
	v.report(Refresh, v.rule.ARN, reasonOf(err))
	if err != nil {
		s.ended = true
		return identity{}, false
	}
	s.identity = id
	return id, true
}

// logIn trades a code for tokens and asks who the user is.
func (p *Plane) logIn(ctx context.Context, o *elbv2.OIDC, form url.Values) (identity, error) {
	t, err := p.requestTokens(ctx, o, form)
	if err != nil {
		return identity{}, err
	}
	subject, err := p.checkIDToken(o, t.id)
	if err != nil {
		return identity{}, err
	}
	claims, err := p.requestUserinfo(ctx, o, t.access, subject)
	return identity{tokens: t, subject: subject, claims: claims}, err
}

// refresh trades the refresh token for new tokens, with the secret given in o, and asks again who the user is.
func (p *Plane) refresh(ctx context.Context, o *elbv2.OIDC, old identity) (identity, error) {
	t, err := p.requestTokens(ctx, o, url.Values{"grant_type": {"refresh_token"},
		"refresh_token": {old.tokens.refresh}})
	if err != nil {
		return identity{}, err
	}
	if t.refresh == "" { // RFC 6749, section 6: a new one is optional
		t.refresh = old.tokens.refresh
	}
	claims, err := p.requestUserinfo(ctx, o, t.access, old.subject)
	return identity{tokens: t, subject: old.subject, claims: claims}, err
}
