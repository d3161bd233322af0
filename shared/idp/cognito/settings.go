package cognito

import (
	"encoding/json"
	"regexp"
	"strings"

	"alboidc.internal/shared/strictjson"
)

// path of the settings in the client's configuration.
const path = "identityProvider.settings"

// Settings are the provider's part of a client's configuration. There is no credential among them: what may be done at
// Cognito is up to the role that the functions run with.
type Settings struct {
	// UserPoolID is the user pool that the app client is in, e.g. eu-central-1_AbCdEf123; it begins with the pool's
	// Region.
	UserPoolID string `json:"userPoolId"`
}

// poolPattern is the form of a user pool's id (Amazon Cognito user pools API reference, UserPoolType), with the Region
// spelt out.
var poolPattern = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]_[0-9A-Za-z]{1,40}$`)

// CheckSettings reports every problem of the settings as one InvalidInput failure. It makes no request.
func CheckSettings(raw json.RawMessage) error {
	_, err := parseSettings(raw)
	return err
}

func parseSettings(raw json.RawMessage) (Settings, error) {
	var s Settings
	ps := strictjson.Decode(raw, &s, path)
	if len(ps) == 0 && !poolPattern.MatchString(s.UserPoolID) {
		ps.Add(path+".userPoolId", "must be the id of the user pool, REGION_ID, e.g. eu-central-1_AbCdEf123")
	}
	if err := ps.Err("the client configuration"); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// region is where the user pool is.
func (s Settings) region() string {
	region, _, _ := strings.Cut(s.UserPoolID, "_")
	return region
}
