package pingone

import (
	"regexp"
	"strings"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/strictjson"
)

// Settings are the provider's part of a client's configuration.
type Settings struct {
	// EnvironmentID is the id of the environment, a UUID.
	EnvironmentID string `json:"environmentId"`
	// APIURL and AuthURL are those of the region, e.g. https://api.pingone.eu and https://auth.pingone.eu, without a
	// path (PingOne Platform API, "PingOne API domains").
	APIURL  string `json:"apiUrl"`
	AuthURL string `json:"authUrl"`
	// The worker application by which the rotator uses the Platform API.
	clientcredentials.Settings
}

var guidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// check reports what is wrong, and takes the slash from the end of the URLs.
func (s *Settings) check(ps *strictjson.Problems) {
	if !guidPattern.MatchString(s.EnvironmentID) {
		ps.Add(idp.Setting("environmentId"), "must be the id of the environment, a UUID")
	}
	const advice = "must be the region's URL, e.g. https://api.pingone.eu or https://auth.pingone.eu, without a path"
	config.CheckBaseURL(ps, idp.Setting("apiUrl"), s.APIURL, advice)
	config.CheckBaseURL(ps, idp.Setting("authUrl"), s.AuthURL, advice)
	s.Settings.Check(ps, idp.SettingsPath)
	s.APIURL, s.AuthURL = strings.TrimSuffix(s.APIURL, "/"), strings.TrimSuffix(s.AuthURL, "/")
}
