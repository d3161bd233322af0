package rotation

import (
	"encoding/json"

	"alboidc.internal/shared/strictjson"
)

// maxReason is the longest reason, in bytes.
const maxReason = 256

// ParseRequest reads the execution's input. Unknown or wrong fields are refused by name.
func ParseRequest(raw json.RawMessage) (Request, error) {
	var r Request
	ps := strictjson.Decode(raw, &r, "")
	if len(ps) == 0 {
		if r.Client == "" {
			ps.Add("client", "is missing: the name of the client to rotate")
		}
		if len(r.Reason) > maxReason {
			ps.Add("reason", "must be at most %d characters", maxReason)
		}
		if g := r.GracePeriodSeconds; g != nil && *g < 0 {
			ps.Add("gracePeriodSeconds", "must be 0 (emergency) or more")
		}
		if r.Measure && (r.DryRun || r.GracePeriodSeconds != nil) {
			ps.Add("measure", "cannot be given with dryRun or gracePeriodSeconds: it does not rotate")
		}
	}
	return r, ps.Err("the execution input")
}
