package console

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/functions/record"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/evidence"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// patience is how long a page waits for AWS.
const patience = 30 * time.Second

// pace is how often AWS is asked at most; the local stack may be asked more often.
func (c *Console) pace(onAWS time.Duration) time.Duration {
	if c.System.Local != "" {
		return time.Second
	}
	return onAWS
}

// asking is the time that a read may take. It goes on if the page that began it is closed: others wait for it, too.
func (c *Console) asking() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.ctx, patience)
}

// fleet is how all clients are.
type fleet struct {
	Rows    []row
	clients map[string]config.Client
}

// row is how a client is, and what of that could not be read.
type row struct {
	words.Status
	Problem string
}

func (c *Console) readFleet() (fleet, error) {
	return c.fleet.getSoon(c.Now, c.pace(5*time.Second), func() (fleet, error) {
		ctx, cancel := c.asking()
		defer cancel()
		clients, err := c.System.Clients(ctx)
		if err != nil {
			return fleet{}, err
		}
		out := fleet{clients: map[string]config.Client{}}
		for _, client := range clients {
			out.clients[client.Name] = client
		}
		out.Rows, err = system.Each(clients, func(client config.Client) (row, error) {
			st, err := words.StatusOf(ctx, c.System, client, c.Now())
			return row{st, problem(err)}, nil
		})
		return out, err
	})
}

// problem is an error in words; "" for none.
func problem(err error) string {
	if err == nil {
		return ""
	}
	return words.OneLine(err.Error())
}

// fleetsShown is how many fleets are listed.
const fleetsShown = 5

// readFleets lists the last fleets; none where the stack has no state machine for them.
func (c *Console) readFleets() ([]system.Execution, error) {
	return c.fleets.getSoon(c.Now, c.pace(5*time.Second), func() ([]system.Execution, error) {
		ctx, cancel := c.asking()
		defer cancel()
		out, err := c.System.Fleets(ctx, fleetsShown)
		if system.IsUnknown(err) {
			return nil, nil
		}
		return out, err
	})
}

func (c *Console) readRecent() ([]system.Execution, error) {
	return c.recent.get(c.Now, c.pace(5*time.Second), func(before []system.Execution) ([]system.Execution, error) {
		ctx, cancel := c.asking()
		defer cancel()
		return c.System.Recent(ctx, before)
	})
}

// shownDays is how far back the evidence is shown.
const shownDays = 90

func (c *Console) readEvidence() (system.Evidence, error) {
	return c.evidence.getSoon(c.Now, c.pace(time.Minute), func() (system.Evidence, error) {
		ctx, cancel := c.asking()
		defer cancel()
		now := c.Now().UTC()
		return c.System.Evidence(ctx, now.AddDate(0, 0, -shownDays), now, "")
	})
}

func (c *Console) readLive() (system.Live, error) {
	return c.live.get(c.Now, time.Second, func(system.Live) (system.Live, error) {
		ctx, cancel := c.asking()
		defer cancel()
		return c.System.Live(ctx)
	})
}

// secrets is what is known of a client's secrets: ids and labels, never values.
type secrets struct {
	journal  journal.Record
	labels   map[string]string
	Problems []string
}

func (c *Console) readSecrets(client config.Client) secrets {
	out, _ := c.secrets.at(client.Name).get(c.Now, c.pace(5*time.Second), func(secrets) (secrets, error) {
		ctx, cancel := c.asking()
		defer cancel()
		var out secrets
		var err error
		if out.journal, err = c.System.Journal(ctx, client.Name); err != nil {
			out.Problems = append(out.Problems, problem(err))
		}
		if client.Secret.ARN == "" {
			return out, nil // its configuration is refused, which its state says
		}
		if out.labels, err = c.System.Labels(ctx, client); err != nil {
			out.Problems = append(out.Problems, problem(err))
		}
		return out, nil
	})
	return out
}

// run is an execution as far as its history was read.
type run struct {
	execution system.Execution
	told      words.Told
	record    evidence.Record
	lines     []words.Line
	// Problems are what could not be read.
	Problems []string

	// What later events are added to; only the one who reads it next looks at it.
	history  *record.History
	telling  *words.Telling
	telltale []types.HistoryEvent // the events that told is read from
}

var (
	errNoExecution = errors.New("there is no such execution")
	errNoClient    = errors.New("the stack has no such client, or not any more: what was before is under " +
		"Past executions")
)

// newRun is an execution of which nothing was read yet.
func newRun(id string) *run {
	return &run{execution: system.Execution{ARN: id}, history: record.NewHistory(id), telling: &words.Telling{}}
}

