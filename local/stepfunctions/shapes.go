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

func checkName(name string) error {
	if name == "" || len([]rune(name)) > 80 || forbiddenInNames.MatchString(name) {
		return awsapi.Errorf("InvalidName", "Invalid Name: '%s'", name)
	}
	return nil
}

// checkARN verifies that a text is an ARN of a kind of Step Functions resource.
func checkARN(arn string, kinds ...string) error {
	parts := strings.Split(arn, ":")
	if len(parts) >= 7 && parts[0] == "arn" && parts[2] == "states" {
		for _, k := range kinds {
			if parts[5] == k {
				return nil
			}
		}
	}
	return awsapi.Errorf("InvalidArn", "Invalid Arn: '%s'", arn)
}

func noMachine(arn string) error {
	return awsapi.Errorf("StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn)
}

func noExecution(arn string) error {
	return awsapi.Errorf("ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", arn)
}

// invalid is a ValidationException in the wording of AWS's parameter checks.
func invalid(value any, name, rule string) error {
	return awsapi.Errorf("ValidationException",
		"1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: %s", value, name, rule)
}

// paging are the parameters of the list operations.
type paging struct {
	MaxResults int    `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

// page cuts one page out of a list: at most 1000 entries, 100 by default.
func page[T any](p paging, all []T) (part []T, next string, err error) {
	switch {
	case p.MaxResults < 0:
		return nil, "", invalid(p.MaxResults, "maxResults", "Member must have value greater than or equal to 0")
	case p.MaxResults > 1000:
		return nil, "", invalid(p.MaxResults, "maxResults", "Member must have value less than or equal to 1000")
	case p.MaxResults == 0:
		p.MaxResults = 100
	}
	from := 0
	if p.NextToken != "" {
		raw, err := base64.RawURLEncoding.DecodeString(p.NextToken)
		if err == nil {
			from, err = strconv.Atoi(strings.TrimPrefix(string(raw), "after:"))
		}
		if err != nil || from < 1 || from > len(all) {
			return nil, "", awsapi.Errorf("InvalidToken", "Invalid Token: '%s'", p.NextToken)
		}
	}
	to := min(from+p.MaxResults, len(all))
	if to < len(all) {
		next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "after:%d", to))
	}
	return append([]T{}, all[from:to]...), next, nil
}
