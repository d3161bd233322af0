package lambdaboot

import (
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/functions/session"
)

// vars is an environment that keeps what it was asked for.
type vars struct {
	set   map[string]string
	asked []string
}

func (v *vars) get(name string) string {
	v.asked = append(v.asked, name)
	return v.set[name]
}

// deployed is the environment of a function as it is deployed, changed by pairs of name and value.
func deployed(pairs ...string) *vars {
	v := &vars{set: map[string]string{EnvJournalTable: "rotation-journal", EnvParameterPrefix: "/rotator/clients/", "AWS_REGION": "eu-central-1",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "CANARY-key", "AWS_SESSION_TOKEN": "CANARY-token"}}
	for i := 0; i < len(pairs); i += 2 {
		v.set[pairs[i]] = pairs[i+1]
	}
	return v
}

// authority writes a certificate, and a file that is none.
func authority(t *testing.T) (good, bad string) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	good, bad = filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "ca.txt")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for path, content := range map[string][]byte{good: cert, bad: []byte("no certificate")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return good, bad
}

func TestAPlainEnvironmentGivesTheDefaults(t *testing.T) {
	t.Parallel()
	e, err := readEnvironment(deployed().get)
	if err != nil {
		t.Fatal(err)
	}
	if e.journalTable != "rotation-journal" || e.parameters != "/rotator/clients/" || e.logLevel != slog.LevelInfo || e.roots != nil || e.extraCAs != nil || e.allowLoopback ||
		e.aws.Region != "eu-central-1" || e.aws.BaseEndpoint != nil {
		t.Errorf("the environment is %+v", e)
	}
}

func TestEveryVariableIsRead(t *testing.T) {
	t.Parallel()
	ca, _ := authority(t)
	e, err := readEnvironment(deployed(EnvLogLevel, "debug", EnvExtraCAFile, ca, EnvAllowLoopback, "true", EnvInVPC, "true", "AWS_ENDPOINT_URL", "http://127.0.0.1:4566", "AWS_LAMBDA_FUNCTION_VERSION", "7").get)
	if err != nil {
		t.Fatal(err)
	}
	if e.logLevel != slog.LevelDebug || e.roots == nil || len(e.extraCAs) == 0 || !e.allowLoopback || !e.inVPC || *e.aws.BaseEndpoint != "http://127.0.0.1:4566" || e.version != "7" {
		t.Errorf("the environment is %+v", e)
	}
}

func TestEachProblemNamesItsVariable(t *testing.T) {
	t.Parallel()
	_, notPEM := authority(t)
	for name, c := range map[string]struct{ variable, value string }{
		"no table":                    {EnvJournalTable, ""},
		"no prefix":                   {EnvParameterPrefix, ""},
		"no Region":                   {"AWS_REGION", ""},
		"an unknown level":            {EnvLogLevel, "loud"},
		"a file that is not there":    {EnvExtraCAFile, "/no/such/file.pem"},
		"a file without certificates": {EnvExtraCAFile, notPEM},
		"neither true nor false":      {EnvAllowLoopback, "TRUE"},
		"a VPC, perhaps":              {EnvInVPC, "perhaps"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readEnvironment(deployed(c.variable, c.value).get)
			if err == nil || !strings.HasPrefix(err.Error(), c.variable) {
				t.Errorf("got %v, want %s named", err, c.variable)
			}
		})
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := readEnvironment(deployed(EnvJournalTable, "", EnvParameterPrefix, "", "AWS_REGION", "", EnvLogLevel, "loud", EnvExtraCAFile, "/no/such/file.pem", EnvAllowLoopback, "1").get)
	if err == nil {
		t.Fatal("no problem is told")
	}
	for _, variable := range []string{EnvJournalTable, EnvParameterPrefix, "AWS_REGION", EnvLogLevel, EnvExtraCAFile, EnvAllowLoopback} {
		if !strings.Contains(err.Error(), variable) {
			t.Errorf("%s is not named: %v", variable, err)
		}
	}
}

func TestLoopbackIsForbiddenUnlessAllowed(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": false, "false": false, "true": true} {
		e, err := readEnvironment(deployed(EnvAllowLoopback, value).get)
		if err != nil || e.allowLoopback != want {
			t.Errorf("%q: %v (%v), want %v", value, e.allowLoopback, err, want)
		}
	}
}

// Extra authorities come in EXTRA_CA_FILE only: AWS_CA_BUNDLE would replace the system's.
func TestABundleOfTheAWSToolsDoesNotMatter(t *testing.T) {
	t.Parallel()
	v := deployed("AWS_CA_BUNDLE", "/no/such/bundle.pem")
	e, err := readEnvironment(v.get)
	if err != nil || e.roots != nil || e.extraCAs != nil || slices.Contains(v.asked, "AWS_CA_BUNDLE") {
		t.Errorf("the environment is %+v (%v), asked were %q", e, err, v.asked)
	}
}

func TestTheCredentialsAreThoseOfTheFunction(t *testing.T) {
	t.Parallel()
	e, err := readEnvironment(deployed().get)
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.aws.Credentials.Retrieve(t.Context())
	if err != nil || c.AccessKeyID != "AKIDEXAMPLE" || c.SecretAccessKey != "CANARY-key" || c.SessionToken != "CANARY-token" {
		t.Errorf("the credentials are not those of the environment: %v", err)
	}
	for _, missing := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		e, err := readEnvironment(deployed(missing, "").get)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.aws.Credentials.Retrieve(t.Context()); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

func TestAClientForAnotherRegionDoesNotChangeTheFunctionsOwn(t *testing.T) {
	t.Parallel()
	e, err := readEnvironment(deployed().get)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.in("us-east-1").Region; got != "us-east-1" {
		t.Errorf("the Region is %s", got)
	}
	if got := e.in("").Region; got != "eu-central-1" || e.aws.Region != got {
		t.Errorf("the Region is %s, that of the function %s", got, e.aws.Region)
	}
}

func TestThereIsOneClientForEachRegion(t *testing.T) {
	t.Parallel()
	var made []string
	client := ByRegion(func(region string) *string {
		made = append(made, region)
		return &region
	})
	if a, b := client("eu-central-1"), client("eu-central-1"); a != b || *a != "eu-central-1" || *client("us-east-1") != "us-east-1" {
		t.Errorf("the clients are %s and %s", *a, *b)
	}
	if !slices.Equal(made, []string{"eu-central-1", "us-east-1"}) {
		t.Errorf("made were %q", made)
	}
}

func TestAPartAddsWhatItIsNamedFor(t *testing.T) {
	t.Parallel()
	e, err := readEnvironment(deployed().get)
	if err != nil {
		t.Fatal(err)
	}
	var d session.Deps
	if err := Balancers(e, &d); err != nil || d.Balancers == nil || d.Registrations != nil {
		t.Errorf("the load balancers are %v (%v)", d.Balancers, err)
	}
	if err := IdentityProvider(e, &d); err != nil || d.Registrations == nil || d.Prober == nil {
		t.Errorf("the identity provider is missing (%v)", err)
	}
	e.extraCAs = []byte("no certificate")
	if err := IdentityProvider(e, &d); err == nil {
		t.Error("an authority that cannot be read is ignored")
	}
}
