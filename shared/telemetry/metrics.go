package telemetry

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Namespace is the CloudWatch namespace of all our metrics.
const Namespace = "AlbOidcRotator"

// Outcome is how a rotation ended. It is a dimension, so there are only these: a refused rotation made nothing, and one
// that failed at a task has not ended.
type Outcome string

// How a rotation can end.
const (
	Rotated    Outcome = "rotated"
	RolledBack Outcome = "rolled-back"
)

// Outcomes lists every outcome.
func Outcomes() []Outcome { return []Outcome{Rotated, RolledBack} }

// Metrics writes measurements as log lines in CloudWatch's embedded metric format: CloudWatch Logs extracts them from a
// function's output, so that no API call is needed. It is safe for concurrent use.
type Metrics struct {
	mu  sync.Mutex
	w   io.Writer
	now func() time.Time
}

// NewMetrics returns Metrics that write to w, which must be the function's standard output, not a file that mixes
// lines.
func NewMetrics(w io.Writer, now func() time.Time) *Metrics { return &Metrics{w: w, now: now} }

// RotationEnded counts a rotation: metric Rotations by client and outcome. RotationTook measures it.
func (m *Metrics) RotationEnded(client string, o Outcome) error {
	return m.put("Rotations", "Count", 1, dimension{"client", client}, dimension{"outcome", string(o)})
}

// RotationTook measures a rotation, from before its secret was made until the other was gone: metric RotationDuration
// by client, in seconds.
func (m *Metrics) RotationTook(client string, d time.Duration) error {
	return m.put("RotationDuration", "Seconds", d.Seconds(), dimension{"client", client})
}

// StepTook measures one step of a rotation: metric StepDuration by client and state, in milliseconds.
func (m *Metrics) StepTook(client, state string, d time.Duration) error {
	return m.put("StepDuration", "Milliseconds", milliseconds(d), dimension{"client", client},
		dimension{"state", state})
}

// SecretAge measures how old the current secret is: metric SecretAge by client, in seconds.
func (m *Metrics) SecretAge(client string, age time.Duration) error {
	return m.put("SecretAge", "Seconds", age.Seconds(), dimension{"client", client})
}

// LockHeld measures how long the client's lock has been held without a break: metric LockHeld by client, in seconds; 0
// if it is free.
func (m *Metrics) LockHeld(client string, d time.Duration) error {
	return m.put("LockHeld", "Seconds", d.Seconds(), dimension{"client", client})
}

// SecretRefused tells whether the identity provider refuses the current secret: metric SecretRefused by client, 1 or 0.
func (m *Metrics) SecretRefused(client string, yes bool) error {
	value := 0.0
	if yes {
		value = 1
	}
	return m.put("SecretRefused", "Count", value, dimension{"client", client})
}

// SecretEndsIn tells how long it is until the identity provider ends the current secret by itself: metric SecretEndsIn
// by client, in seconds.
func (m *Metrics) SecretEndsIn(client string, d time.Duration) error {
	return m.put("SecretEndsIn", "Seconds", d.Seconds(), dimension{"client", client})
}

// LoginTook measures a synthetic login: metric LoginLatency by client, in milliseconds.
func (m *Metrics) LoginTook(client string, d time.Duration) error {
	return m.put("LoginLatency", "Milliseconds", milliseconds(d), dimension{"client", client})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

type dimension struct{ name, value string }

// metadata is the _aws member (CloudWatch user guide, "Specification: Embedded metric format").
type metadata struct {
	Timestamp         int64       `json:"Timestamp"` // milliseconds since 1970
	CloudWatchMetrics []directive `json:"CloudWatchMetrics"`
}

type directive struct {
	Namespace  string       `json:"Namespace"`
	Dimensions [][]string   `json:"Dimensions"`
	Metrics    []definition `json:"Metrics"`
}

type definition struct {
	Name string `json:"Name"`
	Unit string `json:"Unit"`
}

// put writes one measurement: the metadata, and beside it the values of the dimensions and the metric, under the names
// that the metadata gives. CloudWatch silently drops a measurement with an empty dimension, so that is an error here.
func (m *Metrics) put(name, unit string, value float64, dims ...dimension) error {
	line := map[string]any{name: value}
	names := make([]string, 0, len(dims))
	for _, d := range dims {
		if d.value == "" || len(d.value) > 1024 {
			return fmt.Errorf("metric %s needs a %s of 1 to 1024 characters", name, d.name)
		}
		names = append(names, d.name)
		line[d.name] = d.value
	}
	line["_aws"] = metadata{Timestamp: m.now().UnixMilli(), CloudWatchMetrics: []directive{{Namespace: Namespace,
		Dimensions: [][]string{names}, Metrics: []definition{{Name: name, Unit: unit}}}}}
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("encoding metric %s: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.w.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("writing metric %s: %w", name, err)
	}
	return nil
}
