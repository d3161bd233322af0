package account

import (
	"context"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"alboidc.internal/shared/awstest/awsapi"
)

// KMS is AWS KMS: it knows how keys are, and does nothing with them.
type KMS struct {
	mu    sync.Mutex
	state map[string]string // by the key's ARN
}

var _ awsapi.Service = (*KMS)(nil)

// NewKMS returns a KMS without keys.
func NewKMS() *KMS { return &KMS{state: map[string]string{}} }

// Set makes a key, or changes its state: Enabled, Disabled, PendingDeletion.
func (s *KMS) Set(arn, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state[arn] = state
}

// SigningName implements awsapi.Service.
func (*KMS) SigningName() string { return "kms" }

// Protocol implements awsapi.Service.
func (*KMS) Protocol() awsapi.Protocol { return awsapi.JSON11 }

var kmsInputs = awsapi.InputsOf(sdk.DescribeKeyInput{})

// Inputs implements awsapi.Modelled.
func (*KMS) Inputs() awsapi.Inputs { return kmsInputs }

// Handle implements awsapi.Service.
func (s *KMS) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	if call.Operation != "DescribeKey" {
		return nil, awsapi.NotImplemented(call)
	}
	var in struct{ KeyId string } //nolint:revive // the API's name
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state[in.KeyId]
	if state == "" {
		return nil, awsapi.Errorf("NotFoundException", "Key '%s' does not exist", in.KeyId)
	}
	return map[string]any{"KeyMetadata": map[string]any{"KeyId": in.KeyId, "Arn": in.KeyId, "KeyState": state,
		"KeyManager": "CUSTOMER"}}, nil
}
