package httpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
)

const canary = "canary-0123456789"

// now is the time of both sides.
var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// reply is what the vendor answers; the last one is repeated.
type reply struct {
	status int
	header map[string]string
	body   string
}

// vendor is an API whose server gives the replies, and what it saw.
type vendor struct {
	*httpclient.API
	url   string
	mu    sync.Mutex
	calls int
	waits []time.Duration
}

func newVendor(t *testing.T, replies ...reply) *vendor {
	t.Helper()
	v := &vendor{}
	s, c := server(t, func(w http.ResponseWriter, _ *http.Request) {
		v.mu.Lock()
		r := replies[min(v.calls, len(replies)-1)]
		v.calls++
		v.mu.Unlock()
		w.Header().Set("Date", now.Format(http.TimeFormat))
		for k, x := range r.header {
			w.Header().Set(k, x)
		}
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, r.body)
	})
	v.url = s.URL
	v.API = &httpclient.API{
		Vendor: "Acme", HTTP: c, Now: func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error { v.waits = append(v.waits, d); return nil },
		ErrorCode: func(body []byte) string {
			var e struct{ Code string }
			_ = json.Unmarshal(body, &e)
			return e.Code
		},
	}
	return v
}

func (v *vendor) get(ctx context.Context) error {
	var out struct{ Name string }
	return v.Do(ctx, httpclient.Request{Operation: "list things", Method: http.MethodGet, URL: v.url + "/?" + canary},
		&out)
}

func (v *vendor) post(ctx context.Context) error {
	return v.Do(ctx, httpclient.Request{Operation: "make a thing", Method: http.MethodPost, URL: v.url,
		JSON: map[string]string{"secret": canary}}, nil)
}

func TestStatusesBecomeFailures(t *testing.T) {
	t.Parallel()
	const page = "the answer to the request to make a thing is a web page, not one of Acme's API: most likely a " +
		"firewall's or a proxy's, or the URL in the settings is wrong"
	tests := []struct {
		name  string
		reply reply
		kind  failure.Kind
		text  string
	}{
		{"400 with a code", reply{400, nil, `{"code": "E1", "text": "` + canary + `"}`}, failure.IdPRejected,
			"Acme refused to make a thing: HTTP 400 E1"},
		{"401", reply{401, nil, `{"text": "` + canary}, failure.IdPRejected, "Acme refused to make a thing: HTTP 401"},
		{"403", reply{403, nil, `{"text": "` + canary}, failure.IdPRejected, "Acme refused to make a thing: HTTP 403"},
		{"409", reply{409, nil, `{"text": "` + canary}, failure.IdPRejected, "Acme refused to make a thing: HTTP 409"},
		{"a redirect", reply{302, map[string]string{"Location": "https://" + canary}, ""}, failure.IdPRejected,
			"Acme answered the request to make a thing with a redirect, which is not followed; is the URL in the " +
				"settings right?: HTTP 302"},
		{"429 without a wait", reply{429, nil, canary}, failure.Throttled,
			"Acme has had too many requests (to make a thing): HTTP 429"},
		{"429 with a wait", reply{429, map[string]string{"Retry-After": "7"}, canary}, failure.Throttled,
			"Acme has had too many requests (to make a thing): HTTP 429, asked to wait 7s"},
		{"409 with a wait", reply{409, map[string]string{"Retry-After": "7"}, canary}, failure.Throttled,
			"Acme did not make a thing now, most likely because of other changes at the same time; it can be tried " +
				"again: HTTP 409, asked to wait 7s"},
		{"423", reply{423, nil, canary}, failure.Throttled, "Acme did not make a thing now, most likely because of " +
			"other changes at the same time; it can be tried again: HTTP 423"},
		{"425", reply{425, nil, canary}, failure.Throttled, "Acme did not make a thing now, most likely because of " +
			"other changes at the same time; it can be tried again: HTTP 425"},
		{"408", reply{408, nil, canary}, failure.Unavailable, "Acme failed to make a thing: HTTP 408"},
		{"424", reply{424, nil, canary}, failure.Unavailable, "Acme failed to make a thing: HTTP 424"},
		{"400 with a code that passes", reply{400, nil, `{"code": "LATER"}`}, failure.Throttled,
			"Acme did not make a thing now, most likely because of other changes at the same time; it can be tried " +
				"again: HTTP 400 LATER"},
		{"400 with a code that says nothing", reply{400, nil, `{"code": "OOPS"}`}, failure.Unavailable,
			"Acme failed to make a thing: HTTP 400 OOPS"},
		{"503 with a code that passes", reply{503, nil, `{"code": "LATER"}`}, failure.Throttled,
			"Acme did not make a thing now, most likely because of other changes at the same time; it can be tried " +
				"again: HTTP 503 LATER"},
		{"400 of OAuth that passes", reply{400, nil, `{"code": "temporarily_unavailable.AADSTS90090"}`},
			failure.Unavailable,
			"Acme failed to make a thing: HTTP 400 temporarily_unavailable.AADSTS90090"},
		{"a firewall's page", reply{403, map[string]string{"Content-Type": "text/html; charset=utf-8"}, canary},
			failure.Unavailable, page + ": HTTP 403"},
		{"a page without a type", reply{401, map[string]string{"Content-Type": "application/octet-stream"},
			"\n <!DOCTYPE html>" + canary}, failure.Unavailable, page + ": HTTP 401"},
		{"a page at a wrong URL", reply{404, map[string]string{"Content-Type": "text/html"}, canary},
			failure.Unavailable, page + ": HTTP 404"},
		{"a proxy's text", reply{400, nil, "error code: " + canary}, failure.Unavailable, page + ": HTTP 400"},
		{"a proxy that wants a login", reply{407, nil, "<html>" + canary}, failure.Unavailable, page + ": HTTP 407"},
		{"a code behind a byte order mark", reply{400, nil, "\ufeff" + `{"code": "E1"}`}, failure.IdPRejected,
			"Acme refused to make a thing: HTTP 400 E1"},
		{"500", reply{500, nil, canary}, failure.Unavailable, "Acme failed to make a thing: HTTP 500"},
		{"503", reply{503, nil, canary}, failure.Unavailable, "Acme failed to make a thing: HTTP 503"},
		{"a code that is free text", reply{400, nil, `{"code": "text ` + canary + `"}`}, failure.IdPRejected,
			"Acme refused to make a thing: HTTP 400"},
		{"a code as long as a secret", reply{400, nil, `{"code": "` + strings.Repeat("x", 41) + `"}`},
			failure.IdPRejected, "Acme refused to make a thing: HTTP 400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, tt.reply)
			v.Transient = func(code string) failure.Kind {
				return map[string]failure.Kind{"LATER": failure.Throttled, "OOPS": failure.Unavailable}[code]
			}
			err := v.post(t.Context())
			if failure.KindOf(err) != tt.kind || err.Error() != tt.text {
				t.Errorf("got %s %q\nwant %s %q", failure.KindOf(err), err, tt.kind, tt.text)
			}
			if s, ok := httpclient.Status(err); !ok || s.Status != tt.reply.status {
				t.Errorf("the status is %+v", s)
			}
			if v.calls != 1 || len(v.waits) != 0 {
				t.Errorf("a POST was sent %d times, with the waits %v", v.calls, v.waits)
			}
		})
	}
}

