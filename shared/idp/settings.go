package idp

import (
	"encoding/json"

	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/strictjson"
)

// SettingsPath is where a provider's settings are in a client's configuration.
const SettingsPath = "identityProvider.settings"

// Setting is the path of one of them, for error texts.
func Setting(field string) string { return SettingsPath + "." + field }

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
