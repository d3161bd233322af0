package awsapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
)

// maxBody is the largest request that any service takes: Lambda's CreateFunction with a program of 50 MB in it. The
// number is that of the service's own refusal.
const maxBody = 70167211

// smithyCBOR is the value of the header Smithy-Protocol for Smithy RPC v2 CBOR.
const smithyCBOR = "rpc-v2-cbor"

// Server answers requests for all its services on one address.
type Server struct {
	clock    clock.Clock
	faults   *fault.Injector
	services map[string]Service
	others   map[string]map[string]Service // of other accounts
	callers  Callers
}

var _ http.Handler = (*Server)(nil)

// NewServer returns a server for the services, which must have different signing names. faults may be nil.
func NewServer(c clock.Clock, faults *fault.Injector, services ...Service) *Server {
	s := &Server{clock: c, faults: faults, services: map[string]Service{}, others: map[string]map[string]Service{}}
	for _, svc := range services {
		s.services[svc.SigningName()] = svc
		if callers, is := svc.(Callers); is {
			s.callers = callers
		}
		if m, ok := svc.(Modelled); ok {
			faults.Know(svc.SigningName(), slices.Collect(maps.Keys(m.Inputs()))...)
		}
	}
	return s
}

// Add adds services of another account, and whatever account calls has the one that gives out keys.
func (s *Server) Add(account string, services ...Service) {
	s.others[account] = map[string]Service{}
	for _, svc := range services {
		s.others[account][svc.SigningName()] = svc
	}
	if svc, is := s.callers.(Service); is {
		s.others[account][svc.SigningName()] = svc
	}
}

// of returns the service that a request is for; nil if the caller's account has none.
func (s *Server) of(call *Call) (Service, error) {
	if s.callers != nil {
		account, err := s.callers.Account(call.AccessKey)
		if err != nil {
			return s.services[call.Service], err
		}
		call.Account = account
	}
	if call.Account != AccountID {
		return s.others[call.Account][call.Service], nil
	}
	return s.services[call.Service], nil
}

// Services are the signing names of the services.
func (s *Server) Services() []string { return slices.Collect(maps.Keys(s.services)) }

// credentialScope finds the Region and service in an Authorization header (SigV4).
var credentialScope = regexp.MustCompile(`Credential=([^/,]+)/\d{8}/([^/]*)/([^/]*)/aws4_request`)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := NewID()
	w.Header().Set("x-amzn-RequestId", id)
	w.Header().Set("x-amz-request-id", id)
	call, svc, err := s.decode(r)
	if err != nil {
		writeError(w, protocolOf(svc, r), id, errorOf(err))
		return
	}
	proto := protocolOf(svc, r)
	out := s.faults.Decide(call.Service, call.Operation, call.text())
	if out.Delay > 0 {
		// a request that is under way lands even if its sender has gone: that is what makes late effects dangerous
		if s.clock.Sleep(context.WithoutCancel(r.Context()), out.Delay) != nil {
			return
		}
	}
	if out.Refuse {
		writeError(w, proto, id, &Error{Status: out.Status, Code: out.Code, Message: fault.Text})
		return
	}
	if out.Drop {
		ctx := context.WithoutCancel(r.Context())
		s.clock.Go(func() { _, _ = svc.Handle(ctx, call) })
		panic(http.ErrAbortHandler)
	}
	result, err := svc.Handle(r.Context(), call)
	if out.Lose {
		panic(http.ErrAbortHandler) // net/http drops the connection without an answer
	}
	if err != nil {
		writeError(w, proto, id, errorOf(err))
		return
	}
	writeResult(w, proto, id, call, result)
}

// protocolOf is the protocol a request is to be answered in. svc is nil if the service is not known: then the request
// itself tells, so that its sender can read that the service does not exist here.
func protocolOf(svc Service, r *http.Request) Protocol {
	switch {
	case svc != nil && svc.Protocol() == CBOR && r.Header.Get("X-Amz-Target") != "":
		return JSON10
	case svc != nil:
		return svc.Protocol()
	case r.Header.Get("X-Amz-Target") != "":
		return JSON10
	case r.Header.Get("Smithy-Protocol") == smithyCBOR:
		return CBOR
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		return Query
	default:
		return REST
	}
}

// decode finds the service and the operation of a request.
func (s *Server) decode(r *http.Request) (*Call, Service, error) {
	m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return nil, nil, &Error{Status: http.StatusForbidden, Code: "MissingAuthenticationToken",
			Message: "the request has no AWS signature (any access key will do here)"}
	}
	call := &Call{AccessKey: m[1], Account: AccountID, Region: m[2], Service: m[3], HTTP: r}
	svc, refused := s.of(call)
	body, err := readBody(r)
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, svc, err
	}
	call.Body = body
	err = call.read(svc, protocolOf(svc, r))
	if svc == nil {
		if call.Operation == "" {
			call.Operation = r.Method + " " + r.URL.Path
		}
		return nil, nil, NotImplemented(call)
	}
	if err == nil {
		call.ignoreUnknown(svc, protocolOf(svc, r))
	}
	return call, svc, err
}

