package dataplane

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"time"

	"alboidc.internal/shared/awstest/elbv2"
)

// claimsLifetime is how long x-amzn-oidc-data is valid: long enough for the one request it travels with.
const claimsLifetime = 2 * time.Minute

// addHeaders puts the user's identity into the request to the target (Elastic Load Balancing user guide, Authenticate
// users using an Application Load Balancer, User claims encoding and signature verification). The signature is empty:
// the applications here believe their load balancer.
func (v *visit) addHeaders(o *elbv2.OIDC, id identity) bool {
	expires := v.plane.o.Now().Add(claimsLifetime).Unix()
	claims := maps.Clone(id.claims)
	claims["exp"], claims["iss"] = expires, o.Issuer
	header, err := json.Marshal(map[string]any{"typ": "JWT", "alg": "ES256", "iss": o.Issuer, "client": o.ClientID,
		"signer": v.balancer.ARN, "exp": expires})
	payload, errClaims := json.Marshal(claims)
	if err != nil || errClaims != nil {
		v.report(Login, v.rule.ARN, UnhandledException)
		v.refuse(UnhandledException)
		return false
	}
	v.r.Header.Set("x-amzn-oidc-identity", id.subject)
	// base64url WITH padding, other than RFC 7515 asks, as ALB's are
	padded := base64.URLEncoding.EncodeToString
	v.r.Header.Set("x-amzn-oidc-data", padded(header)+"."+padded(payload)+".")
	return true
}
