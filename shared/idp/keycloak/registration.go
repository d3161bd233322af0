package keycloak

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

// registration is what is read of a client (ClientRepresentation).
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
	// secret is the current one; zero if it is not shown. Who may not manage the client gets a mask
	// (StripSecretsUtils).
	secret secret.Value
	// rotated: there may be a rotated one. Keycloak keeps it in attributes (OIDCClientSecretConfigWrapper), and removes
	// these with it.
	rotated bool
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
	// Attributes leaves all as they are, being empty. Without it, an update of a client whose secret has ended fails.
	Attributes *struct{} `json:"attributes,omitempty"`
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
	r.traits = withoutids.Traits(all, differ, shown)
	var attributes map[string]json.RawMessage
	_ = json.Unmarshal(all["attributes"], &attributes)
	for name, value := range withoutids.Traits(attributes, differAttributes, shownAttributes) {
		if !strings.HasPrefix(name, "client.secret.") && !strings.HasPrefix(name, "saml.") {
			r.traits["attribute "+name] = value
		}
	}
	for name, value := range attributes {
		r.rotated = r.rotated || strings.HasPrefix(name, "client.secret.rotated") && withoutids.IsSet(value)
	}
	var text string
	if _ = json.Unmarshal(all["secret"], &text); r.Access.Manage && strings.Trim(text, "*") != "" {
		r.secret = secret.New(text)
	}
	for name, does := range mappers(all["protocolMappers"]) {
		r.traits["protocol mapper "+name] = does
	}
	return nil
}

// Of a pair, these may differ: who a client is, how it presents itself to people, and what Keycloak notes. Attributes
// and mappers are looked at one by one.
var differ = strings.Fields("id clientId name description secret registrationAccessToken access attributes " +
	"protocolMappers notBefore nodeReRegistrationTimeout registeredNodes")

// shown are the others of ClientRepresentation.
var shown = strings.Fields("adminUrl alwaysDisplayInConsole authenticationFlowBindingOverrides " +
	"authorizationServicesEnabled baseUrl bearerOnly clientAuthenticatorType consentRequired " +
	"defaultClientScopes directAccessGrantsEnabled enabled frontchannelLogout fullScopeAllowed " +
	"implicitFlowEnabled optionalClientScopes origin protocol publicClient redirectUris rootUrl " +
	"serviceAccountsEnabled standardFlowEnabled surrogateAuthRequired type webOrigins")

// differAttributes are about the looks; shownAttributes are harmless. Of the others, which may be anything, those of
// SAML have no effect on a client of OpenID Connect, and those of the secret are what rotations change.
var (
	differAttributes = strings.Fields("logoUri policyUri tosUri realm_client")
	shownAttributes  = strings.Fields("access.token.lifespan access.token.signed.response.alg acr.loa.map " +
		"backchannel.logout.session.required backchannel.logout.url client.offline.session.idle.timeout " +
		"client.offline.session.max.lifespan client.session.idle.timeout client.session.max.lifespan " +
		"client.use.lightweight.access.token.enabled default.acr.values dpop.bound.access.tokens " +
		"frontchannel.logout.url id.token.encrypted.response.alg id.token.signed.response.alg " +
		"minimum.acr.value pkce.code.challenge.method post.logout.redirect.uris " +
		"require.pushed.authorization.requests tls.client.certificate.bound.access.tokens use.refresh.tokens " +
		"user.info.response.signature.alg")
)

// mappers are digests of what protocol mappers do, by their names, of which Keycloak takes each once.
func mappers(raw json.RawMessage) map[string]string {
	var list []map[string]json.RawMessage
	_ = json.Unmarshal(raw, &list)
	out := map[string]string{}
	for _, m := range list {
		var name string
		_ = json.Unmarshal(m["name"], &name)
		delete(m, "id")
		does, _ := json.Marshal(m) // of what was unmarshalled, so there is no error
		all := withoutids.Traits(map[string]json.RawMessage{"does": does}, nil, nil)
		out[name] = all["does"]
	}
	return out
}
