package cli_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"alboidc.internal/cmd/internal/console"
	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/fault"
)

// tab is a browser's tab with a console of the world.
type tab struct {
	*world
	console *console.Console
	handler http.Handler
	host    string
	root    string // path
	cookie  *http.Cookie
	csrf    string
}

func (w *world) openConsole() *tab {
	w.Helper()
	s, err := system.Open(context.Background(), system.Options{Local: strings.TrimPrefix(w.Stack.URL, "http://")})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.Cleanup(cancel)
	c, err := console.Open(ctx, console.Options{System: s, Now: w.clock.Now})
	if err != nil {
		w.Fatal(err)
	}
	u, _ := url.Parse(c.URL)
	return &tab{world: w, console: c, handler: c.Handler(), host: u.Host}
}

// ask makes a request as the browser would, after change has changed it.
func (t *tab) ask(method, path string, form url.Values, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Host = t.host
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if t.cookie != nil {
		r.AddCookie(t.cookie)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://"+t.host)
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, r)
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; script-src 'self'; "} {
		if got := w.Header().Get(name); !strings.HasPrefix(got, want) && (w.Code == http.StatusOK || got != "") {
			t.Errorf("%s %s: %s is %q", method, path, name, got)
		}
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "" ||
		strings.Contains(w.Header().Get("Content-Security-Policy"),
			"unsafe") {
		t.Errorf("%s %s: other sites may read it, or it may run what is in the page", method, path)
	}
	return w
}

// enter opens the printed URL.
func (t *tab) enter() {
	t.Helper()
	w := t.ask(http.MethodGet, "/?"+strings.SplitAfter(t.console.URL, "?")[1], nil, nil)
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		t.Fatalf("the token is answered with %d", w.Code)
	}
	t.cookie, t.root = w.Result().Cookies()[0], w.Header().Get("Location")
	if c := t.cookie; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != t.root || len(t.root) < 20 ||
		strings.Contains(t.console.URL, c.Value) {
		t.Errorf("the cookie is %+v", c)
	}
	t.csrf = regexp.MustCompile(`name="csrf" value="(\w+)"`).FindStringSubmatch(t.page("clients/orders-web"))[1]
}

// page returns a page of the console.
func (t *tab) page(path string) string {
	t.Helper()
	w := t.ask(http.MethodGet, t.root+path, nil, nil)
	if w.Code != http.StatusOK {
		t.Errorf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// press sends a form, and returns where it leads.
func (t *tab) press(path, confirm, reason string) string {
	t.Helper()
	w := t.ask(http.MethodPost, t.root+path, url.Values{"csrf": {t.csrf}, "once": {rand.Text()},
		"confirm": {confirm}, "reason": {reason}}, nil)
	if w.Code != http.StatusSeeOther {
		t.Errorf("%s: %d %s", path, w.Code, w.Body)
	}
	return strings.TrimPrefix(w.Header().Get("Location"), t.root)
}

// The answer to the first try is lost, so the person loads the page again, and once more.
func TestAFormThatIsSentAgainStartsNothingMore(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		tab := w.openConsole()
		tab.enter()
		once := regexp.MustCompile(`name="once" value="(\w+)"`).FindStringSubmatch(tab.page("clients/orders-web"))[1]
		if _, err := w.Stack.Faults.Add(fault.Rule{Service: "states", Operation: "StartExecution", Mode: fault.Lose,
			Times: 1}); err != nil {
			w.Error(err)
		}
		var leads []string
		for range 3 {
			again := tab.ask(http.MethodPost, tab.root+"clients/orders-web/plan", url.Values{"csrf": {tab.csrf},
				"once": {once}, "confirm": {"orders-web"}}, nil)
			leads = append(leads, again.Header().Get("Location"))
			if leads[0] != "" || len(leads) == 1 && !strings.Contains(again.Body.String(),
				"which may run all the same") {
				w.Errorf("%d %s", again.Code, again.Body)
			}
			_ = w.clock.Sleep(context.Background(), time.Minute)
		}
		page := tab.page("clients/orders-web")
		if n := strings.Count(page, `id="past-orders-web-`); n != 1 || leads[1] == "" || leads[1] != leads[2] {
			w.Errorf("it leads to %q, and %d executions were started", leads, n)
		}
		// another form starts another one
		if other := tab.press("clients/orders-web/plan", "orders-web", ""); tab.root+other == leads[1] {
			w.Errorf("two forms lead to %s", other)
		}
	})
}

