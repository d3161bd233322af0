package entra

import "alboidc.internal/shared/idp"

// Numbers by which Entra ID refuses a secret (Microsoft identity platform docs, "Microsoft Entra authentication and
// authorization error codes"). By the code invalid_client it refuses many other things, too. Microsoft may change the
// numbers: then a wrong secret is no longer seen to be refused, and a rotation ends before it has begun.
const (
	wrongSecret   = "AADSTS7000215"
	expiredSecret = "AADSTS7000222"
)

// otherAnswers are those that were seen or are documented for a client that asks for a token with its secret.
var otherAnswers = []idp.OtherAnswer{
	{Code: "AADSTS501051", Means: "Microsoft Graph is set to require assignment in this tenant, and the app is not " +
		"assigned to it: end that for the enterprise application Microsoft Graph, or assign the app a role of it"},
	{Code: "AADSTS65001", Means: "the tenant wants consent before the app gets a token for Microsoft Graph: grant it " +
		"the delegated permission User.Read of Microsoft Graph, with admin consent"},
	{Code: "AADSTS700016", Means: "the tenant has no such app, or no service principal (enterprise application) of " +
		"it: check clientId and the tenant in identityProvider.tokenEndpoint"},
	{Code: "AADSTS7000112", Means: "the app's service principal is disabled: logins are, too"},
	{Code: "AADSTS90002", Means: noTenant}, {Code: "AADSTS900021", Means: noTenant},
	{Code: "AADSTS900023", Means: noTenant},
	{Code: "AADSTS900382", Means: otherCloud}, {Code: "AADSTS900432", Means: otherCloud},
	{Code: "AADSTS500011", Means: otherCloud},
	{Code: "AADSTS53003", Means: "a Conditional Access policy for workload identities keeps the app out: exclude its " +
		"service principal, or the addresses of the functions"},
	{Code: "AADSTS7000218", Means: noSecret}, {Code: "AADSTS7000216", Means: noSecret},
	{Code: "AADSTS70021", Means: federatedOnly}, {Code: "AADSTS700213", Means: federatedOnly},
	{Code: "AADSTS90033", Means: passing}, {Code: "AADSTS90090", Means: passing}, {Code: "AADSTS90091", Means: passing},
	{Code: "AADSTS90006", Means: passing}, {Code: "AADSTS90055", Means: passing},
}

const (
	noTenant   = "there is no such tenant: check identityProvider.tokenEndpoint"
	otherCloud = "the app, the token endpoint and Microsoft Graph belong to different clouds: check " +
		"identityProvider.tokenEndpoint, and graphUrl and loginUrl in identityProvider.settings"
	noSecret      = "Entra ID saw no secret in the request: check identityProvider.tokenEndpointAuthMethod"
	federatedOnly = "it is about a federated credential, and the probe sends a secret"
	passing       = "Entra ID cannot answer now"
)
