package stepfunctions

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/awstest/awsapi"
)

// instant is a time as AWS JSON writes it.
func instant(t time.Time) *asl.Instant {
	if t.IsZero() {
		return nil
	}
	return &asl.Instant{Time: t}
}

// forbiddenInNames are the characters that names of machines and executions must not have (API reference,
// StartExecution): white space, brackets, wildcards, special and control characters.
var forbiddenInNames = regexp.MustCompile("[\\s<>{}\\[\\]?*\"#%\\\\^|~`$&,;:/\\x00-\\x1f\\x7f-\\x9f]")

// longest are the limits of the API model on texts (API reference).
const (
	longestName       = 80
	longestARN        = 256
	longestDefinition = 1 << 20
	longestError      = 256
	longestCause      = 32768
	longestToken      = 64
	longestPageToken  = 1024
)

func checkName(name string) error {
	if forbiddenInNames.MatchString(name) {
		return awsapi.Errorf("InvalidName", "Invalid Name: '%s'", name)
	}
	return nil
}

// checkARN verifies that a text is an ARN of a kind of Step Functions resource.
func checkARN(arn, kind string) error {
	parts := strings.Split(arn, ":")
	switch {
	case parts[0] != "arn":
		return awsapi.Errorf("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: %s'", arn)
	case len(parts) < 7 || parts[2] != "states":
		return awsapi.Errorf("InvalidArn", "Invalid Arn: '%s'", arn)
	case parts[5] != kind:
		return awsapi.Errorf("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: %s'", parts[5])
	}
	return nil
}

func noMachine(arn string) error {
	return awsapi.Errorf("StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn)
}

func noExecution(arn string) error {
	return awsapi.Errorf("ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", arn)
}

// paging are the parameters of the list operations.
type paging struct {
	MaxResults int     `json:"maxResults"`
	NextToken  *string `json:"nextToken"`
}

func (p paging) check(c *awsapi.Constraints) {
	c.Range("maxResults", p.MaxResults, 0, 1000)
	c.Length("nextToken", p.NextToken, longestPageToken)
}

// page cuts one page out of a list: 100 entries by default.
func page[T any](p paging, all []T) (part []T, next string, err error) {
	if p.MaxResults == 0 {
		p.MaxResults = 100
	}
	from := 0
	if p.NextToken != nil {
		raw, err := base64.RawURLEncoding.DecodeString(*p.NextToken)
		if err == nil {
			from, err = strconv.Atoi(strings.TrimPrefix(string(raw), "after:"))
		}
		if err != nil || from < 1 || from > len(all) {
			return nil, "", awsapi.Errorf("InvalidToken", "Invalid Token: '%s'", *p.NextToken)
		}
	}
	to := min(from+p.MaxResults, len(all))
	if to < len(all) {
		next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "after:%d", to))
	}
	return append([]T{}, all[from:to]...), next, nil
}
