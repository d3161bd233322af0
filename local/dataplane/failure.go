package dataplane

import (
	"bytes"
	"errors"
	"net/http"
)

// Reason is the access log's error_reason for a login that failed (Elastic Load Balancing user guide, Access logs for
// your Application Load Balancer, Error reason codes).
type Reason string

const (
	MissingHostHeader       Reason = "AuthMissingHostHeader"
	MissingStateParam       Reason = "AuthMissingStateParam"
	InvalidStateParam       Reason = "AuthInvalidStateParam"
	MissingNonce            Reason = "AuthMissingAWSALBAuthNonce"
	InvalidNonce            Reason = "AuthInvalidAWSALBAuthNonce"
	InvalidCookie           Reason = "AuthInvalidCookie"
	MissingCodeParam        Reason = "AuthMissingCodeParam"
	InvalidGrant            Reason = "AuthInvalidGrantError"
	TokenRequestFailed      Reason = "AuthTokenEpRequestFailed"
	TokenRequestTimeout     Reason = "AuthTokenEpRequestTimeout"
	InvalidTokenResponse    Reason = "AuthInvalidTokenResponse"
	InvalidIDToken          Reason = "AuthInvalidIdToken"
	UserinfoRequestFailed   Reason = "AuthUserinfoEpRequestFailed"
	UserinfoRequestTimeout  Reason = "AuthUserinfoEpRequestTimeout"
	InvalidUserinfoResponse Reason = "AuthInvalidUserinfoResponse"
	UnhandledException      Reason = "AuthUnhandledException"
)

// statusIdPError is the load balancer's own status for an error answer of the IdP (user guide, Troubleshoot your
// Application Load Balancers, HTTP 561).
const statusIdPError = 561

const (
	metricError   = "ELBAuthError"
	metricFailure = "ELBAuthFailure"
)

// failures says what the browser and CloudWatch see. The status of a refused code, of a bad token answer and of a bad
// id token is not documented; 401 and 500 are this stack's choice.
var failures = map[Reason]struct {
	status int
	metric string
}{
	MissingHostHeader:       {http.StatusUnauthorized, metricError},
	MissingStateParam:       {http.StatusUnauthorized, metricFailure},
	InvalidStateParam:       {http.StatusUnauthorized, metricFailure},
	MissingNonce:            {http.StatusUnauthorized, metricFailure},
	InvalidNonce:            {http.StatusUnauthorized, metricFailure},
	InvalidCookie:           {http.StatusUnauthorized, metricFailure},
	MissingCodeParam:        {http.StatusUnauthorized, metricFailure},
	InvalidGrant:            {http.StatusUnauthorized, metricFailure},
	TokenRequestFailed:      {statusIdPError, metricError},
	TokenRequestTimeout:     {http.StatusInternalServerError, metricError},
	InvalidTokenResponse:    {http.StatusInternalServerError, metricFailure},
	InvalidIDToken:          {http.StatusInternalServerError, metricFailure},
	UserinfoRequestFailed:   {http.StatusInternalServerError, metricError},
	UserinfoRequestTimeout:  {http.StatusInternalServerError, metricError},
	InvalidUserinfoResponse: {http.StatusInternalServerError, metricFailure},
	UnhandledException:      {http.StatusInternalServerError, metricError},
}

// Late reports whether the identity provider did not answer in time: that tells nothing of the client's secret.
func (r Reason) Late() bool { return r == TokenRequestTimeout || r == UserinfoRequestTimeout }

// ReasonOn is the reason that a load balancer's page of a failed login names, "" on any other page.
func ReasonOn(body []byte) Reason {
	for r := range failures {
		if bytes.Contains(body, []byte("<p>"+r+"</p>")) {
			return r
		}
	}
	return ""
}

// Error implements error: a Reason is the error of every step of a login.
func (r Reason) Error() string { return string(r) }

func reasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	var r Reason
	if errors.As(err, &r) {
		return r
	}
	return UnhandledException
}

// refuse answers the browser after a login that failed.
func (v *visit) refuse(reason Reason) {
	page(v.w, failures[reason].status, string(reason))
}
