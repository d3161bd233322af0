// Package account is what the local stack answers about the account around it: AWS IAM, which forbids nothing here but
// what a test says, and the trails of AWS CloudTrail.
package account

import (
	"context"
	"net/http"
	"strings"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"

	"alboidc.internal/shared/awstest/awsapi"
)

// IAM is AWS IAM: it simulates what roles may do.
type IAM struct {
	mu     sync.Mutex
	denied map[string]bool // role, space, action
	gone   map[string]bool
}

var _ awsapi.Service = (*IAM)(nil)

// NewIAM returns an IAM that allows everything to every role.
func NewIAM() *IAM { return &IAM{denied: map[string]bool{}, gone: map[string]bool{}} }

// Deny takes an action away from a role.
func (s *IAM) Deny(roleARN, action string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[roleARN+" "+action] = true
}

// Delete removes a role.
func (s *IAM) Delete(roleARN string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone[roleARN] = true
}

// SigningName implements awsapi.Service.
func (*IAM) SigningName() string { return "iam" }

// Protocol implements awsapi.Service.
func (*IAM) Protocol() awsapi.Protocol { return awsapi.Query }

var iamInputs = awsapi.InputsOf(sdk.SimulatePrincipalPolicyInput{})

// Inputs implements awsapi.Modelled.
func (*IAM) Inputs() awsapi.Inputs { return iamInputs }

// Handle implements awsapi.Service.
func (s *IAM) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	if call.Operation != "SimulatePrincipalPolicy" {
		return nil, awsapi.NotImplemented(call)
	}
	p := call.Params()
	role, actions, resources := p.String("PolicySourceArn"), p.List("ActionNames"), p.List("ResourceArns")
	for _, entry := range p.Members("ContextEntries") {
		p.String(entry + ".ContextKeyName")
		p.String(entry + ".ContextKeyType")
		p.List(entry + ".ContextKeyValues")
	}
	if err := p.Done(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone[role] {
		return nil, &awsapi.Error{Status: http.StatusNotFound, Code: "NoSuchEntity", Message: "The role with name " +
			role[strings.LastIndex(role, "/")+1:] + " cannot be found."}
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	type result struct {
		EvalActionName   string `xml:"EvalActionName"`
		EvalResourceName string `xml:"EvalResourceName"`
		EvalDecision     string `xml:"EvalDecision"`
	}
	var out struct {
		Results     []result `xml:"EvaluationResults>member"`
		IsTruncated bool     `xml:"IsTruncated"`
	}
	for _, action := range actions {
		for _, resource := range resources {
			decision := "allowed"
			if s.denied[role+" "+action] {
				decision = "implicitDeny"
			}
			out.Results = append(out.Results, result{action, resource, decision})
		}
	}
	return out, nil
}
