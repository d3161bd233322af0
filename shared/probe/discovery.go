package probe

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"alboidc.internal/shared/failure"
)

// Document is what an identity provider says of itself (OpenID Connect Discovery 1.0, section 3).
type Document struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
}

// Discover reads the document of an issuer.
func (p *Prober) Discover(ctx context.Context, issuer string) (Document, error) {
	u, err := httpsURL(strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration")
	if err != nil {
		return Document{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Document{}, failure.New(failure.InvalidInput, "the issuer must be an absolute https URL")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	resp, err := p.newClient(pin{}, nil).Do(req)
	if err != nil {
		return Document{}, explainNoAnswer(shownHost(u), err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return Document{}, explainNoAnswer(shownHost(u), err)
	}
	var d Document
	if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &d) != nil || d.Issuer == "" {
		return Document{}, failure.New(failure.Unavailable,
			"%s has no discovery document there (HTTP %d)", shownHost(u),
			resp.StatusCode)
	}
	return d, nil
}
