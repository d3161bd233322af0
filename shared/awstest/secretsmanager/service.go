// Package secretsmanager is a double of AWS Secrets Manager: secrets, their versions and the staging labels that move
// between them, as the API reference and the user guide describe them. It has the operations that this project uses.
// It never logs a value.
package secretsmanager

import (
	"context"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Service is AWS Secrets Manager, with state of its own in every Region.
type Service struct {
	clock clock.Clock

	mu      sync.Mutex
	lag     time.Duration
	regions map[string]map[string]*entry // Region, then name of the secret
}

var _ awsapi.Service = (*Service)(nil)

// entry is one secret as it is, and as readers may still see it.
type entry struct {
	live *secret
	past []past // oldest first
}

// past is the state before a write, which readers see until the write has spread.
type past struct {
	secret *secret // nil: the secret did not exist
	until  time.Time
}

// New returns a Secrets Manager without secrets, whose reads are up to date until SetReadLag says otherwise.
func New(c clock.Clock) *Service {
	return &Service{clock: c, regions: map[string]map[string]*entry{}}
}

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "secretsmanager" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.JSON11 }

var operations = awsapi.Operations[*Service]{
	"CreateSecret":             (*Service).createSecret,
	"DescribeSecret":           (*Service).describeSecret,
	"GetSecretValue":           (*Service).getSecretValue,
	"PutSecretValue":           (*Service).putSecretValue,
	"UpdateSecretVersionStage": (*Service).updateSecretVersionStage,
}

var inputs = awsapi.InputsOf(sdk.CreateSecretInput{}, sdk.DescribeSecretInput{}, sdk.GetSecretValueInput{},
	sdk.PutSecretValueInput{}, sdk.UpdateSecretVersionStageInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	return operations.Handle(s, &s.mu, call)
}

// find returns the entry of a secret that exists, by its newest state.
func (s *Service) find(region, secretID string) (*entry, error) {
	for _, e := range s.regions[region] {
		if e.live.answersTo(secretID) {
			return e, nil
		}
	}
	return nil, errSecretNotFound()
}

// edit returns the entry of a secret and a copy of its newest state to change; commit makes the change. A replica is
// written only in its primary's Region, and a secret that a service owns only by that service (API reference,
// PutSecretValue, InvalidRequestException).
func (s *Service) edit(region, secretID string) (*entry, *secret, error) {
	if err := checkID(secretID); err != nil {
		return nil, nil, err
	}
	e, err := s.find(region, secretID)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case e.live.replica:
		return nil, nil,
			errParameter("Operation not permitted on a replica secret. Call must be made in primary secret's region.")
	case e.live.service != "":
		return nil, nil,
			errRequest("The secret is managed by another service, and you must use that service to update it.")
	case !e.live.deleted.IsZero():
		return nil, nil, errMarkedForDeletion()
	}
	return e, e.live.clone(), nil
}

// commit makes next the newest state; readers see the one before until the lag has passed.
func (s *Service) commit(e *entry, next *secret) {
	now := s.clock.Now()
	if s.lag > 0 {
		e.past = append(e.past, past{secret: e.live, until: now.Add(s.lag)})
	}
	e.live = next
	s.spread(next)
}

// view is the state of an entry that readers see now, nil if they do not see it yet.
func (s *Service) view(e *entry) *secret {
	now := s.clock.Now()
	for len(e.past) > 0 && !e.past[0].until.After(now) {
		e.past = e.past[1:]
	}
	if len(e.past) > 0 {
		return e.past[0].secret
	}
	return e.live
}

// read returns a secret as readers see it now.
func (s *Service) read(region, secretID string) (*secret, error) {
	if err := checkID(secretID); err != nil {
		return nil, err
	}
	for _, e := range s.regions[region] {
		if seen := s.view(e); seen.answersTo(secretID) {
			return seen, nil
		}
	}
	return nil, errSecretNotFound()
}

// answersTo reports whether a SecretId means this secret: its name, its ARN, or its ARN without the hyphen and the six
// random characters (user guide, "Finding a secret from a partial ARN").
func (sec *secret) answersTo(secretID string) bool {
	if sec == nil {
		return false
	}
	if !strings.HasPrefix(secretID, "arn:") {
		return sec.name == secretID
	}
	return sec.arn == secretID || sec.arn[:len(sec.arn)-arnSuffix] == secretID
}

// epoch is how the JSON protocol writes a time: seconds since 1970 with a fraction.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
