package awsapi_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"github.com/aws/smithy-go/encoding/cbor"
)

// echo is a service with one operation, Echo, that answers with what it was asked.
type echo struct {
	name     string
	protocol awsapi.Protocol

	mu      sync.Mutex
	handled int
}

type echoed struct {
	Region string `json:"Region" xml:"Region"`
	Text   string `json:"Text" xml:"Text"`
}

// EchoInput is what the SDK of such a service would have.
type EchoInput struct {
	Text, Loud *string
	List       []struct{ Shade *string }
	Map        map[string]string
}

func (e *echo) Inputs() awsapi.Inputs     { return awsapi.InputsOf(EchoInput{}) }
func (e *echo) SigningName() string       { return e.name }
func (e *echo) Protocol() awsapi.Protocol { return e.protocol }

func (e *echo) Route(method, path string) string {
	if method == http.MethodPost && path == "/echo" {
		return "Echo"
	}
	return ""
}

func (e *echo) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	e.mu.Lock()
	e.handled++
	e.mu.Unlock()
	switch call.Operation {
	case "Echo":
	case "Explode":
		return nil, errors.New("a defect")
	case "Nothing":
		return nil, nil
	default:
		return nil, awsapi.NotImplemented(call)
	}
	if e.protocol == awsapi.Query {
		p := call.Params()
		out := echoed{Region: call.Region, Text: p.String("Text")}
		return out, p.Done()
	}
	if e.protocol == awsapi.REST {
		if _, err := call.Query("text"); err != nil {
			return nil, err
		}
	}
	var in struct {
		Text string
		List []struct{}
		Map  map[string]string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.Text == "wrong" {
		return nil, &awsapi.Error{Code: "WrongTextException", Message: "the text <is> wrong",
			Fields: map[string]any{"Reason": "taste"}}
	}
	return echoed{Region: call.Region, Text: in.Text}, nil
}

// rig is a server with a service of each protocol.
type rig struct {
	t        *testing.T
	url      string
	clock    *clock.Virtual
	faults   *fault.Injector
	services map[string]*echo
}

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, clock: clock.NewVirtual(start()), faults: &fault.Injector{}, services: map[string]*echo{}}
	var all []awsapi.Service
	for name, p := range map[string]awsapi.Protocol{"secretsmanager": awsapi.JSON11, "states": awsapi.JSON10,
		"sns":    awsapi.Query,
		"lambda": awsapi.REST, "monitoring": awsapi.CBOR} {
		r.services[name] = &echo{name: name, protocol: p}
		all = append(all, r.services[name])
	}
	srv := httptest.NewServer(awsapi.NewServer(r.clock, r.faults, all...))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

// request describes one; signed for service unless service is "".
type request struct {
	service, method, path, body string
	header                      map[string]string
}

func target(service, operation, body string) request {
	return request{service: service, body: body, header: map[string]string{"X-Amz-Target": "Some_20260301." +
		operation}}
}

func form(service, body string) request {
	return request{service: service, body: body,
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}}
}

