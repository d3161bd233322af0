package idp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"alboidc.internal/shared/idp/idptest/imitation"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// server implements the protocol: op decodes and validates requests, and calls it.
type server struct {
	op.UnimplementedServer
	p *Provider
}

var _ op.Server = (*server)(nil)

// exchange is the state of one token request. token puts it into the request's context; the grant's handler finds the
// authenticated client in it and leaves a refusal there, so that the vendor's imitation can word it.
type exchange struct {
	client  Client
	refusal imitation.Refusal
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// refuse ends a grant; what it returns is never sent.
func (x *exchange) refuse(r imitation.Refusal) (*op.Response, error) {
	x.refusal = r
	return op.NewResponse(nil), nil
}

// Health implements op.Server.
func (s *server) Health(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	return op.NewResponse(op.Status{Status: "ok"}), nil
}

// Ready implements op.Server.
func (s *server) Ready(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	return op.NewResponse(op.Status{Status: "ok"}), nil
}

// Discovery implements op.Server (OpenID Connect Discovery 1.0, section 3).
func (s *server) Discovery(ctx context.Context, _ *op.Request[struct{}]) (*op.Response, error) {
	issuer := s.p.baseURL(ctx) + s.p.paths.Issuer
	endpoints := s.p.endpoints(issuer)
	return op.NewResponse(&oidc.DiscoveryConfiguration{
		Issuer: issuer, AuthorizationEndpoint: endpoints.Authorization, TokenEndpoint: endpoints.Token,
		UserinfoEndpoint: endpoints.UserInfo, JwksURI: issuer + s.p.paths.Keys,
		ScopesSupported: []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail,
			oidc.ScopeOfflineAccess},
		ResponseTypesSupported:            []string{string(oidc.ResponseTypeCode)},
		ResponseModesSupported:            []string{string(oidc.ResponseModeQuery)},
		GrantTypesSupported:               []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken},
		SubjectTypesSupported:             []string{"public"},
		IDTokenSigningAlgValuesSupported:  []string{"ES256"},
		TokenEndpointAuthMethodsSupported: []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPost},
		CodeChallengeMethodsSupported:     []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
	}), nil
}

// Keys implements op.Server.
func (s *server) Keys(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	return op.NewResponse(s.p.keys.public), nil
}

// VerifyAuthRequest implements op.Server: it finds the client. op then checks redirect URI, scopes and response type.
func (s *server) VerifyAuthRequest(_ context.Context,
	r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	if r.Data.RequestParam != "" {
		return nil, oidc.ErrRequestNotSupported()
	}
	client, err := s.p.store.Client(r.Data.ClientID)
	if err != nil {
		return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("unknown client_id")
	}
	return &op.ClientRequest[oidc.AuthRequest]{Request: r, Client: relyingParty{client}}, nil
}

// Authorize implements op.Server: it sends the user to the login form.
func (s *server) Authorize(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	q := r.Data
	switch {
	case !slices.Contains(q.Scopes, oidc.ScopeOpenID):
		return nil, oidc.ErrInvalidScope().WithDescription("the scope openid is missing")
	case q.ResponseMode != "" && q.ResponseMode != oidc.ResponseModeQuery:
		return nil, oidc.ErrInvalidRequest().WithDescription("response_mode is not supported")
	case !slices.Contains(r.Client.GrantTypes(), oidc.GrantTypeCode):
		return nil, oidc.ErrUnauthorizedClient().WithDescription("the client may not use the code flow")
	case slices.Contains(q.Prompt, oidc.PromptNone):
		return nil, oidc.ErrLoginRequired() // nobody is ever logged in already
	}
	a := authorization{clientID: q.ClientID, scopes: slices.Clone(q.Scopes), nonce: q.Nonce, redirect: q.RedirectURI,
		state: q.State}
	if q.CodeChallenge != "" {
		a.challenge = &oidc.CodeChallenge{Challenge: q.CodeChallenge, Method: q.CodeChallengeMethod}
	}
	id, cookie := s.p.sessions.begin(a)
	to := op.NewRedirect(s.p.baseURL(ctx) + r.Client.LoginURL(id))
	to.Header.Set("Set-Cookie", (&http.Cookie{Name: loginCookie + id, Value: cookie, Path: loginPath, Secure: true,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode}).String())
	return to, nil
}

// VerifyClient implements op.Server. The client has been authenticated before op saw the request.
func (s *server) VerifyClient(ctx context.Context, _ *op.Request[op.ClientCredentials]) (op.Client, error) {
	x := exchangeOf(ctx)
	if x == nil {
		return nil, oidc.ErrInvalidClient()
	}
	return relyingParty{x.client}, nil
}

// CodeExchange implements op.Server.
func (s *server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	x := exchangeOf(ctx)
	a, err := s.p.sessions.redeem(r.Data.Code, x.client.ID, r.Data.RedirectURI, r.Data.CodeVerifier)
	if err != nil {
		return x.refuse(imitation.InvalidCode)
	}
	access, refresh := s.p.sessions.grant(a, slices.Contains(r.Client.GrantTypes(), oidc.GrantTypeRefreshToken))
	return s.tokens(ctx, a, a.nonce, access, refresh)
}

// RefreshToken implements op.Server.
func (s *server) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response,
	error) {
	x := exchangeOf(ctx)
	a, access, refresh, err := s.p.sessions.renew(r.Data.RefreshToken, x.client.ID, r.Data.Scopes)
	switch {
	case errors.Is(err, errScope):
		return x.refuse(imitation.InvalidScope)
	case err != nil:
		return x.refuse(imitation.InvalidRefreshToken)
	}
	return s.tokens(ctx, a, "", access, refresh)
}

func (s *server) tokens(ctx context.Context, a authorization, nonce, access, refresh string) (*op.Response, error) {
	idToken, err := s.p.keys.idToken(s.p.baseURL(ctx)+s.p.paths.Issuer, a, nonce, access, s.p.clock.Now())
	if err != nil {
		return nil, oidc.ErrServerError().WithParent(err)
	}
	return op.NewResponse(&oidc.AccessTokenResponse{AccessToken: access, TokenType: oidc.BearerToken,
		RefreshToken: refresh,
		ExpiresIn:    uint64(s.p.sessions.access / time.Second), IDToken: idToken, Scope: a.scopes}), nil
}

// UserInfo implements op.Server (OpenID Connect Core 1.0, section 5.3).
func (s *server) UserInfo(_ context.Context, r *op.Request[oidc.UserInfoRequest]) (*op.Response, error) {
	a, err := s.p.sessions.bearer(r.Data.AccessToken)
	if err != nil {
		return nil, op.NewStatusError(&oidc.Error{ErrorType: "invalid_token",
			Description: "the access token is unknown or has expired"}, http.StatusUnauthorized)
	}
	u, ok := s.p.users.bySubject(a.subject)
	if !ok {
		return nil, op.NewStatusError(&oidc.Error{ErrorType: "invalid_token", Description: "the user is gone"},
			http.StatusUnauthorized)
	}
	out := &oidc.UserInfo{Subject: u.sub}
	if a.allows(oidc.ScopeProfile) {
		out.PreferredUsername, out.Name = u.Name, u.FullName
	}
	if a.allows(oidc.ScopeEmail) {
		out.Email, out.EmailVerified = u.Email, true
	}
	return op.NewResponse(out), nil
}
