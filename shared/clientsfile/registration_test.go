package clientsfile

import (
	"strings"
	"testing"
)

// keycloak makes the second client of the example one of Keycloak, where ids are chosen by people.
const keycloak = `    issuer: https://sso.example.com/realms/shop
    clientId: 0oaordersweb0000001
    callbackUrl: https://shop.example.com/oauth2/idpresponse
    createSecret: true
    identityProvider:
      type: keycloak
      authorizationEndpoint: https://sso.example.com/realms/shop/protocol/openid-connect/auth
      tokenEndpoint: https://sso.example.com/realms/shop/protocol/openid-connect/token
      settings:
        serverUrl: https://sso.example.com
        realm: shop
        clientSecret: {clientId: rotator,
	secretArn: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:keycloak/rotator-AbCdEf"}
    loadBalancers:`

func TestOneRegistrationIsOneClient(t *testing.T) {
	t.Parallel()
	const id, second = "0oaordersweb0000001", "clientId: 0oashopweb000000001"
	const issuer = "    issuer: https://example.okta.com/oauth2/default\n    " + second
	const alias = "\n    aliases: [{issuer: https://EXAMPLE.okta.com:443/oauth2/default, authorizationEndpoint: " +
		"https://x.example.com/a, tokenEndpoint: https://x.example.com/t}]"
	const both = "client shop-web has the registration of client orders-web"
	for name, c := range map[string]struct{ old, new, want string }{
		"the same id and issuer": {second, "clientId: " + id, "shop-web: clientId: " + both},
		"the id in capitals":     {second, "clientId: 0OAORDERSWEB0000001", both},
		"another issuer of the vendor": {issuer,
			"    issuer: https://login.example.com/oauth2/other\n    clientId: " + id, both},
		"the other one's pair": {"# clientPair: 0oaordersweb0000002",
			"clientPair: 0oashopweb000000001", both},
		"another id":                     {second, "clientId: 0oashopweb000000009", ""},
		"an alias that is the other one": {second, "clientId: " + id + alias, both},
		"other registrations at Okta": {second, second + "\n    otherRegistrations: [{issuer: " +
			"https://x.example.com, tokenEndpoint: https://x.example.com/t}]",
			"shop-web: otherRegistrations: must be left out, client ids are unique at this provider (okta)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseFile(changedText(t, c.old, c.new))
			if c.want == "" && err != nil && strings.Contains(err.Error(), "registration") || c.want != "" &&
				(err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// With ids that people choose, the same id at another provider is another registration, unless the other vendor's are
// unique.
func TestChosenIDsAreComparedWithTheirIssuer(t *testing.T) {
	t.Parallel()
	text := string(changedText(t, "clients:", "clients:"))
	head, rest, _ := strings.Cut(text, "  - name: shop-web\n")
	_, tail, _ := strings.Cut(rest, "    loadBalancers:")
	entry := "  - name: shop-web\n" + keycloak + tail
	if _, err := parseFile([]byte(head + entry)); err == nil || !strings.Contains(err.Error(),
		"client shop-web has the registration of client orders-web") {
		t.Errorf("an id of Okta is nobody else's: %v", err)
	}
	stack, _, _ := strings.Cut(head, "clients:\n")
	other := strings.NewReplacer("shop-web", "shop-two", "realms/shop", "realms/two", "realm: shop",
		"realm: two").Replace(entry)
	if _, err := parseFile([]byte(stack + "clients:\n" + entry + "\n" + other)); err != nil {
		t.Errorf("two realms: %v", err)
	}
	same := strings.Replace(entry, "shop-web", "shop-two", 1)
	if _, err := parseFile([]byte(stack + "clients:\n" + entry + "\n" + same)); err == nil ||
		!strings.Contains(err.Error(), "client shop-two has the registration of client shop-web") {
		t.Errorf("one realm: %v", err)
	}
}