func (t *tab) has(page string, forms ...string) {
	t.Helper()
	for _, form := range forms {
		if !regexp.MustCompile(`(?s)` + form).MatchString(page) {
			t.Errorf("there is no %s in:\n%s", form, page)
		}
	}
}

func TestTheConsoleLetsNobodyElseIn(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		tab := w.openConsole()
		tab.enter()
		header := func(name, value string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set(name, value) }
		}
		form := func(csrf, confirm string) url.Values { return url.Values{"csrf": {csrf}, "confirm": {confirm}} }
		rotate := tab.root + "clients/orders-web/rotate"
		for name, c := range map[string]struct {
			method, path string
			form         url.Values
			change       func(*http.Request)
			status       int
		}{
			"another host": {"GET", tab.root, nil, func(r *http.Request) { r.Host = "evil.example:" + tab.host[10:] },
				421},
			"localhost": {"GET", tab.root, nil, func(r *http.Request) { r.Host = "localhost:" + tab.host[10:] },
				421},
			"no cookie":      {"GET", tab.root, nil, func(r *http.Request) { r.Header.Del("Cookie") }, 403},
			"another cookie": {"GET", tab.root, nil, header("Cookie", tab.cookie.Name+"=x"), 403},
			"no token":       {"GET", "/", nil, nil, 403},
			"another token":  {"GET", "/?token=x", nil, nil, 403},
			"a redirect":     {"GET", "/?token=x&next=https://evil.example", nil, nil, 403},
			"another path":   {"GET", "/clients/orders-web", nil, nil, 404},
			"a file outside": {"GET", tab.root + "static/..%2flayout.html", nil, nil, 404},
			"another site":   {"GET", tab.root, nil, header("Sec-Fetch-Site", "cross-site"), 403},
			"another port": {"POST", rotate, form(tab.csrf, "orders-web"), header("Sec-Fetch-Site",
				"same-site"), 403},
			"another origin": {"POST", rotate, form(tab.csrf, "orders-web"), header("Origin",
				"http://127.0.0.1:1"), 403},
			"origin null": {"POST", rotate, form(tab.csrf, "orders-web"), header("Origin", "null"), 403},
			"no origin": {"POST", rotate, form(tab.csrf, "orders-web"),
				func(r *http.Request) { r.Header.Del("Origin") }, 403},
			"no form token":             {"POST", rotate, form("", "orders-web"), nil, 403},
			"the form token as a query": {"POST", rotate + "?csrf=" + tab.csrf, form("", "orders-web"), nil, 403},
			"JSON": {"POST", rotate, form(tab.csrf, "orders-web"), header("Content-Type",
				"application/json"), 403},
			"a form that is too long": {"POST", rotate, url.Values{"csrf": {tab.csrf},
				"reason": {strings.Repeat("x", 9000)}}, nil, 400},
			"a GET":                {"GET", rotate, nil, nil, 404},
			"rotate, unconfirmed":  {"POST", rotate, form(tab.csrf, ""), nil, 400},
			"plan, unconfirmed":    {"POST", tab.root + "clients/orders-web/plan", form(tab.csrf, "x"), nil, 400},
			"repair, unconfirmed":  {"POST", tab.root + "clients/orders-web/repair", form(tab.csrf, ""), nil, 400},
			"leak, unconfirmed":    {"POST", tab.root + "clients/orders-web/leak", form(tab.csrf, ""), nil, 400},
			"stop, unconfirmed":    {"POST", tab.root + "executions/x/stop", form(tab.csrf, "y"), nil, 400},
			"redrive, unconfirmed": {"POST", tab.root + "executions/x/redrive", form(tab.csrf, ""), nil, 400},
			"leak without a reason": {"POST", tab.root + "clients/orders-web/leak", form(tab.csrf,
				"orders-web"), nil, 400},
			"a reason of the notifier's": {"POST", rotate, url.Values{"csrf": {tab.csrf}, "confirm": {"orders-web"},
				"reason": {"healing: x"}}, nil, 400},
			"another client": {"POST", tab.root + "clients/x/rotate", form(tab.csrf, "x"), nil, 400},
			"another action": {"POST", tab.root + "clients/orders-web/delete", form(tab.csrf,
				"orders-web"), nil, 400},
			"no execution": {"GET", tab.root + "executions/nothing", nil, nil, 404},
			"an execution's ARN": {"GET", tab.root + "executions/arn:aws:states:x:y:execution:z:1", nil,
				nil, 404},
			"stop of no execution":     {"POST", tab.root + "executions/x/stop", form(tab.csrf, "x"), nil, 400},
			"a client that is unknown": {"GET", tab.root + "clients/nobody", nil, nil, 404},
		} {
			if got := tab.ask(c.method, c.path, c.form, c.change); got.Code != c.status {
				w.Errorf("%s: %d, want %d\n%s", name, got.Code, c.status, got.Body)
			}
		}
		code, out, errs := w.run("history", "orders-web")
		w.want(code, 0, out, errs)
		if strings.Contains(out, "orders-web-") {
			w.Errorf("something was started:\n%s", out)
		}
	})
}