func smithy(service, operation string, body cbor.Map) request {
	return request{service: service, path: "/service/Some/operation/" + operation, body: string(cbor.Encode(body)),
		header: map[string]string{"Smithy-Protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (r *rig) try(q request) (answer, error) {
	r.t.Helper()
	if q.method == "" {
		q.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(r.t.Context(), q.method, r.url+q.path, strings.NewReader(q.body))
	if err != nil {
		r.t.Fatal(err)
	}
	if q.service != "" {
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260301/eu-west-1/"+q.service+
			"/aws4_request, SignedHeaders=host, Signature=0")
	}
	for k, v := range q.header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}, err
}

func (r *rig) do(q request) answer {
	r.t.Helper()
	a, err := r.try(q)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func TestEveryProtocolIsAnsweredInItsOwnForm(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, c := range map[string]struct {
		request     request
		contentType string
		body        string // "" is not compared
	}{
		"AWS JSON 1.1": {target("secretsmanager", "Echo", `{"Text":"a"}`), "application/x-amz-json-1.1",
			`{"Region":"eu-west-1","Text":"a"}`},
		"AWS JSON 1.0": {target("states", "Echo", `{"Text":"a"}`), "application/x-amz-json-1.0",
			`{"Region":"eu-west-1","Text":"a"}`},
		"REST": {request{service: "lambda", path: "/echo", body: `{"Text":"a"}`}, "application/json",
			`{"Region":"eu-west-1","Text":"a"}`},
		"AWS JSON to a service that also speaks CBOR": {target("monitoring", "Echo", `{"Text":"a"}`),
			"application/x-amz-json-1.0", `{"Region":"eu-west-1","Text":"a"}`},
		"an empty answer": {target("states", "Nothing", ``), "application/x-amz-json-1.0", `{}`},
		"an empty CBOR":   {smithy("monitoring", "Nothing", nil), "application/cbor", string(cbor.Encode(cbor.Map{}))},
		"Smithy RPC v2, CBOR": {smithy("monitoring", "Echo", cbor.Map{"Text": cbor.String("a")}),
			"application/cbor", ""},
		"Query": {form("sns", "Action=Echo&Version=2010-03-31&Text=a%26b"), "text/xml", ""},
	} {
		a := r.do(c.request)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != c.contentType ||
			(c.body != "" && a.body != c.body) {
			t.Errorf("%s: %d %s %s", name, a.status, a.header.Get("Content-Type"), a.body)
		}
		if a.header.Get("x-amzn-RequestId") == "" {
			t.Errorf("%s: the answer has no request id", name)
		}
	}
}

func TestQueryAnswerIsWrappedInTheOperationsName(t *testing.T) {
	t.Parallel()
	a := newRig(t).do(form("sns", "Action=Echo&Version=2010-03-31&Text=a%26b"))
	var got struct {
		XMLName  xml.Name
		Result   echoed `xml:"EchoResult"`
		Metadata struct {
			RequestID string `xml:"RequestId"`
		} `xml:"ResponseMetadata"`
	}
	if err := xml.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.XMLName.Local != "EchoResponse" || got.Result != (echoed{"eu-west-1", "a&b"}) ||
		got.Metadata.RequestID != a.header.Get("x-amzn-RequestId") {
		t.Errorf("answered %s", a.body)
	}
}

func TestCBORAnswerHoldsWhatWasAsked(t *testing.T) {
	t.Parallel()
	a := newRig(t).do(smithy("monitoring", "Echo", cbor.Map{"Text": cbor.String("a")}))
	v, err := cbor.Decode([]byte(a.body))
	if err != nil || a.header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
		t.Fatalf("%v, headers %v", err, a.header)
	}
	if m, ok := v.(cbor.Map); !ok || m["Text"] != cbor.String("a") || m["Region"] != cbor.String("eu-west-1") {
		t.Errorf("answered %v", v)
	}
}

// TestErrorsAreReadableInTheProtocolOfTheRequest also covers requests that name no service here: their sender must
// still be able to read which operation is missing.
func TestErrorsAreReadableInTheProtocolOfTheRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, c := range map[string]struct {
		request       request
		status        int
		code, message string
	}{
		"a service's own error": {target("states", "Echo", `{"Text":"wrong"}`), 400, "WrongTextException",
			"the text <is> wrong"},
		"the same by CBOR": {smithy("monitoring", "Echo", cbor.Map{"Text": cbor.String("wrong")}), 400,
			"WrongTextException", "the text <is> wrong"},
		"a defect":          {target("states", "Explode", ``), 500, "InternalFailure", "a defect"},
		"a defect by Query": {form("sns", "Action=Explode"), 500, "InternalFailure", "a defect"},
		"an unknown operation": {target("secretsmanager", "Rotate", `{}`), 501, "NotImplemented",
			"does not implement secretsmanager:Rotate"},
		"an unknown Query operation": {form("sns", "Action=Shout"), 501, "NotImplemented",
			"does not implement sns:Shout"},
		"an unknown REST operation": {request{service: "lambda", method: "GET", path: "/layers"}, 501,
			"NotImplemented", "does not implement lambda:GET /layers"},
		"an unknown parameter": {target("states", "Echo", `{"Text":"a","Loud":true}`), 501,
			"NotImplemented", "parameter Loud of states:Echo"},
		"an unknown Query parameter": {form("sns", "Action=Echo&Loud=true"), 501, "NotImplemented",
			"parameter Loud of sns:Echo"},
		"an unknown service, AWS JSON": {target("logs", "DescribeLogGroups", `{}`), 501, "NotImplemented",
			"does not implement logs:DescribeLogGroups"},
		"an unknown service, Query": {form("iam", "Action=ListRoles&Version=2010-05-08"), 501, "NotImplemented",
			"does not implement iam:ListRoles"},
		"an unknown service, CBOR": {smithy("arc", "List", nil), 501, "NotImplemented", "does not implement arc:List"},
		"an unknown service, REST": {request{service: "s3", method: "GET", path: "/bucket"}, 501,
			"NotImplemented", "does not implement s3:GET /bucket"},
		"no signature": {target("", "Echo", `{}`), 403, "MissingAuthenticationToken",
			"no AWS signature"},
		"no signature, Query": {form("", "Action=GetCallerIdentity"), 403, "MissingAuthenticationToken",
			"no AWS signature"},
		"no operation": {request{service: "states", body: `{}`}, 400, "UnknownOperationException",
			"X-Amz-Target"},
		"no operation for CBOR": {request{service: "monitoring", path: "/"}, 400,
			"UnknownOperationException", "neither"},
		"a body that is not JSON": {target("states", "Echo", `{"Text":`), 400, "SerializationException",
			"not valid"},
		"text after the JSON value": {target("states", "Echo", `{} {}`), 400, "SerializationException",
			"after its JSON value"},
		"a form that cannot be read": {form("sns", "Action=Echo&Text=%zz"), 400, "MalformedQueryString",
			"cannot be read"},
		"a body that is longer than any service takes": {target("states", "Echo", strings.Repeat(" ", 70167212)), 413,
			"RequestEntityTooLargeException", "must be smaller than 70167211 bytes"},
	} {
		a := r.do(c.request)
		code, message := a.failure(t, name)
		if a.status != c.status || code != c.code || !strings.Contains(message, c.message) {
			t.Errorf("%s: got %d %s %q, want %d %s %q", name, a.status, code, message, c.status, c.code, c.message)
		}
	}
}

