package stack_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"alboidc.internal/local/stack"
)

// Each line is one request for one of the services: what AWS does not know changes nothing, what it knows and the stack
// does not honour is refused by name.
func TestTheServicesIgnoreWhatAWSIgnores(t *testing.T) {
	t.Parallel()
	s, err := stack.Start(t.Context(), stack.Options{Vendor: "cognito"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	const version = "&Version=2026-01-01"
	for _, c := range []struct{ service, target, path, unknown, known string }{
		{"secretsmanager", "secretsmanager.DescribeSecret", "/", `{"SecretId":"x","Zzz":1}`, ""},
		{"secretsmanager", "secretsmanager.CreateSecret", "/", `{"Name":"x","Zzz":1}`, `{"Name":"x","KmsKeyId":"k"}`},
		{"ssm", "AmazonSSM.PutParameter", "/", `{"Name":"/x","Zzz":1}`, `{"Name":"/x","AllowedPattern":"a"}`},
		{"dynamodb", "DynamoDB_20120810.GetItem", "/", `{"TableName":"xyz","Key":{"a":{"S":"b"}},"Zzz":1}`,
			`{"TableName":"xyz","ReturnConsumedCapacity":"TOTAL"}`},
		{"states", "AWSStepFunctions.StartExecution", "/", `{"stateMachineArn":"x","zzz":1}`,
			`{"stateMachineArn":"x","traceHeader":"t"}`},
		{"events", "AWSEvents.PutEvents", "/", `{"Entries":[{"Zzz":1}],"Zzz":1}`, `{"Entries":[],"EndpointId":"x.y"}`},
		{"monitoring", "GraniteServiceVersion20100801.ListMetrics", "/", `{"Zzz":1}`, `{"IncludeLinkedAccounts":true}`},
		{"cognito-idp", "AWSCognitoIdentityProviderService.DescribeUserPoolClient", "/", `{"Zzz":1}`, ""},
		{"sns", "", "/", "Action=Publish&TopicArn=x&Message=m&Zzz=1" + version,
			"Action=Publish&PhoneNumber=1" + version},
		{"elasticloadbalancing", "", "/", "Action=DescribeRules&ListenerArn=x&Zzz.member.1=1" + version,
			"Action=CreateLoadBalancer&Scheme=internal" + version},
		{"sts", "", "/", "Action=GetWebIdentityToken&Zzz=1" + version,
			"Action=GetWebIdentityToken&Tags.member.1.Key=k" +
				version},
		{"lambda", "", "/2015-03-31/functions?zzz=1", `{"FunctionName":"f","Zzz":1}`,
			`{"FunctionName":"f","Layers":["x"]}`},
		{"scheduler", "", "/schedules/x?zzz=1", `{"ScheduleExpression":"rate(1 day)","Zzz":1}`, `{"StartDate":1}`},
	} {
		for body, refused := range map[string]bool{c.unknown: false, c.known: true} {
			if body == "" {
				continue
			}
			status, text := send(t, s, c.service, c.target, c.path, body)
			if got := status == http.StatusNotImplemented; got != refused {
				t.Errorf("%s %s %s: %d %s", c.service, c.target, body, status, text)
			}
		}
	}
}

// Every operation knows AWS's model: a new one that does not would answer 501 where AWS answers.
func TestEveryOperationIgnoresWhatAWSDoesNotKnow(t *testing.T) {
	t.Parallel()
	s, err := stack.Start(t.Context(), stack.Options{Vendor: "cognito"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	signing := map[string]string{"secretsmanager": "secretsmanager", "ssm": "ssm", "dynamodb": "dynamodb",
		"sfn": "states", "eventbridge": "events", "cloudwatch": "monitoring", "cognitoidentityprovider": "cognito-idp",
		"sns": "sns", "elasticloadbalancingv2": "elasticloadbalancing", "sts": "sts"} // lambda and scheduler have paths
	for _, one := range answered(t, s) {
		service, operation, _ := strings.Cut(one, " ")
		if signing[service] == "" {
			continue
		}
		target, body := "Any."+operation, `{"Zzz":1}`
		if service == "sns" || service == "elasticloadbalancingv2" || service == "sts" {
			target, body = "", "Zzz=1&Action="+operation
		}
		if _, text := send(t, s, signing[service], target, "/", body); strings.Contains(text, "Zzz") {
			t.Errorf("%s: %s: name its input in the double's inputs", one, text)
		}
	}
}

// send sends a request that no SDK would send.
func send(t *testing.T, s *stack.Stack, service, target, path, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/20260301/eu-central-1/"+service+"/aws4_request")
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
