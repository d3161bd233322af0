package system

import (
	"context"
	"fmt"
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
	return s.ID(NewName("adopt-"+client, now))
}

// Store is where a client's secret is kept.
func (s *System) Store(c config.Client, sleep func(context.Context, time.Duration) error) *versions.Store {
	return versions.New(s.secrets(c), c.Secret.ARN, c.Secret.JSONKey, sleep)
}

// secrets is Secrets Manager in the Region of a client's secret.
func (s *System) secrets(c config.Client) *secretsmanager.Client {
	region := s.Region
	if a, err := arn.Parse(c.Secret.ARN); err == nil {
		region = a.Region
	}
	return secretsmanager.NewFromConfig(s.AWS(region))
}

// Labels are the versions that have staging labels, by label. No value is read.
func (s *System) Labels(ctx context.Context, c config.Client) (map[string]string, error) {
	out, err := s.secrets(c).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &c.Secret.ARN})
	if err != nil {
		return nil, Unreachable(err, "reading the labels of %s", c.Secret.ARN)
	}
	labels := map[string]string{}
	for version, has := range out.VersionIdsToStages {
		for _, label := range has {
			labels[label] = version
		}
	}
	return labels, nil
}

// Prober asks identity providers from this machine.
func (s *System) Prober(ctx context.Context, now func() time.Time,
	sleep func(context.Context, time.Duration) error) (*probe.Prober, error) {
	o := probe.Options{Now: now, Sleep: sleep}
	if s.Local == "" {
		return probe.New(o), nil
	}
	o.AllowLoopback = true
	pem, err := s.askLocal(ctx, "authority")
	if err != nil {
		return nil, err
	}
	o.RootCAs, err = httpclient.Roots(pem)
	return probe.New(o), err
}