// failure reads an error in the form that the answer's content type announces.
func (a answer) failure(t *testing.T, name string) (code, message string) {
	t.Helper()
	switch kind := a.header.Get("Content-Type"); kind {
	case "text/xml":
		var e struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Error   struct{ Type, Code, Message string }
		}
		if err := xml.Unmarshal([]byte(a.body), &e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := map[bool]string{true: "Receiver", false: "Sender"}[a.status >= 500]; e.Error.Type != want {
			t.Errorf("%s: the error is the %s's", name, e.Error.Type)
		}
		return e.Error.Code, e.Error.Message
	case "application/cbor":
		v, err := cbor.Decode([]byte(a.body))
		m, ok := v.(cbor.Map)
		if err != nil || !ok {
			t.Fatalf("%s: %v %v", name, v, err)
		}
		c, _ := m["__type"].(cbor.String)
		s, _ := m["message"].(cbor.String)
		return string(c), string(s)
	default:
		var e struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal([]byte(a.body), &e); err != nil {
			t.Errorf("%s (%s): %v", name, kind, err)
		}
		if a.header.Get("x-amzn-ErrorType") != e.Type {
			t.Errorf("%s: header says %s, body %s", name, a.header.Get("x-amzn-ErrorType"), e.Type)
		}
		return e.Type, e.Message
	}
}

func TestWhatAWSDoesNotKnowIsIgnoredAndTheRestIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rest := func(query, body string) request {
		return request{service: "lambda", path: "/echo?" + query, body: body}
	}
	for q, refused := range map[*request]string{
		ptr(target("states", "Echo", `{"text":"hi","zzz":{"a":[1]},"loud":null}`)):             "",
		ptr(target("states", "Echo", `{"text":"hi","list":[{"zzz":1},{}],"map":{"any":"k"}}`)): "",
		ptr(target("states", "Echo", `{"text":"hi","loud":"red","zzz":1}`)):                    "loud",
		ptr(target("states", "Echo", `{"text":"hi","list":[{"shade":"red"}]}`)):                "shade",
		ptr(form("sns", "Action=Echo&Version=1&Text=hi&Zzz=1&Zzz.member.1=2&List.member.1.Zzz=3&List.member.x.Shade=4"+
			"&Text.member.1=5&List.entry.1.key=6&Map.entry.x.key=7")): "",
		ptr(form("sns", "Action=Echo&Text=hi&Loud=red&Zzz=1")): "Loud",

		ptr(form("sns", "Action=Echo&List.member.1.Shade=red")): "List.member.1.Shade",
		ptr(form("sns", "Action=Echo&Map.entry.1.key=k")):       "Map.entry.1.key",
		ptr(form("sns", "Action=Echo&Map.entry.1.value=v")):     "Map.entry.1.value",

		ptr(smithy("monitoring", "Echo", cbor.Map{"Text": cbor.String("hi"), "Zzz": cbor.String("x")})):    "",
		ptr(smithy("monitoring", "Echo", cbor.Map{"Text": cbor.String("hi"), "Loud": cbor.String("red")})): "Loud",
		ptr(rest("zzz=1&text=t", `{"Text":"hi","Zzz":1}`)):                                                 "",
		ptr(rest("loud=red", `{"Text":"hi"}`)):                                                             "loud",
		ptr(rest("", `{"Text":"hi","Loud":"red"}`)):                                                        "Loud",
	} {
		a := r.do(*q)
		switch {
		case refused == "" && (a.status != http.StatusOK || !strings.Contains(a.body, "hi")):
			t.Errorf("%s %s: %d %s", q.path, q.body, a.status, a.body)
		case refused != "" && (a.status != http.StatusNotImplemented || !strings.Contains(a.body,
			"parameter "+refused+" of")):
			t.Errorf("%s %s: %d %s, want %s refused", q.path, q.body, a.status, a.body, refused)
		}
	}
}

func ptr(q request) *request { return &q }

func TestFurtherMembersOfAnErrorAreInItsBody(t *testing.T) {
	t.Parallel()
	if a := newRig(t).do(target("states", "Echo", `{"Text":"wrong"}`)); !strings.Contains(a.body, `"Reason":"taste"`) {
		t.Errorf("answered %s", a.body)
	}
}
