package keycloak

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"alboidc.internal/shared/idp/withoutids"
)

// registration is what is read of a client (ClientRepresentation). Its secrets are among what Keycloak sends; they are
// not kept.
type registration struct {
	ID                      string     `json:"id"`
	ClientID                string     `json:"clientId"`
	Enabled                 bool       `json:"enabled"`
	Protocol                string     `json:"protocol"`
	PublicClient            bool       `json:"publicClient"`
	BearerOnly              bool       `json:"bearerOnly"`
	StandardFlowEnabled     bool       `json:"standardFlowEnabled"`
	ClientAuthenticatorType string     `json:"clientAuthenticatorType"`
	Attributes              attributes `json:"attributes"`
	// Access is what the rotator may do with the client.
	Access struct {
		Manage    bool `json:"manage"`
		Configure bool `json:"configure"`
	} `json:"access"`

	keep   update
	traits map[string]string
	url    string
}

// attributes are those in which the executor secret-rotation keeps its times (ClientSecretConstants).
type attributes struct {
	SecretEnds  epoch `json:"client.secret.expiration.time"`
	RotatedEnds epoch `json:"client.secret.rotated.expiration.time"`
}

// epoch is a time in seconds since 1970, as a text.
type epoch string

// time is zero for a text that is none.
func (e epoch) time() time.Time {
	n, err := strconv.ParseInt(string(e), 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// update is the body of a request that changes a client. Absent fields stay as they are, but for these, which are sent
// as they were read: authorization services would be removed, empty web origins be derived from the redirect URIs, and
// a client's type must be repeated (ClientResource.update, RepresentationToModel.updateClient).
type update struct {
	ClientID                     json.RawMessage `json:"clientId"`
	Type                         json.RawMessage `json:"type,omitempty"`
	ServiceAccountsEnabled       json.RawMessage `json:"serviceAccountsEnabled,omitempty"`
	AuthorizationServicesEnabled json.RawMessage `json:"authorizationServicesEnabled,omitempty"`
	WebOrigins                   json.RawMessage `json:"webOrigins,omitempty"`
	// Secret is the value to set.
	Secret string `json:"secret,omitempty"`
}

func (r registration) secretURL() string  { return r.url + "/client-secret" }
func (r registration) rotatedURL() string { return r.secretURL() + "/rotated" }

// UnmarshalJSON reads a client and keeps of it what is needed.
func (r *registration) UnmarshalJSON(b []byte) error {
	type plain registration
	if err := json.Unmarshal(b, (*plain)(r)); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	r.keep = update{ClientID: all["clientId"], Type: all["type"], ServiceAccountsEnabled: all["serviceAccountsEnabled"],
		AuthorizationServicesEnabled: all["authorizationServicesEnabled"], WebOrigins: all["webOrigins"]}
	r.traits = withoutids.PickTraits(all, alike...)
	var attributes map[string]json.RawMessage
	_ = json.Unmarshal(all["attributes"], &attributes)
	for name, value := range withoutids.PickTraits(attributes, alikeAttributes...) {
		r.traits["attribute "+name] = value
	}
	if m := mappers(all["protocolMappers"]); m != "" {
		r.traits["protocolMappers"] = m
	}
	return nil
}

// alike are the settings in which two clients of a pair must be the same.
var alike = []string{"redirectUris", "rootUrl", "enabled", "consentRequired", "fullScopeAllowed", "defaultClientScopes",
	"optionalClientScopes",
	"authenticationFlowBindingOverrides", "frontchannelLogout"}

// alikeAttributes are those among a client's attributes. The others are not looked at: some are secrets.
var alikeAttributes = []string{"access.token.lifespan", "client.session.idle.timeout", "client.session.max.lifespan",
	"client.offline.session.idle.timeout",
	"client.offline.session.max.lifespan", "use.refresh.tokens", "pkce.code.challenge.method",
	"access.token.signed.response.alg", "id.token.signed.response.alg",
	"id.token.encrypted.response.alg", "user.info.response.signature.alg", "require.pushed.authorization.requests",
	"default.acr.values", "acr.loa.map",
	"minimum.acr.value", "tls.client.certificate.bound.access.tokens", "dpop.bound.access.tokens",
	"client.use.lightweight.access.token.enabled",
	"backchannel.logout.url", "post.logout.redirect.uris"}

// mappers tells protocol mappers by their names and a digest of what they do, which is not shown: it may hold anything.
func mappers(raw json.RawMessage) string {
	var list []map[string]json.RawMessage
	_ = json.Unmarshal(raw, &list)
	var out []string
	for _, m := range list {
		var name string
		_ = json.Unmarshal(m["name"], &name)
		does := withoutids.PickTraits(m, "protocol", "protocolMapper", "config")
		sum := sha256.Sum256([]byte(strings.Join([]string{does["protocol"], does["protocolMapper"], does["config"]},
			"\n")))
		out = append(out, name+" ("+hex.EncodeToString(sum[:3])+")")
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
