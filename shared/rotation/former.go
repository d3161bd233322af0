package rotation

import "encoding/json"

// RewriteFormer turns a function's input from an earlier definition of the state machine into today's. An execution
// keeps the definition with which it began, for weeks, and calls the present functions.
func RewriteFormer(raw json.RawMessage) json.RawMessage {
	var in map[string]json.RawMessage
	if json.Unmarshal(raw, &in) != nil {
		return raw
	}
	if target := in["target"]; target != nil { // one call was for one target
		in["targets"] = encode([]json.RawMessage{target})
		delete(in, "target")
		raw = encode(in)
	}
	if in["call"] != nil || in["client"] == nil {
		return raw
	}
	// The caller's fields were at the top level, and flags told plan what to do.
	in["call"] = encode(map[string]json.RawMessage{"client": in["client"], "execution": in["execution"]})
	var request Request
	switch {
	case in["request"] == nil: // another function
	case string(in["discoverOnly"]) == "true":
		in["action"] = encode(PlanDiscover)
	case json.Unmarshal(in["request"], &request) == nil && request.Measure:
		in["action"] = encode(PlanMeasure)
	default:
		in["action"] = encode(PlanDecide)
	}
	for _, name := range []string{"client", "execution", "discoverOnly"} {
		delete(in, name)
	}
	return encode(in)
}

func encode(v any) json.RawMessage {
	out, _ := json.Marshal(v) // texts, and JSON that has been read
	return out
}
