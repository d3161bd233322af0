package pingone

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/strictjson"
)

// path of the settings in the client's configuration.
const path = "identityProvider.settings"

// Settings are the provider's part of a client's configuration.
type Settings struct {
	// EnvironmentID is the id of the environment, a UUID.
	EnvironmentID string `json:"environmentId"`
	// APIURL and AuthURL are those of the region, e.g. https://api.pingone.eu and https://auth.pingone.eu, without a path
	// (PingOne Platform API, "PingOne API domains").
	APIURL  string `json:"apiUrl"`
	AuthURL string `json:"authUrl"`
	// The worker application by which the rotator uses the Platform API.
	clientcredentials.Settings
}

var guidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

func parseSettings(raw json.RawMessage) (Settings, error) {
	var s Settings
	ps := strictjson.Decode(raw, &s, path)
	if len(ps) == 0 {
		s.check(&ps)
	}
	if err := ps.Err("the client configuration"); err != nil {
		return Settings{}, err
	}
	s.APIURL, s.AuthURL = strings.TrimSuffix(s.APIURL, "/"), strings.TrimSuffix(s.AuthURL, "/")
	return s, nil
}

func (s Settings) check(ps *strictjson.Problems) {
	if !guidPattern.MatchString(s.EnvironmentID) {
		ps.Add(path+".environmentId", "must be the id of the environment, a UUID")
	}
	for _, f := range []struct{ field, value string }{{"apiUrl", s.APIURL}, {"authUrl", s.AuthURL}} {
		config.CheckURL(ps, path+"."+f.field, f.value)
		if u, err := url.Parse(f.value); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
			ps.Add(path+"."+f.field, "must be the region's URL, e.g. https://api.pingone.eu or https://auth.pingone.eu, without a path")
		}
	}
	s.Settings.Check(ps, path)
}
