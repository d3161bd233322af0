package entrypoint

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

	"github.com/aws/aws-sdk-go-v2/aws"
)

// deployed is the environment of a function as it is deployed, changed by pairs of name and value.
func deployed(pairs ...string) func(string) string {
	v := map[string]string{EnvJournalTable: "rotation-journal", EnvParameterPrefix: "/rotator/clients/",
		"AWS_REGION":        "eu-central-1",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "CANARY-key", "AWS_SESSION_TOKEN": "CANARY-token"}
	for i := 0; i < len(pairs); i += 2 {
		v[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return v[name] }
}

// loaded is the AWS configuration of a function as it is deployed, and as the process's environment says besides.
func loaded(t *testing.T) aws.Config {
	t.Helper()
	e, err := readEnvironment(deployed())
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.loadAWS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// authority writes a certificate, and a file that is none.
func authority(t *testing.T) (good, bad string) {
	t.Helper()
	good, _, _ = awsEndpoint(t)
	bad = filepath.Join(t.TempDir(), "ca.txt")
	if err := os.WriteFile(bad, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	return good, bad
}

// awsEndpoint answers every request with 503 and counts them. ca is a file with its authority.
func awsEndpoint(t *testing.T) (ca, url string, asked *int) {
	t.Helper()
	asked = new(int)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		*asked++
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return ca, s.URL, asked
}

func TestAPlainEnvironmentGivesTheDefaults(t *testing.T) {
	t.Parallel()
	e, err := readEnvironment(deployed())
	if err != nil {
		t.Fatal(err)
	}
	if e.journalTable != "rotation-journal" || e.parameterPrefix != "/rotator/clients/" ||
		e.logLevel != slog.LevelInfo || e.roots != nil || e.extraCAs != nil || e.allowLoopback ||
		e.region != "eu-central-1" {
		t.Errorf("the environment is %+v", e)
	}
}

func TestEveryVariableIsRead(t *testing.T) {
	t.Parallel()
	ca, _ := authority(t)
	e, err := readEnvironment(deployed(EnvLogLevel, "debug", EnvExtraCAFile, ca, EnvAllowLoopback, "true", EnvInVPC,
		"true", "AWS_LAMBDA_FUNCTION_VERSION", "7"))
	if err != nil {
		t.Fatal(err)
	}
	if e.logLevel != slog.LevelDebug || e.roots == nil || len(e.extraCAs) == 0 || !e.allowLoopback || !e.inVPC ||
		e.version != "7" {
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
		"no key id":                   {"AWS_ACCESS_KEY_ID", ""},
		"no key":                      {"AWS_SECRET_ACCESS_KEY", ""},
		"an unknown level":            {EnvLogLevel, "loud"},
		"a file that is not there":    {EnvExtraCAFile, "/no/such/file.pem"},
		"a file without certificates": {EnvExtraCAFile, notPEM},
		"neither true nor false":      {EnvAllowLoopback, "TRUE"},
		"a VPC, perhaps":              {EnvInVPC, "perhaps"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readEnvironment(deployed(c.variable, c.value))
			if err == nil || !strings.HasPrefix(err.Error(), c.variable) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("got %v, want %s named", err, c.variable)
			}
		})
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := readEnvironment(deployed(EnvJournalTable, "", EnvParameterPrefix, "", "AWS_REGION", "", EnvLogLevel,
		"loud", EnvExtraCAFile, "/no/such/file.pem", EnvAllowLoopback, "1"))
	if err == nil {
		t.Fatal("no problem is told")
	}
	for _, variable := range []string{EnvJournalTable, EnvParameterPrefix,
		"AWS_REGION", EnvLogLevel, EnvExtraCAFile, EnvAllowLoopback} {
		if !strings.Contains(err.Error(), variable) {
			t.Errorf("%s is not named: %v", variable, err)
		}
	}
}

func TestLoopbackIsForbiddenUnlessAllowed(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": false, "false": false, "true": true} {
		e, err := readEnvironment(deployed(EnvAllowLoopback, value))
		if err != nil || e.allowLoopback != want {
			t.Errorf("%q: %v (%v), want %v", value, e.allowLoopback, err, want)
		}
	}
}

func TestTheCredentialsAreThoseOfTheFunction(t *testing.T) {
	t.Parallel()
	c, err := loaded(t).Credentials.Retrieve(t.Context())
	if err != nil || c.AccessKeyID != "AKIDEXAMPLE" || c.SecretAccessKey != "CANARY-key" ||
		c.SessionToken != "CANARY-token" {
		t.Errorf("the credentials are not those of the environment: %v", err)
	}
}

func TestAClientForAnotherRegionDoesNotChangeTheFunctionsOwn(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	m := Machine{AWS: &c}
	if got := m.in("us-east-1").Region; got != "us-east-1" {
		t.Errorf("the Region is %s", got)
	}
	if got := m.in("").Region; got != "eu-central-1" || c.Region != got {
		t.Errorf("the Region is %s, that of the function %s", got, c.Region)
	}
}

func TestThereIsOneClientForEachRegion(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	var made []string
	client := byRegion(Machine{AWS: &c}, func(c aws.Config) *string {
		made = append(made, c.Region)
		return &c.Region
	})
	if a, b := client("eu-central-1"), client("eu-central-1"); a != b || *a != "eu-central-1" ||
		*client("us-east-1") != "us-east-1" {
		t.Errorf("the clients are %s and %s", *a, *b)
	}
	if !slices.Equal(made, []string{"eu-central-1", "us-east-1"}) {
		t.Errorf("made were %q", made)
	}
}
