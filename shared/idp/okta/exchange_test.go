package okta_test

import (
	"testing"

	"alboidc.internal/shared/idp/idptest/httpvendor"
)

// play expects requests with the API token.
func play(t *testing.T, exchanges ...httpvendor.Exchange) *httpvendor.Script {
	t.Helper()
	return httpvendor.Play(t, "SSWS "+apiToken, exchanges...)
}
