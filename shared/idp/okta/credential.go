package okta

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
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
		return apiToken{arn: s.APIToken.SecretARN, read: d.Secret}
	}
	return newServiceApp(s, d)
}

// apiToken is an SSWS token. It is read for each request, so that a token replaced meanwhile counts at once.
type apiToken struct {
	arn  string
	read func(ctx context.Context, arn string) (secret.Value, error)
}

var tokenPattern = regexp.MustCompile(`^[!-~]+$`)

func (t apiToken) authorize(ctx context.Context, r *http.Request) error {
	v, err := t.read(ctx, t.arn)
	if err != nil {
		return fmt.Errorf("reading the Okta API token: %w", err)
	}
	token := strings.TrimSpace(v.Reveal())
	if !tokenPattern.MatchString(token) {
		return failure.New(failure.Precondition, "the secret %s does not hold an Okta API token, and nothing else, in plain text", t.arn)
	}
	r.Header.Set("Authorization", "SSWS "+token)
	return nil
}

func (t apiToken) unknown() string {
	return "the API token was revoked, or was not used for 30 days: create a new one and store it in " + t.arn
}

func (t apiToken) forbidden(appID string) string {
	return fmt.Sprintf("the admin role of the API token's owner may not manage app %s: give that user the Application Administrator role for it", appID)
}