// A request without an answer to read, such as a removal, must not take a proxy's page for success.
func TestAPageIsNoSuccess(t *testing.T) {
	t.Parallel()
	for _, header := range []map[string]string{{"Content-Type": "text/html"}, {"Content-Type": "application/json"}} {
		if err := newVendor(t, reply{200, header, "<html>" + canary}).post(t.Context()); !failure.Is(err,
			failure.Unavailable) || strings.Contains(err.Error(), canary) {
			t.Errorf("got %v", err)
		}
	}
}

// Some servers give every answer a type, also one without a body.
func TestNothingIsNoPage(t *testing.T) {
	t.Parallel()
	nothing := reply{204, map[string]string{"Content-Type": "text/html"}, ""}
	if err := newVendor(t, nothing).post(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestARefusalIsExplained(t *testing.T) {
	t.Parallel()
	v := newVendor(t, reply{403, nil, ""})
	v.Explain = func(s *httpclient.StatusError) string {
		if s.Status == 403 {
			return "ask for rights"
		}
		return ""
	}
	if err := v.post(t.Context()); err == nil ||
		err.Error() != "Acme refused to make a thing; ask for rights: HTTP 403" {
		t.Errorf("got %v", err)
	}
}

func TestToldWaitsAreReadAndKeptInsideLimits(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for name, tt := range map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"seconds":             {map[string]string{"Retry-After": "9"}, 9 * time.Second},
		"a date":              {map[string]string{"Retry-After": at(20 * time.Second)}, 20 * time.Second},
		"a date that is past": {map[string]string{"Retry-After": at(-time.Hour)}, time.Second},
		"no wait":             {map[string]string{"Retry-After": "0"}, time.Second},
		"a fraction":          {map[string]string{"Retry-After": "2.5"}, 3 * time.Second},
		"not a number":        {map[string]string{"Retry-After": "NaN"}, 0},
		"a negative wait":     {map[string]string{"Retry-After": "-5"}, time.Second},
		"a year":              {map[string]string{"Retry-After": "31536000"}, 5 * time.Minute},
		"more than fits":      {map[string]string{"Retry-After": "9223372036854775807"}, 5 * time.Minute},
		"nonsense":            {map[string]string{"Retry-After": canary}, 0},
		"Okta's reset, on Okta's clock": {map[string]string{"X-Rate-Limit-Reset": "1000000030",
			"Date": time.Unix(1000000000, 0).UTC().Format(http.TimeFormat)}, 31 * time.Second},
		"Auth0's reset":        {map[string]string{"x-ratelimit-reset": "1772359204"}, 5 * time.Second},
		"a reset that is past": {map[string]string{"X-Rate-Limit-Reset": "5"}, time.Second},
		"a reset of nonsense":  {map[string]string{"X-Rate-Limit-Reset": "soon"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ok := httpclient.Status(newVendor(t, reply{429, tt.header, ""}).post(t.Context()))
			if !ok || s.Wait != tt.want {
				t.Errorf("got %+v, want %s", s, tt.want)
			}
		})
	}
}

// Okta sends the time at which its limit starts anew with every answer.
func TestTheResetOfALimitCountsOnlyIfTheLimitWasReached(t *testing.T) {
	t.Parallel()
	reset := map[string]string{"X-Rate-Limit-Reset": "1772359257"} // in 57 s
	v := newVendor(t, reply{503, reset, ""}, reply{200, reset, `{"name": "x"}`})
	if err := v.get(t.Context()); err != nil || v.calls != 2 ||
		!slices.Equal(v.waits, []time.Duration{500 * time.Millisecond}) {
		t.Errorf("got %v after %d requests with the waits %v", err, v.calls, v.waits)
	}
}

func TestOnlyAGetIsTriedAgainAndOnlyForAShortWhile(t *testing.T) {
	t.Parallel()
	const half, one = 500 * time.Millisecond, time.Second
	good := reply{200, nil, `{"name": "x"}`}
	wait := func(status int, seconds string) reply {
		return reply{status, map[string]string{"Retry-After": seconds}, ""}
	}
	for name, tt := range map[string]struct {
		replies []reply
		waits   []time.Duration
		kind    failure.Kind // "" is success
	}{
		"a server error that passes":    {[]reply{{500, nil, ""}, good}, []time.Duration{half}, ""},
		"a server error that stays":     {[]reply{{502, nil, ""}}, []time.Duration{half, one}, failure.Unavailable},
		"throttling without a wait":     {[]reply{{429, nil, ""}, good}, []time.Duration{half}, ""},
		"throttling with a short wait":  {[]reply{wait(429, "3"), good}, []time.Duration{3 * one}, ""},
		"throttling with a long wait":   {[]reply{wait(429, "30")}, nil, failure.Throttled},
		"maintenance with a short wait": {[]reply{wait(503, "4"), good}, []time.Duration{4 * one}, ""},
		"maintenance with a long wait":  {[]reply{wait(503, "60")}, nil, failure.Unavailable},
		"a refusal":                     {[]reply{{403, nil, ""}}, nil, failure.IdPRejected},
		"an answer that is not JSON":    {[]reply{{200, nil, canary}}, nil, failure.Unavailable},
		"an answer behind a BOM":        {[]reply{{200, nil, "\ufeff" + `{"name": "x"}`}}, nil, ""},
		"an answer of another shape":    {[]reply{{200, nil, `{"name": 12345678}`}}, nil, failure.Unavailable},
		"an answer that is far too long": {[]reply{{200, nil, `{"name": "` + strings.Repeat("x", 1<<20) + `"}`}},
			nil, failure.Unavailable},
		"a timeout that passes":           {[]reply{{408, nil, ""}, good}, []time.Duration{half}, ""},
		"a failed dependency that passes": {[]reply{{424, nil, ""}, good}, []time.Duration{half}, ""},
		"a lock with a short wait":        {[]reply{wait(423, "2"), good}, []time.Duration{2 * one}, ""},
		"too early":                       {[]reply{{425, nil, ""}, good}, []time.Duration{half}, ""},
		"a conflict that passes":          {[]reply{wait(409, "1"), good}, []time.Duration{one}, ""},
		"a conflict":                      {[]reply{{409, nil, ""}}, nil, failure.IdPRejected},
		"first throttled, then an error page": {[]reply{wait(429, "1"), {500, nil, ""}, good},
			[]time.Duration{one, one}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, tt.replies...)
			err := v.get(t.Context())
			if tt.kind == "" && err != nil || tt.kind != "" && !failure.Is(err, tt.kind) {
				t.Errorf("got %v, want %s", err, tt.kind)
			}
			if !slices.Equal(v.waits, tt.waits) || v.calls != len(tt.waits)+1 {
				t.Errorf("%d requests with the waits %v, want %v", v.calls, v.waits, tt.waits)
			}
			if err != nil && (strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "12345678")) {
				t.Errorf("the error shows an answer or a URL: %v", err)
			}
		})
	}
}

