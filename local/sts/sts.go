// Package sts is the little of AWS STS that lets people check which account the local stack's endpoint is.
package sts

import (
	"context"

	"alboidc.internal/local/awsapi"
)

// Service is AWS STS.
type Service struct{}

var _ awsapi.Service = (*Service)(nil)

// New returns an STS whose every caller is one user of the local stack's account.
func New() *Service { return &Service{} }

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "sts" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.Query }

type callerIdentity struct {
	Arn     string `xml:"Arn"`
	UserID  string `xml:"UserId"`
	Account string `xml:"Account"`
}

// Handle implements awsapi.Service.
func (*Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	if call.Operation != "GetCallerIdentity" {
		return nil, awsapi.NotImplemented(call)
	}
	if err := call.Params().Done(); err != nil {
		return nil, err
	}
	return callerIdentity{Arn: "arn:aws:iam::" + awsapi.AccountID + ":user/local-stack", UserID: "AIDALOCALSTACKUSER000", Account: awsapi.AccountID}, nil
}
