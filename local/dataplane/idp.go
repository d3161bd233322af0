package dataplane

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/awstest/elbv2"
)

// maxAnswer is the most that is read of an answer.
const maxAnswer = 64 << 10

// tokens is the IdP's answer to a token request. expires is zero if the IdP did not say.
type tokens struct {
	access, refresh, id string
	expires             time.Time
}

// requestTokens asks the token endpoint, as the client of o.
func (p *Plane) requestTokens(ctx context.Context, o *elbv2.OIDC, form url.Values) (tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, idpTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return tokens{}, UnhandledException
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// Which way ALB authenticates is not documented. RFC 6749, section 2.3.1: both parts are form-encoded first.
	req.SetBasicAuth(url.QueryEscape(o.ClientID), url.QueryEscape(o.ClientSecret))
	status, body, err := p.ask(req)
	if err != nil {
		return tokens{}, TokenRequestTimeout
	}
	if status/100 != 2 {
		var e struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(body, &e) == nil && e.Error == "invalid_grant" {
			return tokens{}, InvalidGrant
		}
		return tokens{}, TokenRequestFailed
	}
	return p.parseTokens(body)
}

func (p *Plane) parseTokens(body []byte) (tokens, error) {
	var a struct {
		AccessToken  string      `json:"access_token"`
		RefreshToken string      `json:"refresh_token"`
		IDToken      string      `json:"id_token"`
		ExpiresIn    json.Number `json:"expires_in"`
	}
	if json.Unmarshal(body, &a) != nil || a.AccessToken == "" {
		return tokens{}, InvalidTokenResponse
	}
	t := tokens{access: a.AccessToken, refresh: a.RefreshToken, id: a.IDToken}
	if n, err := a.ExpiresIn.Int64(); err == nil && n > 0 {
		t.expires = p.o.Now().Add(time.Duration(n) * time.Second)
	}
	return t, nil
}

// checkIDToken checks issuer, audience and expiry and returns the subject. The signature is not checked: the action
// has no key endpoint, and a token received from the token endpoint itself is vouched for by TLS (OpenID Connect Core
// 3.1.3.7, item 6).
func (p *Plane) checkIDToken(o *elbv2.OIDC, token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", InvalidIDToken
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c struct {
		Issuer   string   `json:"iss"`
		Subject  string   `json:"sub"`
		Audience audience `json:"aud"`
		Expires  float64  `json:"exp"`
	}
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return "", InvalidIDToken
	}
	if c.Issuer != o.Issuer || c.Subject == "" || !slices.Contains(c.Audience, o.ClientID) ||
		float64(p.o.Now().Unix()) > c.Expires {
		return "", InvalidIDToken
	}
	return c.Subject, nil
}

// audience is one string or a list of them.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// requestUserinfo asks the user info endpoint; the answer must be about the subject (OpenID Connect Core 5.3.2).
func (p *Plane) requestUserinfo(ctx context.Context, o *elbv2.OIDC, accessToken, subject string) (map[string]any,
	error) {
	ctx, cancel := context.WithTimeout(ctx, idpTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.UserInfoEndpoint, nil)
	if err != nil {
		return nil, UnhandledException
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	status, body, err := p.ask(req)
	if err != nil {
		return nil, UserinfoRequestTimeout
	}
	if status/100 != 2 {
		return nil, UserinfoRequestFailed
	}
	var claims map[string]any
	if json.Unmarshal(body, &claims) != nil || claims["sub"] != subject {
		return nil, InvalidUserinfoResponse
	}
	return claims, nil
}

// ask sends a request to the IdP.
func (p *Plane) ask(req *http.Request) (int, []byte, error) {
	req.Header.Set("Accept", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, body, err
}
