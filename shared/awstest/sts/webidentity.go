package sts

import (
	"crypto/rand"
	"fmt"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// Issuer is the account's own issuer of web identity tokens. Nothing listens there: who trusts it asks for Keys.
	Issuer = "https://00000000-1111-2222-3333-444444444444.tokens.sts.global.api.aws"
	// Role is whom the tokens are about; every caller of the local stack has this role.
	Role = "arn:aws:iam::" + awsapi.AccountID + ":role/alb-oidc-rotator"

	keyID = "local-sts-1"
	// Limits and default of DurationSeconds (STS API reference, GetWebIdentityToken).
	shortest, longest, usual = 60, 3600, 300
)

type webIdentityToken struct {
	WebIdentityToken string `xml:"WebIdentityToken"`
	Expiration       string `xml:"Expiration"`
}

// webIdentityToken states the caller's role to an audience. The local stack signs by RS256 only.
func (s *Service) webIdentityToken(call *awsapi.Call) (any, error) {
	p := call.Params()
	audience, algorithm, seconds := p.List("Audience"), p.String("SigningAlgorithm"), int64(usual)
	if p.Has("DurationSeconds") {
		n := p.Int("DurationSeconds")
		if n == nil {
			return nil, awsapi.Errorf("ValidationError", "DurationSeconds must be a number")
		}
		seconds = *n
	}
	if err := p.Done(); err != nil {
		return nil, err
	}
	switch {
	case len(audience) == 0:
		return nil, awsapi.Errorf("ValidationError", "Audience must have at least one member")
	case algorithm == "ES384":
		return nil, awsapi.NotImplementedParameter(call, "SigningAlgorithm=ES384")
	case algorithm != string(jose.RS256):
		return nil, awsapi.Errorf("ValidationError", "SigningAlgorithm must be RS256 or ES384")
	case seconds < shortest || seconds > longest:
		return nil, awsapi.Errorf("ValidationError", "DurationSeconds must be %d to %d", shortest, longest)
	}
	now := s.clock.Now()
	end := now.Add(time.Duration(seconds) * time.Second)
	token, err := s.sign(jwt.Claims{Issuer: Issuer, Subject: Role, Audience: audience, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(end)})
	if err != nil {
		return nil, err
	}
	return webIdentityToken{WebIdentityToken: token, Expiration: end.UTC().Format(time.RFC3339)}, nil
}

func (s *Service) sign(c jwt.Claims) (string, error) {
	key, err := s.key()
	if err != nil {
		return "", fmt.Errorf("making the key of web identity tokens: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", keyID))
	if err != nil {
		return "", fmt.Errorf("signing a web identity token: %w", err)
	}
	return jwt.Signed(signer).Claims(c).Serialize()
}

// Keys are the public keys of Issuer, as its JWKS endpoint would show them.
func (s *Service) Keys() (jose.JSONWebKeySet, error) {
	key, err := s.key()
	if err != nil {
		return jose.JSONWebKeySet{}, fmt.Errorf("making the key of web identity tokens: %w", err)
	}
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: keyID, Algorithm: string(jose.RS256),
		Use: "sig"}}}, nil
}
