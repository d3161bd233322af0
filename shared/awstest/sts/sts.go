// Package sts is the little of AWS STS that is needed: tokens that prove a function's role to identity providers, and
// who calls.
package sts

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"sync"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
)

// Service is AWS STS.
type Service struct {
	clock clock.Clock
	key   func() (*rsa.PrivateKey, error) // made when it is first needed: RSA keys are slow to make

	mu       sync.Mutex
	trusts   map[string]Trust
	sessions map[string]assumed // by access key
	callers  map[string]string  // roles, by access key
}

var (
	_ awsapi.Service = (*Service)(nil)
	_ awsapi.Callers = (*Service)(nil)
)

// New returns an STS whose every caller is one user of the local stack's account.
func New(c clock.Clock) *Service {
	return &Service{clock: c, trusts: map[string]Trust{}, sessions: map[string]assumed{},
		callers: map[string]string{},
		key: sync.OnceValues(func() (*rsa.PrivateKey, error) {
			return rsa.GenerateKey(rand.Reader, 2048)
		})}
}

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "sts" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.Query }

var inputs = awsapi.InputsOf(sdk.AssumeRoleInput{}, sdk.GetWebIdentityTokenInput{}, sdk.GetCallerIdentityInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	switch call.Operation {
	case "GetWebIdentityToken":
		return s.webIdentityToken(call)
	case "GetCallerIdentity":
		return s.callerIdentity(call), nil
	case "AssumeRole":
		return s.assumeRole(call)
	}
	return nil, awsapi.NotImplemented(call)
}
