package system

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// Logins are what became of logins, or of refreshes of sessions. Late ones got no answer in time, which tells nothing
// of a secret.
type Logins struct{ OK, Failed, Late int }

// Live is what only the local stack can tell.
type Live struct {
	Logins, Refreshes Logins
	// Seconds are the last ones, oldest first.
	Seconds []Second
	Nodes   []Node
	Secrets []Held
}

// Second is what became of those that ended in it.
type Second struct {
	At                time.Time
	Logins, Refreshes Logins
}

// Node is the version whose secret a load balancer node uses for a target; "" if no version holds it.
type Node struct {
	Target  string // ARN of the rule, or of the listener for its default action
	Node    int
	Version string
}

// Held is a secret that the identity provider has.
type Held struct{ ClientID, ID, Status, Version string }

// Live asks the local stack.
func (s *System) Live(ctx context.Context) (Live, error) {
	text, err := s.askLocal(ctx, "live")
	if err != nil {
		return Live{}, err
	}
	var out Live
	err = json.Unmarshal(text, &out)
	return out, err
}

// askLocal asks the local stack's own API.
func (s *System) askLocal(ctx context.Context, what string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Local+"/_local/"+what, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, Unreachable(err, "reading the local stack's %s", what)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	if err != nil {
		return nil, Unreachable(err, "reading the local stack's %s", what)
	}
	return text, nil
}
