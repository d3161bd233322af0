package demo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// runCommands pastes the instructions into a shell, from top to bottom: with this program in the place of the AWS CLI,
// and with the AWS CLI if there is one.
func runCommands(t *testing.T, instructions string) {
	t.Helper()
	if n := strings.Count(instructions, "\n  aws ") + strings.Count(instructions, "=$(aws "); n < 15 {
		t.Fatalf("%d commands in:\n%s", n, instructions)
	}
	for line := range strings.Lines(instructions) {
		if strings.HasPrefix(line, "#") && strings.ContainsAny(line, "'\"`();&<>*?[]{}$!|\\~") {
			t.Errorf("a shell without comments would read more than words in %s", line)
		}
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Log("there is no curl: its commands are not tested")
		instructions = regexp.MustCompile(`(?m)^  curl(?:[^']*'[^']*')?.*$`).ReplaceAllString(instructions, "")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	standIn := t.TempDir()
	if err := os.Symlink(self, filepath.Join(standIn, "aws")); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	run(t, instructions, standIn+":"+path)
	if exec.Command("aws", "--version").Run() != nil {
		t.Log("there is no AWS CLI: the commands were tested with the SDK only")
		return
	}
	run(t, instructions, path)
}

func run(t *testing.T, script, path string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-eux", "-o", "pipefail", "-c", strings.ReplaceAll(script, "curl ",
		"curl --fail --silent --show-error "))
	cmd.Env = append(os.Environ(), "PATH="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// awsCommand stands for the AWS CLI: the command's words name the SDK's client, operation and fields of its input.
func awsCommand(words []string) int {
	if err := callSDK(words); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func callSDK(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("aws %v: a service and an operation are needed", words)
	}
	config := aws.Config{Region: os.Getenv("AWS_DEFAULT_REGION"),
		BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL")),
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"),
			os.Getenv("AWS_SECRET_ACCESS_KEY"), "")}
	client, known := map[string]any{"stepfunctions": sfn.NewFromConfig(config),
		"secretsmanager": secretsmanager.NewFromConfig(config),
		"dynamodb":       dynamodb.NewFromConfig(config), "ssm": ssm.NewFromConfig(config),
		"elbv2":     elbv2.NewFromConfig(config),
		"scheduler": scheduler.NewFromConfig(config)}[words[0]]
	if !known {
		return fmt.Errorf("%s: no client for it here", words[0])
	}
	operation := reflect.ValueOf(client).MethodByName(pascal(words[1]))
	if !operation.IsValid() {
		return fmt.Errorf("%s has no operation %s", words[0], words[1])
	}
	input := reflect.New(operation.Type().In(1).Elem())
	options := map[string]string{}
	for i := 2; i+1 < len(words); i += 2 {
		options[words[i]] = words[i+1]
		if words[i] == "--query" || words[i] == "--output" {
			continue
		}
		field := input.Elem().FieldByName(pascal(strings.TrimPrefix(words[i], "--")))
		if !field.IsValid() {
			return fmt.Errorf("%s %s has no parameter %s", words[0], words[1], words[i])
		}
		if err := fill(field, words[i+1]); err != nil {
			return err
		}
	}
	result := operation.Call([]reflect.Value{reflect.ValueOf(context.Background()), input})
	if err, failed := result[1].Interface().(error); failed {
		return err
	}
	return show(result[0].Interface(), options["--query"])
}

// pascal is start-execution as StartExecution.
func pascal(s string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(s, "-") {
		out.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return out.String()
}

// fill sets a parameter of one of the types that the commands use.
func fill(field reflect.Value, word string) error {
	switch p := field.Addr().Interface().(type) {
	case **string:
		*p = &word
	case *[]string:
		*p = []string{word}
	case *map[string]types.AttributeValue:
		var key map[string]struct{ S string }
		if err := json.Unmarshal([]byte(word), &key); err != nil {
			return err
		}
		*p = map[string]types.AttributeValue{}
		for name, value := range key {
			(*p)[name] = &types.AttributeValueMemberS{Value: value.S}
		}
	case **schedulertypes.Target, **schedulertypes.FlexibleTimeWindow:
		return json.Unmarshal([]byte(word), p)
	default:
		return fmt.Errorf("a parameter of type %s", field.Type())
	}
	return nil
}

// show prints what --query selects, if it is a path like a[0].b, or everything.
func show(result any, query string) error {
	b, err := json.Marshal(result)
	if err != nil {
		return err
	}
	var node any
	if err := json.Unmarshal(b, &node); err != nil {
		return err
	}
	if query == "" || strings.Contains(query, "?") {
		fmt.Println(string(b))
		return nil
	}
	for _, name := range regexp.MustCompile(`\w+`).FindAllString(query, -1) {
		switch x := node.(type) {
		case []any:
			if len(x) == 0 {
				return fmt.Errorf("%s: the list is empty", query)
			}
			node = x[0]
		case map[string]any: // the SDK's fields begin with a capital, the wire's may not
			node = x[strings.ToUpper(name[:1])+name[1:]]
		}
	}
	text, ok := node.(string)
	if m, structure := node.(map[string]any); structure {
		maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
		b, err = json.Marshal(m)
		text, ok = string(b), err == nil
	}
	if !ok || text == "" {
		return fmt.Errorf("%s selects %v", query, node)
	}
	fmt.Println(text)
	return nil
}
