package stack_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"alboidc.internal/local/stack"
)

// clients of the services that the local stack has, by the SDK's package.
func clients(c aws.Config) map[string]any {
	return map[string]any{"iam": iam.NewFromConfig(c), "kms": kms.NewFromConfig(c),
		"cloudtrail": cloudtrail.NewFromConfig(c), "cloudwatch": cloudwatch.NewFromConfig(c),
		"cognitoidentityprovider": cognitoidentityprovider.NewFromConfig(c),
		"dynamodb":                dynamodb.NewFromConfig(c),
		"elasticloadbalancingv2":  elasticloadbalancingv2.NewFromConfig(c),
		"eventbridge":             eventbridge.NewFromConfig(c), "lambda": lambda.NewFromConfig(c),
		"scheduler":      scheduler.NewFromConfig(c),
		"secretsmanager": secretsmanager.NewFromConfig(c), "sfn": sfn.NewFromConfig(c), "sns": sns.NewFromConfig(c),
		"ssm": ssm.NewFromConfig(c),
		"sts": sts.NewFromConfig(c)}
}

// others are the names that the AWS CLI and Amazon States Language give to the SDK's packages.
var others = map[string]string{"stepfunctions": "sfn", "elbv2": "elasticloadbalancingv2", "events": "eventbridge",
	"cognito-idp": "cognitoidentityprovider"}

// rest are the services whose operations are paths.
var rest = map[string]bool{"lambda": true, "scheduler": true}

// The local stack answers what somebody asks of it and nothing else: every operation is code to keep and to believe.
// With -v it prints the operations and who asks.
func TestTheStackAnswersOnlyWhatIsAsked(t *testing.T) {
	t.Parallel()
	asked := whoAsks(t)
	s, err := stack.Start(t.Context(), stack.Options{Vendor: "cognito"}) // whose API is one of AWS
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, operation := range answered(t, s) {
		if len(asked[operation]) == 0 {
			t.Errorf("%s is answered, and nobody asks it: remove it", operation)
		}
		t.Logf("%-50s %s", operation, strings.Join(asked[operation], ", "))
		delete(asked, operation)
	}
	for operation, who := range asked {
		service, _, _ := strings.Cut(operation, " ")
		production := slices.Contains(who, "product") || slices.Contains(who, "rotator") || slices.Contains(who,
			"state machine")
		if production && clients(aws.Config{})[service] != nil {
			t.Errorf("%s is not answered, and is asked by %v", operation, who)
		}
	}
}

// whoAsks finds who uses which operation, in the SDK's words: "sfn StartExecution".
func whoAsks(t *testing.T) map[string][]string {
	t.Helper()
	asked := map[string][]string{}
	add := func(who, service, operation string) {
		if other := others[service]; other != "" {
			service = other
		}
		if key := service + " " + operation; !slices.Contains(asked[key], who) {
			asked[key] = append(asked[key], who)
		}
	}
	command := regexp.MustCompile(`\baws ([a-z][a-z0-9-]+) ([a-z]+(?:-[a-z]+)+)`)
	integration := regexp.MustCompile(`:states:::(?:aws-sdk:)?([a-z]+):([a-z][A-Za-z]+)`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path = filepath.ToSlash(path)
		if d.IsDir() {
			if path != "../.." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		text := func() string {
			b, failed := os.ReadFile(path)
			err = failed
			return string(b)
		}
		switch who := asker(strings.TrimPrefix(path, "../../")); {
		case strings.HasSuffix(path, ".md"):
			for _, m := range command.FindAllStringSubmatch(text(), -1) {
				add("docs", m[1], pascal(m[2]))
			}
		case strings.HasSuffix(path, ".asl.json"):
			for _, m := range integration.FindAllStringSubmatch(text(), -1) {
				add("state machine", m[1], strings.ToUpper(m[2][:1])+m[2][1:])
			}
		case strings.HasSuffix(path, ".go") && who != "":
			source := text()
			for _, m := range command.FindAllStringSubmatch(source, -1) { // what people are told to run
				add("docs", m[1], pascal(m[2]))
			}
			for _, used := range inputs(t, path, source) {
				add(who, used[0], used[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return asked
}

// asker is whose a Go file is; "" if it does not count: a double of a service, its own tests, and others' tests.
func asker(path string) string {
	top, rest, _ := strings.Cut(path, "/")
	folder, _, _ := strings.Cut(rest, "/")
	test := strings.HasSuffix(path, "_test.go")
	switch {
	case top == "local" && slices.Contains([]string{"deployed", "guarantees"}, folder):
		return "tests of whole rotations"
	case top == "local" && slices.Contains([]string{"demo", "scenario", "delivery"}, folder) && !test:
		return "demo"
	case top == "cmd" && !test:
		return "rotator"
	case top != "functions" && top != "shared" || regexp.MustCompile(`/(\w+test|recorded)/`).MatchString(path):
		return ""
	case test || strings.Contains(path, "/internal/fakes/"):
		return "tests of the product"
	default:
		return "product"
	}
}

// pascal is start-execution as StartExecution.
func pascal(s string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(s, "-") {
		out.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return out.String()
}

// inputs are the operations whose inputs a file names: dynamodb.GetItemInput is {"dynamodb", "GetItem"}.
func inputs(t *testing.T, path, source string) (out [][2]string) {
	t.Helper()
	if !strings.Contains(source, "aws-sdk-go-v2/service/") {
		return nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]string{}
	for _, i := range file.Imports {
		service, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "github.com/aws/aws-sdk-go-v2/service/")
		if ok && !strings.Contains(service, "/") {
			name := service
			if i.Name != nil {
				name = i.Name.Name
			}
			packages[name] = service
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && packages[x.Name] != "" {
				if operation, ok := strings.CutSuffix(s.Sel.Name, "Input"); ok {
					out = append(out, [2]string{packages[x.Name], operation})
				}
			}
		}
		return true
	})
	return out
}

// refused is the answer to an operation that is not there, and to those that the SDK does not sign.
var refused = regexp.MustCompile(`the local stack does not implement [a-z-]+:|the request has no AWS signature`)

// answered are the operations that the stack does not refuse to know: every operation of every SDK client is called.
func answered(t *testing.T, s *stack.Stack) []string {
	t.Helper()
	config := s.AWS("eu-central-1")
	config.RetryMaxAttempts, config.DisableRequestCompression = 1, true
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) { // some operations have hosts of their own
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(s.URL, "http://"))
	}
	config.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: dial}}
	config.APIOptions = append(config.APIOptions, func(m *middleware.Stack) error {
		_, _ = m.Initialize.Remove("OperationInputValidation")
		return nil
	})
	var out []string
	for service, client := range clients(config) {
		v := reflect.ValueOf(client)
		for i := range v.NumMethod() {
			method, name := v.Method(i), v.Type().Method(i).Name
			if method.Type().NumIn() != 3 || !strings.HasSuffix(method.Type().In(1).String(), "."+name+"Input") {
				continue
			}
			input := reflect.New(method.Type().In(1).Elem())
			for n := range input.Elem().NumField() { // what a path is made of must be there
				if field := input.Elem().Field(n); rest[service] && field.Type() == reflect.TypeFor[*string]() {
					field.Set(reflect.ValueOf(aws.String("x")))
				}
			}
			err, _ := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), input})[1].Interface().(error)
			if err == nil || !refused.MatchString(err.Error()) {
				out = append(out, service+" "+name)
			}
		}
	}
	slices.Sort(out)
	return out
}
