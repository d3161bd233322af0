package discover

import (
	"fmt"
	"slices"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/probe"
)

// Compare notes what a provider's own document says of a registration: whether the load balancers' endpoints are those
// of the provider, and how clients authenticate. A provider that does not answer here is noted, and nothing else.
func (c *Client) Compare(d probe.Document, err error) {
	if err != nil {
		c.Warnings = append(c.Warnings, "its discovery document could not be read from here: "+err.Error())
		return
	}
	first := c.Logins[0]
	differs := false
	for _, f := range []struct{ name, has, says string }{{"issuer", c.Issuer, d.Issuer},
		{"authorization endpoint", first.AuthorizationEndpoint, d.AuthorizationEndpoint},
		{"token endpoint", first.TokenEndpoint, d.TokenEndpoint}} {
		if f.says != "" && !config.SameURL(f.has, f.says) {
			differs = true
			c.Warnings = append(c.Warnings,
				fmt.Sprintf("its discovery document has the %s %s, the load balancers have %s: is "+
					"that another name of the same provider?", f.name, f.says, f.has))
		}
	}
	c.Documented = !differs
	// without the member it is client_secret_basic (OpenID Connect Discovery 1.0, section 3)
	if len(d.TokenAuthMethods) > 0 && !slices.Contains(d.TokenAuthMethods, "client_secret_basic") &&
		slices.Contains(d.TokenAuthMethods, "client_secret_post") {
		c.authMethod = "client_secret_post"
	}
}
