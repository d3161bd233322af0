package idp

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"

	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
)

// maxForm is the largest form read; a token request is below one kilobyte.
const maxForm = 64 << 10

// token is the token endpoint. It authenticates the client before it looks at the grant, as Okta, Auth0, Cognito,
// Keycloak and Hydra do, and words refusals as the vendor does; op carries out the grant.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		p.refuseToken(w, imitation.InvalidRequest)
		return
	}
	if f, ok := p.vendor.(imitation.Tokens); ok && f.ServeToken(w, r) {
		return
	}
	id, _, _ := r.BasicAuth()
	p.env.Serve(w, r, "token", imitation.Text(r, r.PostForm)+" basic="+id, refuse, p.exchange)
}

func (p *Provider) exchange(w http.ResponseWriter, r *http.Request) {
	client, refusal := p.authenticate(r)
	if refusal == "" {
		refusal = checkGrant(client, r.PostForm)
	}
	if refusal != "" {
		p.refuseToken(w, refusal)
		return
	}
	x := &exchange{client: client}
	// The client is known, and op must not take the credentials for a second method of authentication.
	inner := r.Clone(context.WithValue(r.Context(), exchangeKey{}, x))
	inner.Header.Del("Authorization")
	inner.Form = url.Values{}
	for k, v := range r.PostForm {
		inner.Form[k] = v
	}
	inner.Form.Del("client_secret")
	inner.Form.Set("client_id", client.ID)
	inner.PostForm = inner.Form

	answer := &buffer{header: w.Header(), status: http.StatusOK}
	p.inner.ServeHTTP(answer, inner)
	if x.refusal != "" {
		p.refuseToken(w, x.refusal)
		return
	}
	w.Header().Set("Cache-Control", "no-store") // RFC 6749, section 5.1
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes())
}

// authenticate finds the client by its credentials. The store decides whether the secret is live.
func (p *Provider) authenticate(r *http.Request) (Client, imitation.Refusal) {
	var id, secret string
	method := clients.Basic
	user, password, basic := r.BasicAuth()
	switch {
	case basic && r.PostForm.Has("client_secret"):
		return Client{}, imitation.InvalidRequest // RFC 6749, section 2.3: one method per request
	case basic:
		var err1, err2 error // section 2.3.1: id and secret are form-encoded before they become a header
		id, err1 = url.QueryUnescape(user)
		secret, err2 = url.QueryUnescape(password)
		if err1 != nil || err2 != nil {
			return Client{}, imitation.InvalidRequest
		}
		if inForm := r.PostForm.Get("client_id"); inForm != "" && inForm != id {
			return Client{}, imitation.InvalidRequest
		}
	default:
		method, id, secret = clients.Post, r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id == "" || secret == "" {
		return Client{}, imitation.NoCredentials
	}
	client, err := p.store.Client(id)
	if err != nil {
		return Client{}, imitation.UnknownClient
	}
	if client.AuthMethod != clients.Either && client.AuthMethod != method {
		return Client{}, imitation.WrongMethod
	}
	if p.refusedUnder(r, secret) || !p.store.Authenticate(id, secret, p.clock.Now()) {
		return Client{}, imitation.WrongSecret
	}
	return client, ""
}

// checkGrant refuses what the client may not do and what no handler is there for.
func checkGrant(c Client, form url.Values) imitation.Refusal {
	grant := form.Get("grant_type")
	required := map[string][]string{"authorization_code": {"code", "redirect_uri"}, "refresh_token": {"refresh_token"}}
	fields, supported := required[grant]
	switch {
	case grant == "":
		return imitation.InvalidRequest
	case !supported:
		return imitation.UnsupportedGrant
	case !slices.Contains(c.GrantTypes, grant):
		return imitation.GrantNotAllowed
	}
	for _, f := range fields {
		if form.Get(f) == "" {
			return imitation.InvalidRequest
		}
	}
	return ""
}

func (p *Provider) refuseToken(w http.ResponseWriter, refusal imitation.Refusal) {
	e := p.vendor.TokenError(refusal)
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+p.issuer+`"`) // RFC 6749, section 5.2
	}
	imitation.WriteJSON(w, e.Status, e.JSON())
}

// buffer holds op's answer until it is known whether the vendor's imitation answers instead.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffer) Header() http.Header         { return b.header }
func (b *buffer) WriteHeader(status int)      { b.status = status }
func (b *buffer) Write(p []byte) (int, error) { return b.body.Write(p) }
