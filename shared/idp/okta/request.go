package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
)

const vendor = "Okta"

// Error codes of the management API (Okta developer docs, "Okta error codes").
const (
	codeInvalid  = "E0000001" // Api validation failed
	codeNotFound = "E0000007" // resource not found
	// codeNoFeature: the organisation may not use the feature of the request.
	codeNoFeature = "E0000015"
	// codeLater: "… are being reconciled. Please try again later."
	codeLater = "E0000239"
	codeLimit = "E0000047" // too many requests
)

// do sends a request below the app.
func (p *Provider) do(ctx context.Context, method, below, operation string, body, out any) error {
	return p.api.Do(ctx, httpclient.Request{
		Operation: operation,
		Method:    method,
		URL:       p.settings.OrgURL + idp.Path("api", "v1", "apps", p.settings.AppID) + below,
		JSON:      body,
	}, out)
}

// transient implements httpclient.API.
func transient(code string) failure.Kind {
	if code == codeLater || code == codeLimit {
		return failure.Throttled
	}
	return ""
}

// explain says what the operator can do about a refusal of the management API.
func (p *Provider) explain(s *httpclient.StatusError) string {
	switch {
	case s.Code == codeNoFeature:
		return "the organisation lacks the feature OAuth secrets and key management: switch it on in the admin " +
			"console (Settings, Features), or have Okta do it"
	case s.Status == http.StatusUnauthorized:
		return p.credential.unknown()
	case s.Status == http.StatusForbidden:
		// the answer to the last is not documented; that Okta refuses is (AWS Secrets Manager user guide, "Okta OAuth
		// Client Secret")
		return p.credential.forbidden(p.settings.AppID) + "; and an app that holds an administrator role itself " +
			"cannot have its secrets changed"
	case s.Status == http.StatusNotFound && s.Code == codeNotFound:
		return fmt.Sprintf("there is no app %s (%s), or the admin role does not see it", p.settings.AppID,
			idp.Setting("appId"))
	case s.Status == http.StatusNotFound:
		return fmt.Sprintf("the answer is not Okta's; is %s right?", idp.Setting("orgUrl"))
	default:
		return ""
	}
}

var (
	codePattern  = regexp.MustCompile(`^E\d{7}$`)
	oauthPattern = regexp.MustCompile(`^[a-z_]{1,40}$`) // RFC 6749, section 5.2
)

// errorCode reads the code of an error answer of the management API, or of the token endpoint.
func errorCode(body []byte) string {
	var e struct {
		ErrorCode string `json:"errorCode"`
		Error     string `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	switch {
	case codePattern.MatchString(e.ErrorCode), oauthPattern.MatchString(e.ErrorCode): // the latter of a token endpoint
		return e.ErrorCode
	case oauthPattern.MatchString(e.Error):
		return e.Error
	default:
		return ""
	}
}
