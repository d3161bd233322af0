package entrypoint

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/middleware"

	"alboidc.internal/shared/awsconn"
	"alboidc.internal/shared/httpclient"
)

// The environment of a function, apart from what Lambda itself sets and what the AWS SDK reads.
const (
	// EnvJournalTable is the name of the journal's DynamoDB table. Required.
	EnvJournalTable = "JOURNAL_TABLE"
	// EnvParameterPrefix is the beginning of the names of the clients' SSM parameters; the client's name follows.
	// Required.
	EnvParameterPrefix = "PARAMETER_PREFIX"
	// EnvLogLevel is debug, info (default), warn or error.
	EnvLogLevel = "LOG_LEVEL"
	// EnvExtraCAFile is a PEM file of further trusted authorities, for load balancers or identity providers with a
	// private authority. The SDK's AWS_CA_BUNDLE is for AWS endpoints.
	EnvExtraCAFile = "EXTRA_CA_FILE"
	// EnvAllowLoopback lets smoke tests connect to loopback addresses: only the local stack sets it.
	EnvAllowLoopback = "ALLOW_LOOPBACK"
	// EnvInVPC says that the function runs in a VPC, which may have no way out: its failures say so.
	EnvInVPC = "IN_VPC"
	// EnvPlaceRoles is what the ARNs of the roles begin with by which the function reaches the clients of further
	// stacks; the number of the stack follows. Without it there are none.
	EnvPlaceRoles = "PLACE_ROLES"
	// EnvEvidenceTable, EnvEvidenceYears and EnvStateMachine are for function record alone: the name of the evidence
	// table, for how many years evidence is kept, and the ARN of the rotation's state machine.
	EnvEvidenceTable = "EVIDENCE_TABLE"
	EnvEvidenceYears = "EVIDENCE_YEARS"
	EnvStateMachine  = "STATE_MACHINE"
)

// environment is what the deployment tells a function.
type environment struct {
	journalTable    string
	parameterPrefix string
	version         string // the function's published version, which Lambda tells; on every log line
	logLevel        slog.Level
	roots           *x509.CertPool // nil: the system's
	extraCAs        []byte
	allowLoopback   bool
	inVPC           bool
	placeRoles      string
	evidenceTable   string
	evidenceYears   int
	machine         string // ARN
	region          string
	credentials     aws.CredentialsProvider
}

// required are the variables without which a function cannot work, and what each is.
var required = []struct{ name, is string }{
	{EnvJournalTable, "the name of the journal's table"},
	{EnvParameterPrefix, "what the names of the clients' parameters begin with"},
	{"AWS_REGION", "Lambda sets it"},
	{"AWS_ACCESS_KEY_ID", "Lambda sets it"},
	{"AWS_SECRET_ACCESS_KEY", "Lambda sets it"},
}

// readEnvironment checks every variable; each problem names its variable.
func readEnvironment(get func(string) string) (environment, error) {
	e := environment{journalTable: get(EnvJournalTable), parameterPrefix: get(EnvParameterPrefix),
		placeRoles: get(EnvPlaceRoles), evidenceTable: get(EnvEvidenceTable), machine: get(EnvStateMachine),
		version: get("AWS_LAMBDA_FUNCTION_VERSION"), region: get("AWS_REGION"),
		credentials: credentials.NewStaticCredentialsProvider(
			get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY"), get("AWS_SESSION_TOKEN"))}
	var problems []error
	for _, v := range required {
		if get(v.name) == "" {
			problems = append(problems, fmt.Errorf("%s is missing: %s", v.name, v.is))
		}
	}
	if l := get(EnvLogLevel); l != "" {
		if err := e.logLevel.UnmarshalText([]byte(l)); err != nil {
			problems = append(problems, fmt.Errorf("%s must be debug, info, warn or error", EnvLogLevel))
		}
	}
	if f := get(EnvExtraCAFile); f != "" {
		var err error
		if e.extraCAs, err = os.ReadFile(f); err == nil {
			e.roots, err = httpclient.Roots(e.extraCAs)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", EnvExtraCAFile, err))
		}
	}
	if y := get(EnvEvidenceYears); y != "" {
		var err error
		if e.evidenceYears, err = strconv.Atoi(y); err != nil || e.evidenceYears < 1 {
			problems = append(problems, fmt.Errorf("%s must be a number of years, 1 or more", EnvEvidenceYears))
		}
	}
	for name, to := range map[string]*bool{EnvAllowLoopback: &e.allowLoopback, EnvInVPC: &e.inVPC} {
		switch get(name) {
		case "", "false":
		case "true":
			*to = true
		default:
			problems = append(problems, fmt.Errorf("%s must be true or false", name))
		}
	}
	return e, errors.Join(problems...)
}

// loadAWS has the SDK read its own variables, such as AWS_USE_FIPS_ENDPOINT, AWS_CA_BUNDLE and AWS_MAX_ATTEMPTS. The
// credentials come from the function's role and from nowhere else, and no file of a developer's is read.
func (e environment) loadAWS(ctx context.Context) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, config.WithRegion(e.region), config.WithCredentialsProvider(e.credentials),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}),
		config.WithAPIOptions([]func(*middleware.Stack) error{awsconn.KeepOpen}))
}
