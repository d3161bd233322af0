// Package parameters reads the clients' configurations from SSM Parameter Store. The caller of a function never says
// which text counts: the journal holds a reference with the parameter's version and the digest of its text.
package parameters

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
)

// API is the part of Systems Manager that is used.
type API interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

var _ API = (*ssm.Client)(nil)

// pauses between reads of a version that is not found: one that was written a moment ago may be missing from an answer.
var pauses = []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}

// mostTexts is how many texts a store keeps in memory.
const mostTexts = 100

// Store reads parameters. It is safe for concurrent use.
type Store struct {
	api    API
	prefix string
	sleep  func(context.Context, time.Duration) error
	mu     sync.Mutex
	texts  map[string]string // by digest
}

// New returns the store of the parameters whose names are prefix and a client's name. sleep must return early, with the
// context's error, if the context ends.
func New(api API, prefix string, sleep func(context.Context, time.Duration) error) *Store {
	return &Store{api: api, prefix: prefix, sleep: sleep, texts: map[string]string{}}
}

// Newest reads the newest configuration of a client.
func (s *Store) Newest(ctx context.Context, client string) (config.Client, error) {
	text, err := s.wait(ctx, s.prefix+client)
	if err != nil {
		return config.Client{}, err
	}
	return parse(text, client)
}

// Referenced reads the configuration that an execution works by. If that version is gone or has another text (SSM keeps
// 100 versions, and a parameter that was made again begins at 1), it reads the newest, which must be the same client's.
// A repeat reads nothing: texts are kept by digest.
func (s *Store) Referenced(ctx context.Context, client string, ref config.Reference) (config.Client, error) {
	c, found, err := s.Text(ctx, client, ref.Text)
	if err != nil || found {
		return c, err
	}
	return s.Same(ctx, client, ref.Client)
}

// Text reads one text of a client's configuration; false if it is gone.
func (s *Store) Text(ctx context.Context, client string, t config.Text) (config.Client, bool, error) {
	s.mu.Lock()
	text, known := s.texts[t.SHA256]
	s.mu.Unlock()
	if !known {
		var err error
		text, err = s.wait(ctx, fmt.Sprintf("%s%s:%d", s.prefix, client, t.Version))
		if err != nil && !notFound(err) {
			return config.Client{}, false, err
		}
		if err != nil || digest(text) != t.SHA256 {
			return config.Client{}, false, nil
		}
		s.keep(text)
	}
	c, err := parse(text, client)
	return c, true, err
}

// Same is Newest for an execution that works for the client of that identity. Any other client, or no parameter, is
// Reconfigured.
func (s *Store) Same(ctx context.Context, client string, as config.Identity) (config.Client, error) {
	c, err := s.Newest(ctx, client)
	if notFound(err) || failure.Is(err, failure.InvalidInput) {
		return config.Client{}, failure.Wrap(failure.Reconfigured, err, "since this rotation began")
	}
	if err != nil {
		return config.Client{}, err
	}
	if other := c.Identity().Differences(as); len(other) > 0 {
		return config.Client{}, failure.New(failure.Reconfigured,
			"the configuration in the parameter %s changed in %s while this "+
				"rotation ran, it is another client's now: put back what it was (the parameter's history has it) and "+
				"start again, and change it when that has ended",
			s.prefix+client, strings.Join(other, ", "))
	}
	return c, nil
}

// wait reads a parameter, or one of its versions. If it is not found, wait tries again for ten seconds.
func (s *Store) wait(ctx context.Context, name string) (string, error) {
	for i := 0; ; i++ {
		out, err := s.api.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
		switch {
		case err == nil:
			if out.Parameter == nil {
				return "", failure.New(failure.Unavailable, "the parameter %s was answered without its value", name)
			}
			return aws.ToString(out.Parameter.Value), nil
		case !notFound(err):
			return "", awserr.Wrap(err, "reading the client configuration %s", name)
		case i == len(pauses):
			return "", awserr.As(failure.Precondition, err,
				"the client configuration %s is gone: put it back (a deployment of the stack "+
					"does), then start again", name)
		}
		if err := s.sleep(ctx, pauses[i]); err != nil {
			return "", err
		}
	}
}

// notFound reports whether the parameter, or that version of it, does not exist.
func notFound(err error) bool {
	var parameter *types.ParameterNotFound
	var version *types.ParameterVersionNotFound
	return errors.As(err, &parameter) || errors.As(err, &version)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (s *Store) keep(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.texts) >= mostTexts {
		clear(s.texts)
	}
	s.texts[digest(text)] = text
}

// parse reads a configuration, which must be that of the client under whose name it is stored.
func parse(text, client string) (config.Client, error) {
	c, err := config.Parse([]byte(text))
	if err != nil {
		return config.Client{}, err
	}
	if c.Name != client {
		return config.Client{}, failure.New(failure.InvalidInput,
			"name: the configuration of client %q is for client %q", client, c.Name)
	}
	return c, nil
}
