// Package sts is the little of AWS STS that functions need: tokens that prove their role to identity providers.
package sts

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"sync"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
)

// Service is AWS STS.
type Service struct {
	clock clock.Clock
	key   func() (*rsa.PrivateKey, error) // made when it is first needed: RSA keys are slow to make
}

var _ awsapi.Service = (*Service)(nil)

// New returns an STS whose every caller is one user of the local stack's account.
func New(c clock.Clock) *Service {
	return &Service{clock: c, key: sync.OnceValues(func() (*rsa.PrivateKey, error) {
		return rsa.GenerateKey(rand.Reader, 2048)
	})}
}

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "sts" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.Query }

const getWebIdentityToken = "GetWebIdentityToken"

// Operations implements awsapi.Service.
func (*Service) Operations() []string { return []string{getWebIdentityToken} }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	if call.Operation == getWebIdentityToken {
		return s.webIdentityToken(call)
	}
	return nil, awsapi.NotImplemented(call)
}