// read finds the operation and its parameters. svc is nil if the service is not known.
func (c *Call) read(svc Service, p Protocol) error {
	switch p {
	case JSON10, JSON11:
		_, op, ok := strings.Cut(c.HTTP.Header.Get("X-Amz-Target"), ".")
		if !ok {
			return Errorf("UnknownOperationException", "the header X-Amz-Target is missing")
		}
		c.Operation = op
	case Query:
		form, err := url.ParseQuery(string(c.Body))
		if err != nil {
			return Errorf("MalformedQueryString", "the form cannot be read")
		}
		c.Operation = form.Get("Action")
		form.Del("Action")
		form.Del("Version")
		c.Form = form
	case REST:
		router, ok := svc.(Router)
		if !ok {
			return fmt.Errorf("service %s speaks REST but has no routes", c.Service)
		}
		if c.Operation = router.Route(c.HTTP.Method, c.HTTP.URL.Path); c.Operation == "" {
			c.Operation = c.HTTP.Method + " " + c.HTTP.URL.Path
			return NotImplemented(c)
		}
	case CBOR:
		// Smithy RPC v2: POST /service/<shape name>/operation/<name>, with the header Smithy-Protocol.
		_, op, ok := strings.Cut(c.HTTP.URL.Path, "/operation/")
		if !ok || c.HTTP.Header.Get("Smithy-Protocol") != smithyCBOR {
			return Errorf("UnknownOperationException", "the request is neither Smithy RPC v2 CBOR nor AWS JSON")
		}
		c.Operation = op
		var err error
		c.Body, err = jsonFromCBOR(c.Body)
		return err
	}
	return nil
}

func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, &Error{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLargeException",
			Message: fmt.Sprintf("Request must be smaller than %d bytes", maxBody)}
	}
	return body, nil
}

// text is what fault rules match against. It begins with the account, if that is another than the local stack's.
func (c *Call) text() string {
	text := c.HTTP.URL.Path + " " + string(c.Body)
	if c.Form != nil {
		if s, err := url.QueryUnescape(string(c.Body)); err == nil {
			text = s
		}
	}
	if c.Account != AccountID {
		text = "account=" + c.Account + "&" + text
	}
	return text
}

func writeResult(w http.ResponseWriter, p Protocol, id string, call *Call, result any) {
	if raw, ok := result.(Raw); ok {
		for k, v := range raw.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(raw.Status)
		_, _ = w.Write(raw.Body)
		return
	}
	var body []byte
	var err error
	switch {
	case p == Query:
		body, err = marshalQuery(call.Operation, id, result)
	case p == CBOR:
		body, err = marshalCBOR(result)
	case result == nil:
		body = []byte("{}")
	default:
		body, err = json.Marshal(result)
	}
	if err != nil {
		writeError(w, p, id, errorOf(fmt.Errorf("encoding the answer of %s: %w", call.Operation, err)))
		return
	}
	send(w, p, http.StatusOK, body)
}

// send answers with a body. DynamoDB says its checksum, and its client complains where that is missing.
func send(w http.ResponseWriter, p Protocol, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType(p))
	switch p {
	case CBOR:
		h.Set("Smithy-Protocol", smithyCBOR)
	case JSON10:
		h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func contentType(p Protocol) string {
	switch p {
	case JSON10:
		return "application/x-amz-json-1.0"
	case JSON11:
		return "application/x-amz-json-1.1"
	case Query:
		return "text/xml"
	case CBOR:
		return "application/cbor"
	default:
		return "application/json"
	}
}

// marshalQuery wraps a result the way the Query protocol does: OperationResponse > OperationResult + ResponseMetadata.
func marshalQuery(operation, id string, result any) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%sResponse>", operation)
	e := xml.NewEncoder(&b)
	if result == nil {
		result = struct{}{}
	}
	if err := e.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: operation + "Result"}}); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", id, operation)
	return b.Bytes(), nil
}

func writeError(w http.ResponseWriter, p Protocol, id string, e *Error) {
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	var body []byte
	switch p {
	case Query:
		kind := "Sender"
		if status >= 500 {
			kind = "Receiver"
		}
		var msg bytes.Buffer
		_ = xml.EscapeText(&msg, []byte(e.Message))
		body = fmt.Appendf(nil,
			"<ErrorResponse><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>",
			kind, e.Code, msg.String(), id)
	case CBOR:
		body, _ = marshalCBOR(map[string]string{"__type": e.Code, "message": e.Message})
	default:
		w.Header().Set("x-amzn-ErrorType", e.Code)
		body = marshalError(e)
	}
	send(w, p, status, body)
}

// NewID makes a random id in AWS's form: a version 4 UUID.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
