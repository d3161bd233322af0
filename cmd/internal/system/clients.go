package system

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/cron"
	"alboidc.internal/shared/journal"
)

// Parameter is a client's deployed configuration.
type Parameter struct {
	config.Client
	config.Text
	// Problem is why a present check refuses it; the client has its name only then, and a rotation says why.
	Problem error
}

// Parameters reads the configurations of all clients, by their names.
func (s *System) Parameters(ctx context.Context) ([]Parameter, error) {
	prefix := "/" + s.Stack + "/clients/"
	var out []Parameter
	pages := ssm.NewGetParametersByPathPaginator(s.ssm, &ssm.GetParametersByPathInput{Path: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, Unreachable(err, "reading the configurations below %s", prefix)
		}
		for _, p := range page.Parameters {
			text, name := aws.ToString(p.Value), strings.TrimPrefix(aws.ToString(p.Name), prefix)
			c, err := config.Parse([]byte(text))
			if err == nil && c.Name != name {
				err = fmt.Errorf("name: %s is the configuration of another client", aws.ToString(p.Name))
			}
			if err != nil {
				c = config.Client{Name: name}
			}
			out = append(out, Parameter{c, config.Text{Version: p.Version,
				SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(text)))}, err})
		}
	}
	slices.SortFunc(out, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Clients reads the configurations of all clients, by their names; see Parameter.Problem.
func (s *System) Clients(ctx context.Context) ([]config.Client, error) {
	all, err := s.Parameters(ctx)
	out := make([]config.Client, len(all))
	for i, p := range all {
		out[i] = p.Client
	}
	return out, err
}

// Journal reads what the journal knows of a client.
func (s *System) Journal(ctx context.Context, client string) (journal.Record, error) {
	r, err := s.journal.Record(ctx, client)
	if err != nil {
		return journal.Record{}, Unreachable(err, "reading the journal of %s", client)
	}
	return r, nil
}

// Schedule is when a client's rotations start by themselves.
type Schedule struct {
	Expression string `json:"expression"`
	Paused     bool   `json:"paused,omitempty"`
	// Next is the next start; zero if paused, if there is none, or if it cannot be told: a rate counts from when the
	// schedule was last set.
	Next time.Time `json:"next,omitzero"`
}

// Schedule reads a client's schedule; nil if it has none.
func (s *System) Schedule(ctx context.Context, client string, now time.Time) (*Schedule, error) {
	out, err := s.scheduler.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &client, GroupName: &s.Stack})
	var none *types.ResourceNotFoundException
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, Unreachable(err, "reading the schedule of %s", client)
	}
	sc := &Schedule{Expression: aws.ToString(out.ScheduleExpression), Paused: out.State == types.ScheduleStateDisabled}
	if !sc.Paused {
		sc.Next = next(sc.Expression, aws.ToString(out.ScheduleExpressionTimezone), utc(out.LastModificationDate), now)
	}
	return sc, nil
}

// next is the first start after now.
func next(expression, zone string, set, now time.Time) time.Time {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}
	}
	if every, ok := cron.Rate(expression); ok && !set.IsZero() {
		return set.Add((now.Sub(set)/every + 1) * every)
	}
	for start := range cron.Starts(expression, location, now) {
		return start
	}
	return time.Time{}
}
