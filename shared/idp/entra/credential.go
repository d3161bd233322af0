package entra

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// credential gets access tokens for Microsoft Graph by client_credentials (Microsoft identity platform docs, "OAuth 2.0
// client credentials flow").
type credential struct {
	clientcredentials.Tokens
	clientID string
}

func newCredential(s Settings, d idp.Deps) *credential {
	tokenURL := s.LoginURL + "/" + s.TenantID + "/oauth2/v2.0/token"
	c := &credential{Tokens: clientcredentials.Tokens{Operation: "give the rotator an access token", URL: tokenURL}}
	switch {
	case s.WebIdentity != nil:
		c.clientID, c.Proof = s.WebIdentity.ClientID, federated{WebIdentity: *s.WebIdentity, get: d.WebIdentity}
	case s.Certificate != nil:
		c.clientID, c.Proof = s.Certificate.ClientID, certificate{clientcredentials.PrivateKeyJWT{
			ClientID:    s.Certificate.ClientID,
			Certificate: s.Certificate.SHA256, Audience: tokenURL, Now: d.Now,
			Key: clientcredentials.PrivateKey{KeyPlace: s.Certificate.KeyPlace, Read: d.Secret, AWS: d.AWS,
				What: "the private key of the rotator's own app registration"}}}
	default:
		c.clientID, c.Proof = s.ClientSecret.ClientID, clientcredentials.ClientSecret{ClientID: s.ClientSecret.ClientID,
			Stored: clientcredentials.Stored{Read: d.Secret, ARN: s.ClientSecret.SecretARN,
				What: "a client secret of the rotator's own app registration"}}
	}
	c.Form = url.Values{"client_id": {c.clientID}, "scope": {s.GraphURL + "/.default"}}
	c.API = d.API(httpclient.API{Vendor: vendor, ErrorCode: errorCode, Explain: c.explain,
		Authorize: func(_ context.Context, r *http.Request) error {
			r.Header.Set("client-request-id", clientcredentials.NewUUID())
			return nil
		}})
	return c
}

// explain says what the operator can do when Entra ID gives no token.
func (c *credential) explain(s *httpclient.StatusError) string {
	code, number, _ := strings.Cut(s.Code, ".")
	switch number { // the same codes come with each of them
	case "AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213": // no federated credential that matches
		code = "invalid_client"
	case "AADSTS700016", "AADSTS7000112", "AADSTS90002", "AADSTS53003": // no such app or tenant, disabled, kept out
		code = "unauthorized_client"
	case "AADSTS900382", "AADSTS500011": // another cloud
		code = "invalid_resource"
	}
	switch code {
	case "invalid_client":
		return c.Proof.Advice()
	case "unauthorized_client", "invalid_request", "invalid_grant":
		return fmt.Sprintf("check %s, that app %s exists and is enabled there, and that no Conditional Access policy "+
			"keeps it out", idp.Setting("tenantId"), c.clientID)
	case "invalid_scope", "invalid_resource":
		return fmt.Sprintf("check that %s and %s belong to the same cloud", idp.Setting("graphUrl"),
			idp.Setting("loginUrl"))
	default:
		return ""
	}
}

// federated proves who we are by a token of AWS STS (Microsoft Entra docs, "Workload identity federation").
type federated struct {
	WebIdentity
	get func(ctx context.Context, audience string) (secret.Value, error)
}

// Prove implements clientcredentials.Proof.
func (f federated) Prove(ctx context.Context, form url.Values, _ http.Header) error {
	token, err := f.get(ctx, f.Audience)
	if err != nil {
		return err
	}
	clientcredentials.Assert(form, token)
	return nil
}

// Advice implements clientcredentials.Proof.
func (f federated) Advice() string {
	return fmt.Sprintf("app %s needs a federated credential with the AWS account's issuer, the ARN of the function's "+
		"role as subject, and the audience %s", f.ClientID, f.Audience)
}

// certificate proves who we are by a statement signed with its key.
type certificate struct {
	clientcredentials.PrivateKeyJWT
}

// Advice implements clientcredentials.Proof.
func (c certificate) Advice() string {
	return fmt.Sprintf("check that the certificate with the SHA-256 fingerprint in %s is one of app %s, has not "+
		"expired, and belongs to the private key in %s", idp.Setting("certificate.sha256"), c.ClientID, c.Key.Where())
}
