package rotation

import (
	"encoding/json"
	"regexp"
	"time"
	"unicode/utf8"

	"alboidc.internal/shared/strictjson"
)

const (
	// maxReason is the longest reason, in characters.
	maxReason = 256
	// maxGrace is the longest grace period that can be asked for, in seconds.
	maxGrace = 31_536_000
)

// fleetARN is what the ARN of a fleet's execution is like. A person may have given that any name.
var fleetARN = regexp.MustCompile(
	`^arn:[a-z-]+:states:[a-z0-9-]+:[0-9]{12}:execution:[A-Za-z0-9_-]+:[^\x00-\x20:/]+$`)

// IsFleet reports whether a text is like the ARN of a fleet's execution.
func IsFleet(arn string) bool { return fleetARN.MatchString(arn) }

// ParseRequest reads the execution's input and refuses unknown or wrong fields by name. The state machine checks the
// same before it asks for the lock (CheckInput).
func ParseRequest(raw json.RawMessage) (Request, error) {
	var r Request
	ps := strictjson.Decode(raw, &r, "")
	if len(ps) == 0 {
		if r.Client == "" {
			ps.Add("client", "is missing: the name of the client to rotate")
		}
		if utf8.RuneCountInString(r.Reason) > maxReason {
			ps.Add("reason", "must be at most %d characters", maxReason)
		}
		if r.Fleet != "" && !fleetARN.MatchString(r.Fleet) {
			ps.Add("fleet", "must be the ARN of a fleet's execution")
		}
		if g := r.GracePeriodSeconds; g != nil && (*g < 0 || *g > maxGrace) {
			ps.Add("gracePeriodSeconds", "must be 0 or more, at most %d", maxGrace)
		}
		if r.Measure && (r.DryRun || r.GracePeriodSeconds != nil) {
			ps.Add("measure", "cannot be given with dryRun or gracePeriodSeconds: it does not rotate")
		}
		if r.Emergency && (r.DryRun || r.Measure || r.GracePeriodSeconds != nil) {
			ps.Add("emergency",
				"cannot be given with dryRun, measure or gracePeriodSeconds: it rotates at once and has no grace "+
					"period")
		}
		if r.Repair && (r.Emergency || r.Measure || r.GracePeriodSeconds != nil) {
			ps.Add("repair",
				"cannot be given with emergency, measure or gracePeriodSeconds: it replaces a dead secret "+
					"at once")
		}
	}
	return r, ps.Err("the execution input")
}

// Shorten returns the grace period that the request asks for; nil if it asks for none.
func (r Request) Shorten() *time.Duration {
	var d time.Duration
	switch {
	case r.Emergency:
	case r.GracePeriodSeconds != nil:
		d = time.Duration(*r.GracePeriodSeconds) * time.Second
	default:
		return nil
	}
	return &d
}
