package fakes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"alboidc.internal/shared/config"
)

// ParameterPrefix is what the names of the clients' parameters begin with.
const ParameterPrefix = "/rotator/clients/"

// SSM is the client's parameter in Parameter Store.
type SSM struct {
	t   testing.TB
	api *ssm.Client // past the wire
}

// Put stores a configuration as the newest version, unless that is its text already.
func (s *SSM) Put(c config.Client) {
	s.t.Helper()
	doc, err := c.Document()
	if err != nil {
		s.t.Fatal(err)
	}
	if p := s.newest(); p == nil || *p.Value != string(doc) {
		s.PutText(string(doc))
	}
}

// PutText stores a text as the newest version.
func (s *SSM) PutText(text string) {
	s.t.Helper()
	_, err := s.api.PutParameter(context.Background(),
		&ssm.PutParameterInput{Name: aws.String(ParameterPrefix + ClientName),
			Value: &text, Type: types.ParameterTypeString, Overwrite: aws.Bool(true)})
	if err != nil {
		s.t.Fatal(err)
	}
}

// newest is the newest version, nil if there is none.
func (s *SSM) newest() *types.Parameter {
	out, err := s.api.GetParameter(context.Background(),
		&ssm.GetParameterInput{Name: aws.String(ParameterPrefix + ClientName)})
	if err != nil {
		return nil
	}
	return out.Parameter
}

// Reference is what an execution writes into the journal that starts now.
func (s *SSM) Reference(execution string) config.Reference {
	s.t.Helper()
	p := s.newest()
	if p == nil {
		s.t.Fatal("there is no parameter")
	}
	sum := sha256.Sum256([]byte(*p.Value))
	r := config.Reference{Execution: execution, Text: config.Text{Version: p.Version,
		SHA256: hex.EncodeToString(sum[:])}}
	if c, err := config.Parse([]byte(*p.Value)); err == nil {
		r.Client = c.Identity()
	}
	return r
}
