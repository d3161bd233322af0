package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
)

// answer is what matters of a token endpoint's answer (RFC 6749, sections 5.1 and 5.2).
type answer struct {
	status int
	// names are what the answer may be known by, the most precise first: Microsoft's numbers, the error code.
	names []string
	// text is error_description. It is compared but never shown: it comes from outside, and may quote the request.
	text  string
	token bool
}

// codePattern is what an error code may look like to be shown: RFC 6749's own and the vendors' do, and a generated
// secret that a server echoes does not.
var codePattern = regexp.MustCompile(`^(errorCode )?[a-z_]{1,40}$|^errorCode E[0-9]{7}$|^AADSTS[0-9.ADST]{1,40}$`)

// numberPattern finds Microsoft's number where error_codes is missing.
var numberPattern = regexp.MustCompile(`^AADSTS([0-9]{4,9})\b`)

// readAnswer reads a token endpoint's answer. An answer that is not from the endpoint's own code (a web page, a
// redirect, JSON without the members that RFC 6749 demands) says nothing about the secret, nor that the endpoint was
// reached: it is Unavailable, like 5xx and an endpoint that cannot answer now. Too many requests are Throttled. Both
// errors have the wait that the endpoint asked for in their chain.
func readAnswer(host string, status int, header http.Header, body []byte, now time.Time) (answer, error) {
	body = httpclient.TrimBOM(body)
	a, ok := decode(body)
	a.status = status
	cannot := func(kind failure.Kind, why string) (answer, error) {
		s := &httpclient.StatusError{Status: status, Wait: httpclient.ToldWait(status, header, now)}
		if len(a.names) > 0 && codePattern.MatchString(a.names[len(a.names)-1]) {
			s.Code = a.names[len(a.names)-1]
		}
		return answer{}, failure.Wrap(kind, s, "token endpoint %s %s", host, why)
	}
	switch {
	case status == http.StatusTooManyRequests || a.is("slow_down"):
		return cannot(failure.Throttled, "has had too many requests")
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusLocked,
		status == http.StatusTooEarly, a.is("temporarily_unavailable"), a.is("server_error"):
		return cannot(failure.Unavailable, "cannot answer now")
	case status/100 == 3:
		return cannot(failure.Unavailable, "answered with a redirect, which is not followed")
	case httpclient.IsPage(header, body):
		return cannot(failure.Unavailable, "answered with a web page: most likely a firewall, a proxy, or maintenance")
	case !ok:
		return cannot(failure.Unavailable, "gave an answer that is not a token endpoint's")
	}
	return a, nil
}

// decode is lenient about what it does not need: some write numbers as text. ok is false if the body is not a token
// endpoint's: one that names an error beside a token says two things about the secret, so it says nothing.
func decode(body []byte) (a answer, ok bool) {
	members, ok := membersOf(body)
	if !ok {
		return answer{}, false
	}
	a.text, a.token = textOf(members["error_description"]), textOf(members["access_token"]) != ""
	var numbers []json.Number
	_ = json.Unmarshal(members["error_codes"], &numbers)
	if n := numberPattern.FindStringSubmatch(a.text); n != nil && len(numbers) == 0 {
		numbers = []json.Number{json.Number(n[1])}
	}
	if len(numbers) > 0 { // several are one name, which nobody lists
		name := ""
		for _, n := range numbers {
			name += ".AADSTS" + n.String()
		}
		a.names = append(a.names, name[1:])
	}
	switch code, own := textOf(members["error"]), textOf(members["errorCode"]); {
	case code != "":
		a.names = append(a.names, code)
	case own != "": // Okta's own form (Okta API docs, error object)
		a.names, a.text = []string{"errorCode " + own}, textOf(members["errorSummary"])
	default:
		a.names = nil
		return a, a.token
	}
	return a, !a.token
}

// membersOf returns the members of a JSON object that has each once. Unlike a struct's, their names are exact.
func membersOf(body []byte) (members map[string]json.RawMessage, ok bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') || !json.Valid(body) {
		return nil, false
	}
	members = map[string]json.RawMessage{}
	for d.More() {
		name, _ := d.Token() // the body is valid JSON, so it is one
		var value json.RawMessage
		if _, twice := members[name.(string)]; twice || d.Decode(&value) != nil {
			return nil, false
		}
		members[name.(string)] = value
	}
	return members, true
}

// textOf returns a member that is text, "" if it is something else.
func textOf(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// is reports whether the answer has an error code or number.
func (a answer) is(name string) bool { return slices.Contains(a.names, name) }

// describe returns the answer as people see it, e.g. "HTTP 401 invalid_client AADSTS7000215". known is a name of the
// configuration, "" if there is none.
func (a answer) describe(known string) string {
	s := fmt.Sprintf("HTTP %d", a.status)
	for _, name := range slices.Backward(a.names) {
		if name != known && !codePattern.MatchString(name) {
			return fmt.Sprintf("HTTP %d with an unknown error code", a.status)
		}
		s += " " + name
	}
	return s
}

// judge says what an answer means for the secret. A code counts with the statuses that an OAuth server gives it: 400
// and 401 (RFC 6749, section 5.2), 2xx of servers that have no other, and, for a secret that is accepted, Auth0's 403.
// By another status, or 403, somebody else refuses something else.
func judge(spec idp.ProbeSpec, a answer) Verdict {
	for _, o := range spec.Other {
		if a.is(o.Code) && strings.Contains(a.text, o.Text) {
			return Verdict{Inconclusive, a.describe("") + ", which is not about the secret: " + o.Means}
		}
	}
	usual := a.status/100 == 2 || a.status == http.StatusBadRequest || a.status == http.StatusUnauthorized
	for _, name := range a.names {
		switch {
		case slices.Contains(spec.Accepted, name) && (usual || a.status == http.StatusForbidden):
			return Verdict{Accepted, a.describe(name)}
		case slices.Contains(spec.Rejected, name) && usual:
			return Verdict{Rejected, a.describe(name)}
		}
	}
	if len(a.names) == 0 && a.status/100 == 2 {
		return Verdict{Accepted, a.describe("") + " with an access token"}
	}
	return Verdict{Inconclusive, a.describe("") + ", which says nothing about the secret"}
}
