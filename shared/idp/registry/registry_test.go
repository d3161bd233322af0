package registry_test

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/secret"
)

// notProviders are the folders of package idp that hold no provider.
var notProviders = []string{"conformance", "idptest", "registry", "withoutids"}

func TestEveryProviderFolderIsRegistered(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(notProviders, e.Name()) {
			folders = append(folders, e.Name())
		}
	}
	if got := registry.Types(); !slices.Equal(got, folders) {
		t.Errorf("registered are %v, but the folders are %v: add the line to providers in registry.go", got, folders)
	}
}

var deps = idp.Deps{
	HTTP:        http.DefaultClient,
	Secret:      func(context.Context, string) (secret.Value, error) { return secret.Value{}, nil },
	AWS:         func(region string) aws.Config { return aws.Config{Region: region} },
	Now:         time.Now,
	Sleep:       httpclient.Sleep,
	WebIdentity: func(context.Context, string) (secret.Value, error) { return secret.Value{}, nil },
}

func TestAnUnknownTypeIsRefusedWithTheListOfAllowedOnes(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "Okta", "memory"} {
		_, err := registry.New(kind, nil, idp.Client{}, deps)
		for _, err := range []error{err, registry.Check(kind, nil)} {
			if !failure.Is(err, failure.InvalidInput) || !strings.HasPrefix(err.Error(), "identityProvider.type: ") ||
				!strings.Contains(err.Error(), "allowed here: "+strings.Join(registry.Types(), ", ")) {
				t.Errorf("type %q: %v", kind, err)
			}
		}
	}
}

func TestEveryTypeRefusesEmptyAndUnknownSettings(t *testing.T) {
	t.Parallel()
	for _, kind := range registry.Types() {
		wrong := map[string]string{`{}`: "identityProvider.settings",
			`{"invented": 1}`: "identityProvider.settings.invented"}
		if kind == "manual" {
			delete(wrong, `{}`) // a provider without an API needs no setting
		}
		for settings, want := range wrong {
			_, err := registry.New(kind, []byte(settings), idp.Client{}, deps)
			for _, err := range []error{err, registry.Check(kind, []byte(settings))} {
				if !failure.Is(err, failure.InvalidInput) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s with %s: %v, want %q", kind, settings, err, want)
				}
			}
		}
	}
}

func TestGoodSettingsMakeAProviderWithoutARequest(t *testing.T) {
	t.Parallel()
	for kind, settings := range map[string]string{
		"cognito": `{"userPoolId": "eu-central-1_AbCdEf123"}`,
		"okta": `{"orgUrl": "https://example.okta.com", "appId": "0oa1",
			"apiToken": {"secretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:okta"}}`,
	} {
		if err := registry.Check(kind, []byte(settings)); err != nil {
			t.Error(err)
		}
		p, err := registry.New(kind, []byte(settings), idp.Client{}, deps)
		if err != nil || !p.Capabilities().HasIDs() {
			t.Errorf("New of %s is %v, %v", kind, p, err)
		}
	}
}

func TestAProviderNeedsItsDependencies(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*idp.Deps){
		"HTTP": func(d *idp.Deps) { d.HTTP = nil }, "Secret": func(d *idp.Deps) { d.Secret = nil },
		"AWS":         func(d *idp.Deps) { d.AWS = nil },
		"WebIdentity": func(d *idp.Deps) { d.WebIdentity = nil }, "Now": func(d *idp.Deps) { d.Now = nil },
		"Sleep": func(d *idp.Deps) { d.Sleep = nil },
	} {
		d := deps
		remove(&d)
		if _, err := registry.New("okta", nil, idp.Client{}, d); !failure.Is(err, failure.Internal) {
			t.Errorf("New without %s: %v", name, err)
		}
	}
}
