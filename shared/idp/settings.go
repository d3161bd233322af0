package idp

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/strictjson"
)

// SettingsPath is where a provider's settings are in a client's configuration.
const SettingsPath = "identityProvider.settings"

// Setting is the path of one of them, for error texts.
func Setting(field string) string { return SettingsPath + "." + field }

// IsID reports whether an id can be a part of a URL's path, once it is escaped (Path). Vendors let people choose ids,
// URLs and names with spaces among them; only what could lead to another path is none.
func IsID(id string) bool {
	parts := strings.FieldsFunc(id, func(c rune) bool { return c == '/' || c == '\\' })
	return id != "" && len(id) <= 255 && !strings.ContainsFunc(id, unicode.IsControl) &&
		!slices.Contains(parts, ".") && !slices.Contains(parts, "..")
}

// Path is a URL's path of these parts, each escaped.
func Path(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}

// ParseSettings reads a provider's settings. check fills in what was left out and reports what is wrong, by the path
// of each field; everything that is wrong is one InvalidInput failure.
func ParseSettings[S any](raw json.RawMessage, check func(*S, *strictjson.Problems)) (S, error) {
	var s, none S
	ps := strictjson.Decode(raw, &s, SettingsPath)
	if len(ps) == 0 {
		check(&s, &ps)
	}
	if err := ps.Err("the client configuration"); err != nil {
		return none, err
	}
	return s, nil
}

// API completes a vendor's HTTP API by what all have in common.
func (d Deps) API(a httpclient.API) *httpclient.API {
	a.HTTP, a.Now, a.Sleep = d.HTTP, d.Now, d.Sleep
	return &a
}

// Access is what a credential of the rotator's own is reached by.
func (d Deps) Access() clientcredentials.Access {
	return clientcredentials.Access{Secret: d.Secret, AWS: d.AWS, Now: d.Now}
}