func TestTheConsoleShowsAndDoesWhatCommandsDo(t *testing.T) {
	t.Parallel()
	inWorld(t, clickThrough)
}

func clickThrough(w *world) {
	tab := w.openConsole()
	tab.enter()
	if err := w.CreateRecording(context.Background()); err != nil {
		w.Error(err)
	}
	tab.has(tab.page(""), `>orders-web</a>.*okta.*Ready.*not rotated yet.*no schedule`)

	planned := tab.press("clients/orders-web/plan", "orders-web", "")
	_ = w.clock.Sleep(context.Background(), time.Minute)
	tab.has(tab.page(planned), `Plan: rotate`, `Targets \(5\)`, `<li>[^<]*shop-alb`, `orders-web ended as SUCCEEDED`)

	const hostile = `<script>alert("x")</script>` + "\u202e"
	rotation := tab.press("clients/orders-web/rotate", "orders-web", hostile)
	_ = w.clock.Sleep(context.Background(), 90*time.Second)
	page := tab.page(rotation)
	tab.has(page, `class="node done"[^>]*aria-label="Plan: done`,
		`class="node todo"[^>]*aria-label="Quiesce: not reached"`,
		`class="node running"`, `AWSPENDING`, `>node 0</th>`,
		`shop-alb :443 default</th><td><span class="role new">new</span></td><td><span class="role new">new</span></td>`,
		`&lt;script&gt;alert\(&#34;x&#34;\)&lt;/script&gt;\\u202e`, `data-dialog="stop"`, `logins worked`)
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "\u202e") || strings.Contains(page,
		"ZgotmplZ") {
		w.Errorf("a reason is not escaped:\n%s", page)
	}
	tab.has(tab.page("clients/orders-web"), `Rotating</span> a rotation runs, for \d+ s`, `<h2 id="graph-title">`)

	leak := tab.press("clients/orders-web/leak", "orders-web", "INC-1")
	_ = w.clock.Sleep(context.Background(), 20*time.Minute)
	tab.has(tab.page(leak), `orders-web ended as SUCCEEDED`, `emergency, because: INC-1`,
		`the identity provider refuses it`)
	tab.has(tab.page(rotation), `ended as TakenOver`, `class="node stopped"`)

	forbid := fault.Rule{Service: "idp", Operation: "okta.createSecret", Mode: fault.Refuse, Status: 403}
	if _, err := w.Stack.Faults.Add(forbid); err != nil {
		w.Error(err)
	}
	back := tab.press("clients/orders-web/rotate", "orders-web", "")
	_ = w.clock.Sleep(context.Background(), 20*time.Minute)
	w.Stack.Faults.Clear()
	tab.has(tab.page(back), `ended as RolledBack`, `class="node failed"[^>]*aria-label="CreateSecret: failed with`,
		`class="node done"[^>]*aria-label="RestoreTargets: done`, `edge failure taken`)
	tab.has(tab.page(""), `Degraded</span>.*the last rotation was rolled back: the old secret is in use`)

	again := tab.press("clients/orders-web/rotate", "orders-web", "again")
	_ = w.clock.Sleep(context.Background(), time.Minute)
	if to := tab.press(strings.TrimSuffix(again, "/")+"/stop", strings.TrimPrefix(again, "executions/"),
		"a mistake"); to != again {
		w.Errorf("stop leads to %s", to)
	}
	tab.has(tab.page(again), `ended as Stopped`, `data-dialog="redrive"`)
	tab.press(again+"/redrive", strings.TrimPrefix(again, "executions/"), "")
	_ = w.clock.Sleep(context.Background(), 3*time.Hour)
	tab.has(tab.page(again), `ended as SUCCEEDED`, `redriven`)
	past := tab.page("evidence")
	tab.has(past, `rolledBack`, `takenOver`, `INC-1`, `again`, `>kept<`, `\(redrive 1\)`)

	_, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil || len(values) < 3 {
		w.Errorf("%d values: %v", len(values), err)
	}
	for _, path := range []string{"", "clients/orders-web", rotation, leak, back, again, "evidence", planned} {
		page := tab.page(path)
		for version, value := range values {
			if strings.Contains(page, value) {
				w.Errorf("%s shows the value of %s", path, version)
			}
		}
	}
}

