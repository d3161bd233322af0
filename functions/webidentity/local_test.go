package webidentity_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"alboidc.internal/functions/webidentity"
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
	secrets := credentials.NewStaticCredentialsProvider("local", "local", "")
	for name, get := range map[string]func() (string, error){
		"the SDK": func() (string, error) {
			out, err := awssts.New(awssts.Options{Region: "eu-central-1", BaseEndpoint: &srv.URL, Credentials: secrets}).GetWebIdentityToken(t.Context(),
				&awssts.GetWebIdentityTokenInput{Audience: []string{audience}, SigningAlgorithm: aws.String("RS256"), DurationSeconds: aws.Int32(60)})
			if err != nil {
				return "", err
			}
			if !out.Expiration.Equal(noon.Add(time.Minute)) {
				t.Errorf("the expiration is %s", out.Expiration)
			}
			return *out.WebIdentityToken, nil
		},
		"the functions": func() (string, error) {
			v, err := webidentity.Source{AWS: aws.Config{Region: "eu-central-1", BaseEndpoint: &srv.URL, Credentials: secrets},
				HTTP: http.DefaultClient, Now: time.Now}.Token(t.Context(), audience)
			return v.Reveal(), err
		},
	} {
		raw, err := get()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		keys, err := service.Keys()
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.Claims
		if err := token.Claims(keys.Key(token.Headers[0].KeyID)[0].Key, &claims); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err = claims.ValidateWithLeeway(jwt.Expected{Issuer: sts.Issuer, Subject: sts.Role, AnyAudience: jwt.Audience{audience}, Time: noon}, 0)
		if err != nil || !claims.Expiry.Time().Equal(noon.Add(time.Minute)) || claims.ID == "" {
			t.Errorf("%s: %+v, %v", name, claims, err)
		}
	}
}
