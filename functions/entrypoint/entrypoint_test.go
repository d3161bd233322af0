package entrypoint

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"
)

func TestEveryFunctionHasABinaryOfItsName(t *testing.T) {
	t.Parallel()
	mains, err := filepath.Glob("../*/bootstrap/main.go")
	if err != nil || len(mains) != len(entries()) {
		t.Errorf("there are %d binaries for %d functions (%v)", len(mains), len(entries()), err)
	}
	for name := range entries() {
		text, err := os.ReadFile(filepath.Join("..", name, "bootstrap", "main.go"))
		if err != nil || !strings.Contains(string(text), `{ entrypoint.Start("`+name+`") }`) {
			t.Errorf("the binary of %s starts another function (%v)", name, err)
		}
	}
}

// The rights of each function's role are in infra/iam.go; whole rotations as they are deployed are compared with them.
func TestAFunctionGetsWhatItsRoleHasRightsFor(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ balancers, registrations, metrics bool }{
		"plan":          {balancers: true, registrations: true},
		"createsecret":  {registrations: true},
		"updatealb":     {balancers: true},
		"promotesecret": {},
		"smoketest":     {balancers: true, metrics: true},
		"retiresecret":  {registrations: true},
	} {
		d, err := deps(t.Context(), name, entries()[name].parts, deployed(), Machine{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if (d.Balancers != nil) != want.balancers || (d.Registrations != nil) != want.registrations ||
			(d.AuthErrors != nil) != want.metrics || (d.LoginsStopped != nil) != want.metrics {
			t.Errorf("%s has the load balancers %t, the registration %t, the metrics %t %t; want %+v", name,
				d.Balancers != nil, d.Registrations != nil, d.AuthErrors != nil, d.LoginsStopped != nil, want)
		}
		if d.Prober == nil || d.Capabilities == nil || d.Rand == nil {
			t.Errorf("%s cannot probe", name)
		}
	}
}

func TestAFunctionThatCannotBeBuiltIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := New(t.Context(), "edge", deployed(), Machine{}); err == nil || !strings.Contains(err.Error(),
		`"edge"`) {
		t.Errorf("an unknown function: %v", err)
	}
	if _, err := New(t.Context(), "plan", deployed(EnvJournalTable, ""), Machine{}); err == nil ||
		!strings.Contains(err.Error(), EnvJournalTable) {
		t.Errorf("without a table: %v", err)
	}
}

// The SDK reads the environment of the process, which tests cannot share.
func TestTheVariablesOfTheAWSSDKAreHonoured(t *testing.T) {
	const call = `{"client":"orders-web","execution":"e","state":"CreateSecret"}`
	ca, endpoint, asked := awsEndpoint(t)
	create := func(t *testing.T, m Machine) error {
		t.Helper()
		f, err := New(t.Context(), "createsecret", deployed(), m)
		if err != nil {
			return err
		}
		_, err = f(t.Context(), []byte(call))
		var named messages.InvokeResponse_Error
		if !errors.As(err, &named) {
			t.Fatalf("the function ended with %v", err)
		}
		return errors.New(named.Message)
	}
	t.Setenv("AWS_ENDPOINT_URL", endpoint)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	var out bytes.Buffer
	m := Machine{Output: &out}
	t.Run("AWS_ENDPOINT_URL, whose authority is unknown", func(t *testing.T) {
		if err := create(t, m); !strings.Contains(err.Error(), "x509") || *asked != 0 {
			t.Errorf("got %v after %d requests", err, *asked)
		}
	})
	t.Run("AWS_CA_BUNDLE and AWS_MAX_ATTEMPTS", func(t *testing.T) {
		t.Setenv("AWS_CA_BUNDLE", ca)
		if err := create(t, m); !strings.Contains(err.Error(), "HTTP 503") || *asked != 1 {
			t.Errorf("got %v after %d requests", err, *asked)
		}
	})
	t.Run("files of a developer are not read", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte("[default]\nrole_arn = x\nsource_profile = nosuch\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_CONFIG_FILE", file)
		t.Setenv("AWS_CA_BUNDLE", ca)
		if err := create(t, m); !strings.Contains(err.Error(), "HTTP 503") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an AWS_CA_BUNDLE that is not there", func(t *testing.T) {
		t.Setenv("AWS_CA_BUNDLE", "/no/such/bundle.pem")
		if err := create(t, m); !strings.Contains(err.Error(), "/no/such/bundle.pem") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFIPSEndpointsAreUsedInEveryRegion(t *testing.T) {
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	c := loaded(t)
	var hosts []string
	c.HTTPClient = transport(func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Host)
		return nil, errors.New("no network")
	})
	c.RetryMaxAttempts = 1
	d, err := deps(t.Context(), "plan", entries()["plan"].parts, deployed(), Machine{AWS: &c}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	for _, arn := range []string{"", "arn:aws:secretsmanager:us-east-1:111122223333:secret:x"} {
		_, _ = d.ReadSecret(t.Context(), arn)
	}
	_, _ = d.Journal.Own(t.Context(), "orders-web", "e")
	_, _ = d.Clients.Newest(t.Context(), "orders-web")
	_, _ = webIdentity{stsOf(c)}.token(t.Context(), "x")
	want := "secretsmanager-fips.eu-central-1.amazonaws.com secretsmanager-fips.us-east-1.amazonaws.com " +
		"dynamodb-fips.eu-central-1.amazonaws.com ssm-fips.eu-central-1.amazonaws.com " +
		"sts-fips.eu-central-1.amazonaws.com"
	if got := strings.Join(hosts, " "); got != want {
		t.Errorf("asked were %s, want %s", got, want)
	}
}