// What the caller may not read is told of where it is missing, and the rest is there.
func TestTheConsoleWithoutRights(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		code, out, errs := w.run("start", "orders-web", "--reason", "first", "--watch")
		w.want(code, 0, out, errs)
		for _, c := range []struct{ service, operation, page, problem, rest string }{
			{"ssm", "GetParametersByPath", "", `reading the configurations below .*AccessDenied`, `logins worked`},
			{"ssm", "GetParametersByPath", "clients/orders-web", `reading the configurations below`, `first`},
			{"scheduler", "GetSchedule", "", `reading the schedule of orders-web.*AccessDenied`,
				`Ready</span>.*rotated \d+ s ago`},
			{"dynamodb", "GetItem", "", `reading the journal of orders-web`, `Unknown</span>.*no schedule`},
			{"dynamodb", "Query", "evidence", `reading the evidence`, `rotation.*SUCCEEDED, after.*first`},
			{"states", "ListExecutions", "clients/orders-web", `listing executions`, `Rotated: done`},
			{"states", "GetExecutionHistory", "clients/orders-web", `reading the history of`,
				`orders-web ended as SUCCEEDED`},
			{"states", "DescribeExecution", "clients/orders-web", `reading the execution`,
				`class="node done"[^>]*aria-label="Rotated: done`},
			{"secretsmanager", "DescribeSecret", "clients/orders-web", `reading the labels of`, `Rotated: done`},
		} {
			w.Stack.Faults.Clear()
			if _, err := w.Stack.Faults.Add(fault.Rule{Service: c.service, Operation: c.operation, Mode: fault.Refuse,
				Status: 400, Code: "AccessDeniedException"}); err != nil {
				w.Error(err)
			}
			tab := w.openConsole() // which has read nothing yet
			tab.root, tab.cookie = tab.let()
			tab.has(tab.page(c.page), `class="problem">[^<]*`+c.problem, c.rest)
		}
	})
}

// let is enter without a look at a page.
func (t *tab) let() (root string, cookie *http.Cookie) {
	w := t.ask(http.MethodGet, "/?"+strings.SplitAfter(t.console.URL, "?")[1], nil, nil)
	return w.Header().Get("Location"), w.Result().Cookies()[0]
}

func TestManyTabsAskNoMoreThanOne(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		tab := w.openConsole()
		tab.enter()
		_ = w.clock.Sleep(context.Background(), time.Minute)
		for _, service := range []string{"ssm", "dynamodb", "states", "scheduler", "secretsmanager"} {
			if _, err := w.Stack.Faults.Add(fault.Rule{Service: service, Operation: "*", Mode: fault.Delay,
				Latency: time.Nanosecond}); err != nil {
				w.Error(err)
			}
		}
		calls := func() (n int) {
			var rules []struct{ Seen int }
			if err := json.Unmarshal(w.Stack.Faults.List(), &rules); err != nil {
				w.Error(err)
			}
			for _, r := range rules {
				n += r.Seen
			}
			return n
		}
		tab.page("")
		one := calls()
		for range 30 {
			tab.page("")
		}
		if got := calls(); one == 0 || got != one {
			w.Errorf("one tab makes %d calls, thirty make %d", one, got)
		}
	})
}
