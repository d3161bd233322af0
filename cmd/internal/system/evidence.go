package system

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/shared/evidence"
)

// Evidence is what is known of the executions that ended in a time.
type Evidence struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Records []Entry   `json:"records"`
	// Gaps are runs that are known to have ended, and have no record.
	Gaps []Gap `json:"gaps"`
}

// Entry is a record, and the calls that started, stopped or redrove its execution, as far as CloudTrail tells.
type Entry struct {
	evidence.Record
	Calls []evidence.Call `json:"calls,omitempty"`
}

// Gap is a run without a record.
type Gap struct {
	Execution string        `json:"execution"`
	Redrive   int           `json:"redrive"`
	Client    string        `json:"client,omitempty"`
	Kind      evidence.Kind `json:"kind,omitempty"`
	// At is when it ended, or else when it is known of.
	At time.Time `json:"at"`
	// Why says who knows of the run.
	Why string `json:"why"`
}

// margin is how long before and after a time records are read to find those of executions that are known to have ended
// in it: a redrive is possible for 14 days (API reference, RedriveExecution).
const margin = 15 * 24 * time.Hour

// Evidence reads the records of the runs that ended from one instant until before another; of one client, if it is
// named. What has no record is compared with what Step Functions, the journal and CloudTrail know.
func (s *System) Evidence(ctx context.Context, from, to time.Time, client string) (Evidence, error) {
	out := Evidence{From: from, To: to, Records: []Entry{}, Gaps: []Gap{}}
	records, calls, err := s.evidence.Read(ctx, from, to)
	if err != nil {
		return out, s.explain(err, "reading the evidence")
	}
	begun := from
	for _, r := range records {
		if r.Started.Before(begun) {
			begun = r.Started
		}
	}
	if begun.Before(from) { // who started those
		_, earlier, err := s.evidence.Read(ctx, begun.Add(-time.Hour), from)
		if err != nil {
			return out, s.explain(err, "reading the evidence")
		}
		calls = append(earlier, calls...)
	}
	of := map[string][]evidence.Call{}
	for _, c := range calls {
		of[c.Execution] = append(of[c.Execution], c)
	}
	for _, r := range records {
		if client == "" || r.Client == client {
			by := of[r.Execution]
			slices.SortFunc(by, func(a, b evidence.Call) int { return a.At.Compare(b.At) })
			out.Records = append(out.Records, Entry{r, by})
		}
	}
	slices.SortFunc(out.Records, func(a, b Entry) int { return a.Ended.Compare(b.Ended) })
	out.Gaps, err = s.gaps(ctx, from, to, client, calls)
	return out, err
}

// search looks for runs without a record.
type search struct {
	*System
	from, to time.Time
	client   string
	known    map[string]bool // IDs of records
	listed   map[string]bool // executions that Step Functions lists
	found    []Gap
}

func (s *System) gaps(ctx context.Context, from, to time.Time, client string, calls []evidence.Call) ([]Gap, error) {
	known, err := s.evidence.Known(ctx, from.Add(-margin), to.Add(margin))
	if err != nil {
		return nil, s.explain(err, "reading the evidence")
	}
	g := &search{System: s, from: from, to: to, client: client, known: known, listed: map[string]bool{}, found: []Gap{}}
	for _, look := range []func(context.Context) error{g.inStepFunctions, g.inJournals} {
		if err := look(ctx); err != nil {
			return nil, err
		}
	}
	for _, c := range calls {
		if c.Name == "StartExecution" && g.within(c.At) && !g.listed[c.Execution] && !g.hasAny(c.Execution) {
			g.add(ctx, Gap{Execution: c.Execution, At: c.At, Why: "CloudTrail knows of its start by " + c.By +
				", and Step Functions knows it no more"})
		}
	}
	slices.SortFunc(g.found, func(a, b Gap) int { return a.At.Compare(b.At) })
	return g.found, nil
}

func (g *search) within(at time.Time) bool { return !at.Before(g.from) && at.Before(g.to) }

// hasAny reports whether any run of an execution has a record, or is among the gaps.
func (g *search) hasAny(execution string) bool {
	for id := range g.known {
		if strings.HasPrefix(id, execution+"#") {
			return true
		}
	}
	return slices.ContainsFunc(g.found, func(x Gap) bool { return x.Execution == execution })
}

// inStepFunctions compares with the executions of the last 90 days.
func (g *search) inStepFunctions(ctx context.Context) error {
	pages := sfn.NewListExecutionsPaginator(g.sfn, &sfn.ListExecutionsInput{StateMachineArn: aws.String(g.MachineARN()),
		MaxResults: 1000})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return g.explain(err, "listing executions")
		}
		for _, e := range page.Executions {
			id, runs := *e.ExecutionArn, int(aws.ToInt32(e.RedriveCount))+1
			g.listed[id] = true
			for i := range runs {
				at, why := utc(e.StopDate), "Step Functions knows that it ended"
				if i < runs-1 { // it ended before it was redriven
					at, why = utc(e.RedriveDate), "Step Functions knows that it was redriven after its end"
				} else if e.Status == types.ExecutionStatusRunning || e.Status == types.ExecutionStatusPendingRedrive {
					continue
				}
				if g.within(at) && !g.known[evidence.ID(id, i)] {
					g.add(ctx, Gap{Execution: id, Redrive: i, At: at, Why: why})
				}
			}
		}
	}
	return nil
}

// inJournals compares with the last execution that each client's journal knows.
func (g *search) inJournals(ctx context.Context) error {
	clients, err := g.Clients(ctx)
	if err != nil {
		return err
	}
	for _, c := range clients {
		r, err := g.Journal(ctx, c.Name)
		if err != nil {
			return err
		}
		if r.LastExecution != "" && g.within(r.LastEnded) && !g.listed[r.LastExecution] && !g.hasAny(r.LastExecution) {
			g.add(ctx, Gap{Execution: r.LastExecution, Client: c.Name, At: r.LastEnded,
				Why: "the journal knows that it ended as " + r.LastOutcome})
		}
	}
	return nil
}

// add notes a gap, unless it is about another client. Whose an execution is that nobody knows any more is not known.
func (g *search) add(ctx context.Context, x Gap) {
	if e, err := g.Execution(ctx, x.Execution); err == nil {
		x.Client, x.Kind = e.Request.Client, evidence.KindOf(e.Request)
	}
	if g.client == "" || x.Client == "" || x.Client == g.client {
		g.found = append(g.found, x)
	}
}
