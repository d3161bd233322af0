package orders

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"alboidc.internal/local/idp"
	"alboidc.internal/shared/idp/auth0/auth0test"
	"alboidc.internal/shared/idp/cognito/cognitotest"
	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/idp/keycloak/keycloaktest"
	"alboidc.internal/shared/idp/pingone/pingonetest"
)

// registration is how the client is known at one kind of identity provider.
type registration struct {
	// clientID is the OAuth client id, appID the id in the provider's management API, each in the provider's form.
	clientID, appID string
	// pairID is the client id of a second registration, at providers where a client can be a pair; "" elsewhere. It is one by
	// default where a registration has a single secret.
	pairID string
	// settings are identityProvider.settings; adminARN is the secret with the provider's admin credential.
	settings func(p *idp.Provider, appID, adminARN string) map[string]any
}

// registrations by the type of identity provider.
var registrations = map[string]registration{
	"okta": {clientID: "0oaorderswebclient01", appID: "0oaordersapp0000001", settings: func(p *idp.Provider, appID, adminARN string) map[string]any {
		return map[string]any{"orgUrl": p.URL(), "appId": appID, "apiToken": map[string]string{"secretArn": adminARN}}
	}},
	"entra": {clientID: "0b6f7e4c-51d2-4c1e-9a77-6f0f2a9d1c34", appID: "6d1b1f0a-8a0e-4b9c-8f43-2f6f2c5f7b21", settings: func(p *idp.Provider, _, adminARN string) map[string]any {
		return map[string]any{"tenantId": entratest.TenantID, "graphUrl": p.URL(), "loginUrl": p.URL(),
			"clientSecret": map[string]string{"clientId": entratest.RotatorID, "secretArn": adminARN}}
	}},
	"auth0": {clientID: "OrDeRsWeBfIrStClIeNt000000000001", pairID: "OrDeRsWeBsEcOnDcLiEnT00000000002",
		settings: func(p *idp.Provider, _, adminARN string) map[string]any {
			return map[string]any{"tenantUrl": p.URL(), "clientSecret": map[string]string{"clientId": auth0test.RotatorID, "secretArn": adminARN}}
		}},
	"pingone": {clientID: "5e8d1c3a-72b4-4f60-9d15-a0c4e6b8f213", settings: func(p *idp.Provider, _, adminARN string) map[string]any {
		return map[string]any{"environmentId": pingonetest.EnvironmentID, "apiUrl": p.URL(), "authUrl": p.URL(),
			"clientSecret": map[string]string{"clientId": pingonetest.WorkerID, "secretArn": adminARN}}
	}},
	"hydra": {clientID: "orders-web", pairID: "orders-web-second", settings: func(p *idp.Provider, _, _ string) map[string]any {
		return map[string]any{"adminUrl": p.URL(), "removeAllPrevious": true}
	}},
	"keycloak": {clientID: "orders-web", appID: "c1f3a9d2-7e64-4b08-9a5d-2f80c6b1e437", pairID: "orders-web-second", settings: func(p *idp.Provider, _, adminARN string) map[string]any {
		return map[string]any{"serverUrl": p.URL(), "realm": keycloaktest.Realm, "clientSecret": map[string]string{"clientId": keycloaktest.RotatorID, "secretArn": adminARN}}
	}},
	"manual": {clientID: "407408718192-orders.apps.example.com", settings: func(*idp.Provider, string, string) map[string]any {
		return map[string]any{}
	}},
	"cognito": {clientID: "1ordersweb2client3id4abcde5", settings: func(*idp.Provider, string, string) map[string]any {
		return map[string]any{"userPoolId": cognitotest.PoolID}
	}},
}

// findRegistration is the registration for a type of identity provider; "" is okta.
func findRegistration(kind string) (registration, error) {
	r, known := registrations[kind]
	if !known {
		return r, fmt.Errorf("identity provider %q is not one of %s", kind, strings.Join(slices.Sorted(maps.Keys(registrations)), ", "))
	}
	return r, nil
}
