package cognito

import (
	"regexp"
	"strings"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/region"
	"alboidc.internal/shared/strictjson"
)

// Settings are the provider's part of a client's configuration. There is no credential among them: what may be done at
// Cognito is up to the role that the functions run with.
type Settings struct {
	// UserPoolID is the user pool that the app client is in, e.g. eu-central-1_AbCdEf123; it begins with the pool's
	// Region.
	UserPoolID string `json:"userPoolId"`
}

// poolPattern is the form of a user pool's id (Amazon Cognito user pools API reference, UserPoolType), with the Region
// spelt out.
var poolPattern = regexp.MustCompile(`^` + region.Form + `_[0-9A-Za-z]{1,40}$`)

func (s *Settings) check(ps *strictjson.Problems) {
	if !poolPattern.MatchString(s.UserPoolID) {
		ps.Add(idp.Setting("userPoolId"), "must be the id of the user pool, REGION_ID, e.g. eu-central-1_AbCdEf123")
	}
}

// region is where the user pool is.
func (s Settings) region() string {
	before, _, _ := strings.Cut(s.UserPoolID, "_")
	return before
}