// readRun reads an execution; of one that has ended it looks for a redrive only now and then.
func (c *Console) readRun(id string) (*run, error) {
	pace := c.pace(2 * time.Second)
	return c.runs.at(id).get(c.Now, pace, func(before *run) (*run, error) {
		ctx, cancel := c.asking()
		defer cancel()
		next := newRun(id)
		if before != nil {
			*next = *before
			next.Problems = nil
		}
		e, err := c.System.Execution(ctx, id)
		switch {
		case err == nil:
			next.execution, next.telling.Began = e, e.Started
		case system.IsUnknown(err):
			return c.fromEvidence(id)
		default:
			next.Problems = append(next.Problems, problem(err))
		}
		events, err := c.System.Events(ctx, id, next.telling.Last)
		if err != nil {
			next.Problems = append(next.Problems, problem(err))
		}
		next.add(events)
		if next.told, err = words.TellFrom(c.System, next.execution, next.telltale); err != nil {
			next.Problems = append(next.Problems, problem(err))
		}
		return next, nil
	})
}

// longestTimeline is how many lines of a timeline are kept.
const longestTimeline = 500

// add takes the next events.
func (r *run) add(events []types.HistoryEvent) {
	for _, e := range events {
		r.history.Add(e)
		r.lines = append(r.lines, r.telling.Tell(e)...)
		if words.Tells(e) {
			r.telltale = append(r.telltale, e)
		}
	}
	r.lines = r.lines[max(0, len(r.lines)-longestTimeline):]
	r.record = r.history.Present()
	if r.execution.Status == "" && !r.record.Started.IsZero() { // it may not be described, but its history be read
		r.execution.Started, r.execution.Ended, r.execution.Status = r.record.Started, r.record.Ended,
			cmp.Or(r.record.Status, "RUNNING")
		r.execution.Request.Client, r.execution.Error = r.record.Client, r.record.Error
	}
}

// fromEvidence is an execution that Step Functions does not know, or not yet.
func (c *Console) fromEvidence(id string) (*run, error) {
	r := newRun(id)
	if at := c.justStarted(id); !at.IsZero() {
		r.execution.Status, r.execution.Started = "RUNNING", at
		return r, nil
	}
	found, err := c.readEvidence()
	for _, e := range slices.Backward(found.Records) {
		if e.Execution == id {
			r.record = e.Record
			r.execution = system.Execution{ARN: id, Status: e.Status, Started: e.Started, Ended: e.Ended,
				Error: e.Error,
				Cause: e.Cause}
			r.execution.Request = rotation.Request{Client: e.Client, Reason: e.Reason, Fleet: e.Fleet}
			r.told = words.Told{Execution: r.execution, Subject: e.Subject, Users: e.Users, What: e.Cause,
				Notice: e.Notice,
				State:  e.FailedState}
			return r, nil
		}
	}
	if err != nil {
		return nil, errors.Join(errNoExecution, err)
	}
	return nil, errNoExecution
}

// justStarted is when an execution was started here, a moment ago; zero for any other. DescribeExecution, which is
// eventually consistent, may not know it yet.
func (c *Console) justStarted(id string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.started[id]; c.Now().Sub(at) < time.Minute {
		return at
	}
	return time.Time{}
}

// past is an execution that began before.
type past struct {
	Started, Ended       time.Time
	Kind, End, By        string
	Reason, Name, Client string
	Redrive              int
	// Fleet is the name of the fleet that started it.
	Fleet string
	// Record: there is a record for auditors. Gap says why there should be one.
	Record bool
	Gap    string
}

// pastOf lists what was before: of a client, or of all. Measurements are left out: there is one a day.
func (c *Console) pastOf(client string) (out []past, problems []string) {
	known := map[string]bool{}
	found, err := c.readEvidence()
	if err != nil {
		problems = append(problems, problem(err))
	}
	for _, e := range found.Records {
		known[e.ID()] = true
		if e.Kind != evidence.Measurement && (client == "" || e.Client == client) {
			out = append(out, past{Started: e.Started, Ended: e.Ended, Kind: string(e.Kind), End: e.Outcome,
				By: words.StartedBy(e), Reason: e.Reason, Name: words.Name(e.Execution), Client: e.Client,
				Redrive: e.Redrive, Fleet: words.Name(e.Fleet), Record: true})
		}
	}
	recent, err := c.readRecent()
	if err != nil {
		problems = append(problems, problem(err))
	}
	for _, e := range recent {
		id := evidence.ID(e.ARN, 0)
		if known[id] && !e.Running() || e.Request.Measure || client != "" && e.Request.Client != client {
			continue
		}
		known[id] = true
		out = append(out, past{Started: e.Started, Ended: e.Ended, Kind: words.KindOf(e), End: words.Ending(e, c.Now()),
			Reason: e.Request.Reason, Name: words.Name(e.ARN), Client: e.Request.Client,
			Fleet: words.Name(e.Request.Fleet)})
	}
	for _, g := range found.Gaps {
		if known[evidence.ID(g.Execution, g.Redrive)] || g.Kind == evidence.Measurement || client != "" &&
			g.Client != client {
			continue
		}
		out = append(out, past{Started: g.At, Ended: g.At, Kind: string(g.Kind), End: "no record", Reason: g.Why,
			Name: words.Name(g.Execution), Client: g.Client, Redrive: g.Redrive, Gap: g.Why})
	}
	slices.SortStableFunc(out, func(a, b past) int {
		return cmp.Or(b.Started.Compare(a.Started), b.Redrive-a.Redrive, strings.Compare(a.Name, b.Name))
	})
	return out, problems
}
