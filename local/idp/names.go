package idp

import (
	"context"
	"net"
	"net/http"
	"strings"
)

// A provider answers under every loopback name that its port is reached by, as vendors do for custom domains: the
// issuer of a token is that of the name at which it was asked for (Okta's issuer mode Dynamic; Auth0, "Custom
// domains").

type nameKey struct{}

// named notes under which name a request came.
func (p *Provider) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil && isLoopback(host) {
			r = r.WithContext(context.WithValue(r.Context(), nameKey{}, "https://"+strings.ToLower(r.Host)))
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// baseURL is the provider's address, without a path, under the name of a request.
func (p *Provider) baseURL(ctx context.Context) string {
	if name, ok := ctx.Value(nameKey{}).(string); ok {
		return name
	}
	return p.env.BaseURL
}

// Under is the issuer and its endpoints under another loopback name, e.g. 127.0.0.1.
func (p *Provider) Under(host string) (issuer string, e Endpoints) {
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(p.env.BaseURL, "https://"))
	issuer = "https://" + net.JoinHostPort(host, port) + p.paths.Issuer
	return issuer, p.endpoints(issuer)
}

func (p *Provider) endpoints(issuer string) Endpoints {
	return Endpoints{Authorization: issuer + p.paths.Authorization, Token: issuer + p.paths.Token, UserInfo: issuer +
		p.paths.UserInfo}
}

// RefuseUnder lets the provider refuse a secret under one of its names, as servers behind a custom domain do that have
// not heard of it.
func (p *Provider) RefuseUnder(host, value string) {
	p.refusals.Store(host, value)
}

// refusedUnder reports whether RefuseUnder holds for a request.
func (p *Provider) refusedUnder(r *http.Request, value string) bool {
	host, _, err := net.SplitHostPort(r.Host)
	refused, ok := p.refusals.Load(host)
	return err == nil && ok && refused == value
}
