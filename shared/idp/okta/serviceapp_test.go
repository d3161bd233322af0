package okta_test

import (
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/imitationtest"
)

func TestAServiceAppsTokenIsUsedUntilJustBeforeItEnds(t *testing.T) {
	t.Parallel()
	v := org(t)
	p := withServiceApp(t, v, "")
	for _, step := range []struct {
		after  time.Duration
		tokens int
	}{{0, 1}, {58 * time.Minute, 1}, {time.Minute, 2}, {time.Second, 2}} {
		v.Clock.Advance(step.after)
		if _, err := p.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := v.Asked("okta.serviceToken"); got != step.tokens {
			t.Errorf("at %s: %d tokens were fetched, want %d", v.Clock.Now(), got, step.tokens)
		}
	}
}

// Which keys are usable, package clientcredentials shows.
func TestAnUnusableKeyIsNotUsed(t *testing.T) {
	t.Parallel()
	v := org(t)
	_, err := withServiceApp(t, v, "canary-no-key").List(t.Context())
	imitationtest.WantFailure(t, err, failure.Precondition, keyARN)
	if v.Asked("okta.serviceToken") != 0 {
		t.Error("a token was asked for")
	}
}

func TestARefusedTokenIsExplained(t *testing.T) {
	t.Parallel()
	const dpop = "Require Demonstrating Proof of Possession"
	for name, tt := range map[string]struct {
		status int
		answer string
		kind   failure.Kind
		says   string
	}{
		"a wrong key": {401, `{"error": "invalid_client", "error_description": "canary"}`, failure.IdPRejected,
			"public key with id kid-1"},
		"an unknown client, in Okta's own form": {401, `{"errorCode": "invalid_client", "errorSummary": "canary"}`,
			failure.IdPRejected, "public key with id kid-1"},
		"a missing scope": {400, `{"error": "invalid_scope", "error_description": "canary"}`, failure.IdPRejected,
			"grant the service app 0oaService the scopes"},
		"DPoP": {400, `{"error": "invalid_dpop_proof", "error_description": "canary"}`,
			failure.Precondition, dpop},
		"DPoP with a nonce": {400, `{"error": "use_dpop_nonce"}`, failure.Precondition, dpop},
		"a DPoP token": {200, `{"access_token": "canary", "token_type": "DPoP", "expires_in": 3600}`,
			failure.Precondition, dpop},
		"no token": {200, `{"token_type": "Bearer", "expires_in": 3600}`, failure.Unavailable, "not understood"},
		"a token of spaces": {200, `{"access_token": "can ary", "token_type": "Bearer"}`,
			failure.Unavailable, "not understood"},
		"too many requests": {429, `{"errorCode": "E0000047"}`, failure.Throttled, "E0000047"},
		"a server error":    {500, `canary`, failure.Unavailable, "HTTP 500"},
		"an unknown code":   {400, `{"error": "canary-canary"}`, failure.IdPRejected, "HTTP 400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := org(t)
			v.Answer("POST /oauth2/v1/token", tt.status, tt.answer)
			_, err := withServiceApp(t, v, "").List(t.Context())
			imitationtest.WantFailure(t, err, tt.kind, tt.says)
		})
	}
}
