package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
)

const vendor = "Microsoft Entra ID"

// Error codes of Microsoft Graph (Graph docs, "Microsoft Graph error responses and resource types"; those of policies
// in "Microsoft Entra application management policies").
const (
	codeNotFound = "Request_ResourceNotFound"
	// codeNoSecrets and codeLifetime are refusals by an app management policy of the tenant.
	codeNoSecrets = "CredentialTypeNotAllowedAsPerAppPolicy"
	codeLifetime  = "CredentialInvalidLifetimeAsPerAppPolicy"
)

// concurrent are the codes for "Error due to concurrent requests being made to the tenant. Please wait briefly and
// retry." They come with status 400 or 409, and the request had no effect.
var concurrent = []string{"Directory_ConcurrencyViolation", "Directory_ObjectConcurrencyViolation",
	"Request_ConcurrencyViolation"}

// do sends a request to the app registration. below is what follows its address.
func (p *Provider) do(ctx context.Context, method, below, operation string, body, out any) error {
	address := "/v1.0/applications(appId='" + p.client.ClientID + "')"
	if p.settings.ApplicationObjectID != "" {
		address = "/v1.0/applications/" + p.settings.ApplicationObjectID
	}
	return p.api.Do(ctx, httpclient.Request{Operation: operation, Method: method, URL: p.settings.GraphURL + address +
		below, JSON: body}, out)
}

// transient implements httpclient.API.
func transient(code string) failure.Kind {
	if slices.Contains(concurrent, code) {
		return failure.Throttled
	}
	return ""
}

// authorize is called before each try. Microsoft's support finds a request by its id (Graph docs, "Best practices for
// working with Microsoft Graph": a new one for each request).
func (p *Provider) authorize(ctx context.Context, r *http.Request) error {
	r.Header.Set("client-request-id", clientcredentials.NewUUID())
	return p.credential.Authorize(ctx, r)
}

// explain says what the operator can do about a refusal of Microsoft Graph.
func (p *Provider) explain(s *httpclient.StatusError) string {
	admin := p.credential.clientID
	switch {
	case s.Code == codeNoSecrets:
		return fmt.Sprintf("an app management policy of the tenant forbids new client secrets: have app %s exempted "+
			"from it", p.client.ClientID)
	case s.Code == codeLifetime:
		return fmt.Sprintf(
			"an app management policy of the tenant does not allow secrets that live %d days: lower %s, "+
				"or have app %s exempted from it", p.settings.lifetime(), idp.Setting("secretLifetimeDays"),
			p.client.ClientID)
	case s.Status == http.StatusUnauthorized:
		return fmt.Sprintf("the access token of app %s is not taken: check that %s and %s belong to the same cloud, "+
			"and the tenant", admin, idp.Setting("graphUrl"), idp.Setting("loginUrl"))
	case s.Status == http.StatusForbidden:
		return fmt.Sprintf("grant app %s the application permission Application.ReadWrite.OwnedBy, with admin "+
			"consent, and make its service principal an owner of app %s",
			admin, p.client.ClientID)
	case s.Status == http.StatusNotFound && s.Code == codeNotFound:
		return fmt.Sprintf("there is no app registration %s in tenant %s; correct clientId, %s or %s",
			p.client.ClientID, p.settings.TenantID, idp.Setting("applicationObjectId"), idp.Setting("tenantId"))
	case s.Status == http.StatusNotFound:
		return fmt.Sprintf("the answer is not Microsoft Graph's; is %s right?", idp.Setting("graphUrl"))
	case s.Status == http.StatusBadRequest && p.settings.PersonalAccounts:
		return fmt.Sprintf("most likely the app registration has %d secrets, which is the limit where personal "+
			"accounts are allowed: remove one that nothing uses", personalLimit)
	default:
		return ""
	}
}

var (
	graphPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z_]{1,39}$`)
	oauthPattern = regexp.MustCompile(`^[a-z_]{1,25}$`) // RFC 6749, section 5.2
)

// errorCode reads the code of an error answer of Microsoft Graph, or of the token endpoint. To the latter's it adds the
// first number of error_codes, by which Microsoft's documentation explains the refusal ("AADSTS error codes"); nothing
// is decided by that number, for Microsoft may change it.
func errorCode(body []byte) string {
	var e struct {
		Error json.RawMessage `json:"error"`
		Codes []int64         `json:"error_codes"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	var graph struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(e.Error, &graph) == nil && graphPattern.MatchString(graph.Code) {
		return graph.Code
	}
	var oauth string
	if json.Unmarshal(e.Error, &oauth) != nil || !oauthPattern.MatchString(oauth) {
		return ""
	}
	if len(e.Codes) > 0 {
		return fmt.Sprintf("%s.AADSTS%d", oauth, e.Codes[0])
	}
	return oauth
}
