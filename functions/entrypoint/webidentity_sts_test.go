package entrypoint

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/sts"
	"alboidc.internal/shared/clock"
)

func TestAWebIdentityTokenStatesTheRoleToTheAudience(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	service := sts.New(clock.NewVirtual(noon))
	srv := httptest.NewServer(awsapi.NewServer(clock.Real{}, nil, service))
	t.Cleanup(srv.Close)
	v, err := webIdentity{stsOf(aws.Config{Region: "eu-central-1", BaseEndpoint: &srv.URL,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})}.token(t.Context(), audience)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(v.Reveal(), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := service.Keys()
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := token.Claims(keys.Key(token.Headers[0].KeyID)[0].Key, &claims); err != nil {
		t.Fatal(err)
	}
	err = claims.ValidateWithLeeway(jwt.Expected{Issuer: sts.Issuer, Subject: sts.Role,
		AnyAudience: jwt.Audience{audience}, Time: noon}, 0)
	if err != nil || !claims.Expiry.Time().Equal(noon.Add(time.Minute)) || claims.ID == "" {
		t.Errorf("%+v, %v", claims, err)
	}
}
