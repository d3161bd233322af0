package account

import (
	"context"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"alboidc.internal/shared/awstest/awsapi"
)

// CloudTrail is AWS CloudTrail: it has one trail at most, which records all Regions.
type CloudTrail struct {
	mu                         sync.Mutex
	missing, stopped, readOnly bool
	organization               bool
}

var _ awsapi.Service = (*CloudTrail)(nil)

// NewCloudTrail returns a CloudTrail whose trail records every management event.
func NewCloudTrail() *CloudTrail { return &CloudTrail{} }

// Set says that there is no trail, that it does not record, or that it leaves out what changes something.
func (s *CloudTrail) Set(missing, stopped, readOnly bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing, s.stopped, s.readOnly = missing, stopped, readOnly
}

// SetOrganization says whether the trail is the organization's, which does not tell a member what it records.
func (s *CloudTrail) SetOrganization(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.organization = is
}

// SigningName implements awsapi.Service.
func (*CloudTrail) SigningName() string { return "cloudtrail" }

// Protocol implements awsapi.Service.
func (*CloudTrail) Protocol() awsapi.Protocol { return awsapi.JSON11 }

var trailInputs = awsapi.InputsOf(sdk.DescribeTrailsInput{}, sdk.GetTrailStatusInput{}, sdk.GetEventSelectorsInput{})

// Inputs implements awsapi.Modelled.
func (*CloudTrail) Inputs() awsapi.Inputs { return trailInputs }

// Handle implements awsapi.Service.
func (s *CloudTrail) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := "arn:aws:cloudtrail:eu-central-1:" + awsapi.AccountID + ":trail/all"
	switch call.Operation {
	case "DescribeTrails":
		trails := []map[string]any{{"Name": "all", "TrailARN": arn, "HomeRegion": "eu-central-1",
			"IsMultiRegionTrail": true, "IsOrganizationTrail": s.organization}}
		if s.missing {
			trails = trails[:0]
		}
		return map[string]any{"trailList": trails}, nil
	case "GetTrailStatus":
		var in struct{ Name string }
		err := call.Decode(&in)
		return map[string]any{"IsLogging": !s.stopped}, err
	case "GetEventSelectors":
		var in struct{ TrailName string }
		err := call.Decode(&in)
		if s.organization {
			return nil, awsapi.Errorf("TrailNotFoundException", "Unknown trail: %s", in.TrailName)
		}
		kind := "All"
		if s.readOnly {
			kind = "ReadOnly"
		}
		return map[string]any{"TrailARN": arn, "EventSelectors": []map[string]any{{"ReadWriteType": kind,
			"IncludeManagementEvents": true}}}, err
	}
	return nil, awsapi.NotImplemented(call)
}
