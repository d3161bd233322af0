package words

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/rotation"
)

// Plan is the output of a dry run: a plan, and what the tests found.
type Plan struct {
	rotation.Plan
	Tests string `json:"tests"`
}

// List is a part of a plan.
type List struct {
	Title    string
	Items    []string
	Numbered bool
}

// Parts are what a plan says besides its action and why.
func (p Plan) Parts() []List {
	var targets, tests []string
	for _, t := range p.Targets {
		targets = append(targets, t.Region+"  "+t.Name+t.DescribeCanary())
	}
	slices.Sort(targets)
	if p.Tests != "" {
		tests = []string{p.Tests}
	}
	steps := make([]string, len(p.Steps))
	for i, step := range p.Steps {
		steps[i] = Sentence(step)
	}
	all := []List{{Title: "Warnings", Items: p.Warnings},
		{Title: fmt.Sprintf("Targets (%d)", len(targets)), Items: targets},
		{Title: fmt.Sprintf("Follows AWSCURRENT, left to controllers (%d)", len(p.Follows)), Items: p.Follows},
		{Title: "Steps", Items: steps, Numbered: true}, {Title: "Checked", Items: p.Checks},
		{Title: "Smoke tests with the secret in use", Items: tests}, {Title: "Waits", Items: []string{
			fmt.Sprintf("spread: %s, until every load balancer node serves a change",
				Span(time.Duration(p.SpreadSeconds)*time.Second)),
			fmt.Sprintf("grace period: %s, in which both secrets are valid",
				Span(time.Duration(p.GracePeriodSeconds)*time.Second))}}}
	if p.FollowersSeconds > 0 {
		waits := &all[len(all)-1]
		waits.Items = append(waits.Items,
			fmt.Sprintf("followers: up to %s after AWSCURRENT has moved; no secret that they "+
				"may have goes before", Span(time.Duration(p.FollowersSeconds)*time.Second)))
	}
	return slices.DeleteFunc(all, func(l List) bool { return len(l.Items) == 0 })
}

// Sentence begins with a capital letter.
func Sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// ReadMeasured reads what a measurement found, or why nothing was measured: nothing is known of the secret then.
func ReadMeasured(e system.Execution) (m rotation.Measured, why string) {
	var out struct {
		rotation.Measured
		Outcome, Error, Cause string
	}
	switch err := json.Unmarshal(e.Output, &out); {
	case e.Status != "SUCCEEDED":
		why = "the execution ended as " + cmp.Or(e.Error, e.Status) + ": " + FindMessage(e.Cause)
	case err != nil:
		why = "its output cannot be read: " + err.Error()
	case out.Outcome != "": // a measurement that was made has none
		why = out.Error + ": " + FindMessage(out.Cause)
	}
	return out.Measured, why
}

// Measurement says what was found.
func Measurement(m rotation.Measured) []string {
	says := []string{fmt.Sprintf("the secret in use is %s old", Span(time.Duration(m.SecretAgeSeconds)*time.Second))}
	if m.SecretAccepted {
		says = append(says, "the identity provider accepts it")
	} else {
		says = append(says, "THE IDENTITY PROVIDER REFUSES IT: try a login at once; if it was revoked or has expired: "+
			"rotator repair "+m.Client)
	}
	if m.SecretEnds != "" {
		says = append(says, "the identity provider ends it by itself at "+m.SecretEnds)
	}
	if m.LockHeldSeconds > 0 {
		says = append(says, fmt.Sprintf("a rotation has had the lock for %s",
			Span(time.Duration(m.LockHeldSeconds)*time.Second)))
	}
	if m.RotationRefused != "" {
		says = append(says, "the next rotation would be refused: "+m.RotationRefused)
	}
	if m.Start != "" {
		says = append(says, "a rotation is started for that, "+m.Start)
	}
	if m.NotRotated != "" {
		says = append(says, m.NotRotated)
	}
	return says
}
