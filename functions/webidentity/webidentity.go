// Package webidentity gets tokens that prove a function's AWS role to parties outside AWS: an identity provider that
// trusts the account's own issuer needs no stored credential of ours (IAM user guide, "Outbound identity federation").
//
// It makes the one request itself: the SDK's client for STS would add 260 kB to every function that has an identity
// provider, and encoding/xml another 130 kB.
package webidentity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
)

const (
	operation = "GetWebIdentityToken"
	// algorithm is, of the two that STS offers (RS256, ES384), the one that every OpenID Connect relying party has to
	// support (OpenID Connect Core 1.0, section 15.1).
	algorithm = "RS256"
	// seconds is the shortest life of a token (STS API reference, GetWebIdentityToken): ours is used at once.
	seconds = "60"
	// maxBody is the longest answer that is read; a token has some two kilobytes.
	maxBody = 1 << 20
	// disabled is the error code of an account that has not switched the feature on.
	disabled = "OutboundWebIdentityFederationDisabledException"
)

// Source gets tokens from STS.
type Source struct {
	// AWS holds the credentials of the role and the Region: the global endpoint of STS does not have the operation.
	AWS  aws.Config
	HTTP *http.Client
	Now  func() time.Time
}

// Token returns a new token for the audience. Failures are those of package awserr; Precondition is an account without
// outbound identity federation. A repeat is harmless.
func (s Source) Token(ctx context.Context, audience string) (secret.Value, error) {
	token, err := s.request(ctx, audience)
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode() == disabled:
		return secret.Value{}, awserr.As(failure.Precondition, err, "getting a web identity token for %s: the AWS account has outbound identity "+
			"federation switched off; enable it in IAM (account settings), or use another kind of credential", audience)
	case awserr.KindOf(err) == failure.AccessDenied:
		return secret.Value{}, awserr.Wrap(err, "getting a web identity token for %s: the function's role needs sts:GetWebIdentityToken for this audience", audience)
	case err != nil:
		return secret.Value{}, awserr.Wrap(err, "getting a web identity token for %s", audience)
	}
	return token, nil
}

// request is the operation in AWS's Query protocol.
func (s Source) request(ctx context.Context, audience string) (secret.Value, error) {
	body := url.Values{"Action": {operation}, "Version": {"2011-06-15"}, "Audience.member.1": {audience},
		"SigningAlgorithm": {algorithm}, "DurationSeconds": {seconds}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint(), strings.NewReader(body))
	if err != nil {
		return secret.Value{}, failure.New(failure.Internal, "the endpoint of STS is not a URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	credentials, err := s.AWS.Credentials.Retrieve(ctx)
	if err != nil {
		return secret.Value{}, err
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "sts", s.AWS.Region, s.Now()); err != nil {
		return secret.Value{}, err
	}
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return secret.Value{}, &smithyhttp.RequestSendError{Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if resp.StatusCode != http.StatusOK {
		return secret.Value{}, refusal(resp, text)
	}
	if err != nil {
		return secret.Value{}, &smithyhttp.RequestSendError{Err: err}
	}
	return read(text)
}

// endpoint is the Region's (AWS General Reference, "AWS STS endpoints"), unless the configuration has another.
func (s Source) endpoint() string {
	if e := aws.ToString(s.AWS.BaseEndpoint); e != "" {
		return strings.TrimSuffix(e, "/") + "/"
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(s.AWS.Region, "cn-") {
		domain = "amazonaws.com.cn"
	}
	return "https://sts." + s.AWS.Region + "." + domain + "/"
}

func read(text []byte) (secret.Value, error) {
	token := element(text, "WebIdentityToken")
	if !tokenPattern.MatchString(token) {
		return secret.Value{}, failure.New(failure.Unavailable, "the answer of STS is not understood")
	}
	return secret.New(token), nil
}

// refusal is an error answer in the form of the SDK's errors, which package awserr reads.
func refusal(resp *http.Response, text []byte) error {
	api := &smithy.GenericAPIError{Code: "UnknownError"}
	if code := element(text, "Code"); codePattern.MatchString(code) {
		api.Code, api.Message = code, element(text, "Message")
	}
	return &smithy.OperationError{ServiceID: "STS", OperationName: operation,
		Err: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: resp}, Err: api}}
}

var (
	// tokenPattern is a signed JWT in compact form (RFC 7515, section 3.1).
	tokenPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
	codePattern  = regexp.MustCompile(`^[A-Za-z]+$`)
)

// element is the text of the first element of that name, "" if there is none. The elements read here have no attributes
// and no children.
func element(text []byte, name string) string {
	_, after, found := strings.Cut(string(text), "<"+name+">")
	value, _, closed := strings.Cut(after, "</"+name+">")
	if !found || !closed {
		return ""
	}
	return strings.TrimSpace(value)
}
