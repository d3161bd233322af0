package okta

import (
	"context"
	"fmt"
	"net/http"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/idp"
)

// credential is how we prove to Okta who we are.
type credential interface {
	authorize(ctx context.Context, r *http.Request) error
	// unknown and forbidden complete an error text with what to do about a 401 and a 403.
	unknown() string
	forbidden(appID string) string
}

func newCredential(s Settings, d idp.Deps) credential {
	if s.APIToken != nil {
		return apiToken{clientcredentials.Stored{Read: d.Secret, ARN: s.APIToken.SecretARN, What: "an Okta API token"}}
	}
	return newServiceApp(s, d)
}

// apiToken is an SSWS token. It is read for each request, so that a token replaced meanwhile counts at once.
type apiToken struct{ clientcredentials.Stored }

func (t apiToken) authorize(ctx context.Context, r *http.Request) error {
	token, err := t.Text(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "SSWS "+token.Reveal())
	return nil
}

func (t apiToken) unknown() string {
	return "the API token was revoked, or was not used for 30 days: create a new one and store it in " + t.ARN
}

func (t apiToken) forbidden(appID string) string {
	return fmt.Sprintf("the admin role of the API token's owner may not manage app %s: give that user the "+
		"Application Administrator role for it", appID)
}
