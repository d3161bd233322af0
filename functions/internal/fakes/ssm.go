package fakes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/parameters"
)

// ParameterPrefix is what the names of the clients' parameters begin with.
const ParameterPrefix = "/rotator/clients/"

// SSM is Parameter Store with the client's configuration.
type SSM struct {
	t    testing.TB
	wire *Wire
	// Texts are the versions of the client's parameter, the first is number 1. Version "" is gone; without any the
	// parameter is.
	Texts []string
}

var _ parameters.API = (*SSM)(nil)

// GetParameter implements parameters.API.
func (s *SSM) GetParameter(_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	out := &ssm.GetParameterOutput{}
	return out, s.wire.read("GetParameter", func() error {
		if len(s.Texts) == 0 {
			return &types.ParameterNotFound{}
		}
		for i, text := range slices.Backward(s.Texts) {
			name := ParameterPrefix + ClientName
			if n := aws.ToString(in.Name); n != name && n != fmt.Sprintf("%s:%d", name, i+1) {
				continue
			}
			if text == "" {
				break
			}
			out.Parameter = &types.Parameter{Name: &name, Type: types.ParameterTypeString, Value: aws.String(text), Version: int64(i + 1)}
			return nil
		}
		return &types.ParameterVersionNotFound{}
	})
}

// Put stores a configuration as the newest version, unless that is its text already.
func (s *SSM) Put(c config.Client) {
	s.t.Helper()
	doc, err := json.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	if n := len(s.Texts); n == 0 || s.Texts[n-1] != string(doc) {
		s.Texts = append(s.Texts, string(doc))
	}
}

// Reference is what an execution writes into the journal that starts now.
func (s *SSM) Reference(execution string) config.Reference {
	n := len(s.Texts)
	sum := sha256.Sum256([]byte(s.Texts[n-1]))
	r := config.Reference{Execution: execution, Text: config.Text{Version: int64(n), SHA256: hex.EncodeToString(sum[:])}}
	if c, err := config.Parse([]byte(s.Texts[n-1])); err == nil {
		r.Client = c.Identity()
	}
	return r
}