func TestAWaitThatDoesNotFitIntoTheCallersTimeIsNotBegun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	v := newVendor(t, reply{429, map[string]string{"Retry-After": "5"}, ""})
	if err := v.get(ctx); !failure.Is(err, failure.Throttled) || v.calls != 1 || len(v.waits) != 0 {
		t.Errorf("got %v after %d requests with the waits %v", err, v.calls, v.waits)
	}
}

func TestAnInterruptedWaitReturnsTheVendorsAnswer(t *testing.T) {
	t.Parallel()
	v := newVendor(t, reply{500, nil, ""})
	v.Sleep = func(context.Context, time.Duration) error { return context.Canceled }
	if err := v.get(t.Context()); !failure.Is(err, failure.Unavailable) || !strings.Contains(err.Error(), "HTTP 500") ||
		v.calls != 1 {
		t.Errorf("got %v after %d requests", err, v.calls)
	}
}

func TestNoAnswerIsUnavailableWithoutTheURL(t *testing.T) {
	t.Parallel()
	closed := newVendor(t, reply{})
	closed.url = "https://127.0.0.1:1"
	s, c := server(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	broken := &vendor{API: &httpclient.API{Vendor: "Acme", HTTP: c, Now: time.Now}, url: s.URL}
	untrusted := &vendor{API: &httpclient.API{Vendor: "Acme", HTTP: client(t, httpclient.Options{}), Now: time.Now},
		url: s.URL}
	for name, tt := range map[string]struct {
		v    *vendor
		says string
	}{
		"nobody listens":          {closed, "connection refused"},
		"the connection breaks":   {broken, "the connection failed"},
		"the certificate is bad":  {untrusted, "certificate"},
		"the address is not good": {&vendor{API: closed.API, url: "https://"}, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.v.get(t.Context())
			if !failure.Is(err, failure.Unavailable) || !strings.Contains(err.Error(), tt.says) ||
				strings.Contains(err.Error(), canary) {
				t.Errorf("got %v, want %s with %q and without the URL", err, failure.Unavailable, tt.says)
			}
		})
	}
}

func TestAnEndedContextIsUnavailableAndSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := newVendor(t, reply{200, nil, "{}"}).get(ctx)
	if !failure.Is(err, failure.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestABrokenURLIsNotShown(t *testing.T) {
	t.Parallel()
	v := newVendor(t, reply{200, nil, "{}"})
	v.url = "https://bad host " + canary
	if err := v.get(t.Context()); !failure.Is(err, failure.InvalidInput) || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v", err)
	}
}

func TestRequestsCarryTheirBodyAndCredentials(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		request           httpclient.Request
		contentType, body string
	}{
		"JSON": {httpclient.Request{Method: "POST", JSON: map[string]string{"a": "b"}}, "application/json",
			`{"a":"b"}`},
		"a form": {httpclient.Request{Method: "POST", Form: url.Values{"a": {"b c"}}},
			"application/x-www-form-urlencoded", "a=b+c"},
		"no body": {httpclient.Request{Method: "DELETE"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := server(t, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				if string(b) != tt.body || r.Header.Get("Content-Type") != tt.contentType ||
					r.Header.Get("Authorization") != "Bearer t" {
					t.Errorf("the request is %s %v", b, r.Header)
				}
				w.WriteHeader(http.StatusNoContent)
			})
			a := httpclient.API{Vendor: "Acme", HTTP: c, Now: time.Now, Authorize: func(_ context.Context,
				r *http.Request) error {
				r.Header.Set("Authorization", "Bearer t")
				return nil
			}}
			tt.request.URL = s.URL
			if err := a.Do(t.Context(), tt.request, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestARequestWithoutCredentialsIsNotSent(t *testing.T) {
	t.Parallel()
	v := newVendor(t, reply{200, nil, "{}"})
	v.Authorize = func(context.Context, *http.Request) error {
		return failure.New(failure.AccessDenied, "no credentials")
	}
	if err := v.get(t.Context()); !failure.Is(err, failure.AccessDenied) || v.calls != 0 {
		t.Errorf("got %v after %d requests", err, v.calls)
	}
}
