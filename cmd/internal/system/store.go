package system

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/versions"
)

// Configuration reads the configuration of one client, which must be one that this release takes.
func (s *System) Configuration(ctx context.Context, client string) (config.Client, error) {
	all, err := s.Parameters(ctx)
	if err != nil {
		return config.Client{}, err
	}
	for _, p := range all {
		switch {
		case p.Name == client && p.Problem != nil:
			return config.Client{}, &Error{Text: fmt.Sprintf("the configuration of %s is refused: %v", client,
				p.Problem)}
		case p.Name == client:
			return p.Client, nil
		}
	}
	return config.Client{}, &Error{Text: fmt.Sprintf("stack %s has no client %q", s.Stack, client)}
}

// Locks is the journal, for those who take a client's lock.
func (s *System) Locks() *journal.Table { return s.journal }

// NewOwner names who takes a client's lock without being an execution: as an execution that there is not.
func (s *System) NewOwner(client string, now time.Time) string {
	return s.ID("adopt-" + client + now.UTC().Format("-20060102T150405Z-") + strings.ToLower(rand.Text()[:6]))
}

// Store is where a client's secret is kept.
func (s *System) Store(c config.Client, sleep func(context.Context, time.Duration) error) *versions.Store {
	region := s.Region
	if a, err := arn.Parse(c.Secret.ARN); err == nil {
		region = a.Region
	}
	return versions.New(secretsmanager.NewFromConfig(s.AWS(region)), c.Secret.ARN, c.Secret.JSONKey, sleep)
}

// Prober asks identity providers from this machine.
func (s *System) Prober(ctx context.Context, now func() time.Time,
	sleep func(context.Context, time.Duration) error) (*probe.Prober, error) {
	o := probe.Options{Now: now, Sleep: sleep}
	if s.Local == "" {
		return probe.New(o), nil
	}
	o.AllowLoopback = true
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Local+"/_local/authority", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, Unreachable(err, "reading the local stack's certificate authority")
	}
	defer func() { _ = answer.Body.Close() }()
	pem, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil, Unreachable(fmt.Errorf("%s %w", answer.Status, err), "reading the local stack's authority")
	}
	o.RootCAs, err = httpclient.Roots(pem)
	return probe.New(o), err
}
