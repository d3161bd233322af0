package console

import (
	"bytes"
	"crypto/rand"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
)

// parsePages reads the templates: each page has the layout, and the parts that several have.
func parsePages(files fs.FS) (map[string]*template.Template, error) {
	functions := template.FuncMap{"line": words.OneLine, "at": words.At, "dash": words.OrDash, "starts": words.Starts,
		"short": short, "name": words.Name, "fleetEnd": words.FleetEnd, "fleetReason": words.FleetReason,
		"clock": func(t time.Time) string { return t.UTC().Format("15:04:05") },
		"age": func(now, then time.Time) string {
			if then.IsZero() {
				return "-"
			}
			return words.Span(now.Sub(then))
		}}
	pages := map[string]*template.Template{}
	for _, name := range []string{"fleet", "client", "execution", "evidence", "refused"} {
		t, err := template.New("layout.html").Funcs(functions).ParseFS(files, "assets/layout.html", "assets/parts.html",
			"assets/"+name+".html")
		if err != nil {
			return nil, err
		}
		pages[name] = t
	}
	return pages, nil
}

// page is what every page has.
type page struct {
	Title  string
	System *system.System
	Root   string // path of everything
	CSRF   string
	Once   string // of the forms of this page: sent again, they start nothing more
	Now    time.Time
	// Every is after how many seconds it is asked for again; 0 is never.
	Every int
	// Here is the part of the navigation that it belongs to.
	Here string

	Fleet        fleet
	Fleets       []system.Execution
	Client       row
	Name         string
	View         *view
	Logins       *chart
	Past         []past
	Refused      string
	Problems     []string
	PastProblems []string
	Followers    string // how long they need; "" if there are none
}

func (c *Console) page(title, here string) page {
	return page{Title: title, Here: here, System: c.System, Root: c.path, CSRF: c.form, Once: rand.Text(), Now: c.Now(),
		Every: 5}
}

func (c *Console) write(w http.ResponseWriter, status int, name string, p page) {
	var b bytes.Buffer
	if err := c.pages[name].Execute(&b, p); err != nil {
		http.Error(w, "the page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// refuse says in a page what is not done, or could not be. It knows nothing that only people with the cookie may.
func (c *Console) refuse(w http.ResponseWriter, status int, why string) {
	c.write(w, status, "refused", page{Title: http.StatusText(status), Refused: why})
}

// fail says within the console what was not done.
func (c *Console) fail(w http.ResponseWriter, err error) {
	status, known := http.StatusBadRequest, (*system.Error)(nil)
	switch {
	case errors.Is(err, errNoExecution), errors.Is(err, errNoClient):
		status = http.StatusNotFound
	case errors.As(err, &known) && known.Unreachable:
		status = http.StatusBadGateway
	}
	title := "Not done"
	if status == http.StatusNotFound {
		title = "Not found"
	}
	p := c.page(title, "")
	p.Refused, p.Every = words.Sentence(problem(err)), 0
	c.write(w, status, "refused", p)
}

func (c *Console) showFleet(w http.ResponseWriter, _ *http.Request) {
	p := c.page("Clients", "fleet")
	var err, fleets error
	atOnce(func() { p.Fleet, err = c.readFleet() }, func() { p.Fleets, fleets = c.readFleets() })
	for _, err := range []error{err, fleets} {
		if err != nil {
			p.Problems = append(p.Problems, problem(err))
		}
	}
	c.addLogins(&p)
	c.write(w, http.StatusOK, "fleet", p)
}

// atOnce has what a page shows read at the same time, since each read waits for AWS; what was read is kept.
func atOnce(reads ...func()) {
	var all sync.WaitGroup
	for _, read := range reads {
		all.Go(read)
	}
	all.Wait()
}

// addLogins adds what people notice, where the local stack tells.
func (c *Console) addLogins(p *page) *system.Live {
	if c.System.Local == "" {
		return nil
	}
	live, err := c.readLive()
	if err != nil {
		p.Problems = append(p.Problems, problem(err))
		return nil
	}
	drawn := drawLogins(live, c.Now())
	p.Logins, p.Every = &drawn, 1
	return &live
}

func (c *Console) showClient(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("client")
	p := c.page(name, "fleet")
	atOnce(func() { _, _ = c.readFleet() }, func() { _, _ = c.readRecent() }, func() { _, _ = c.readEvidence() })
	all, err := c.readFleet()
	if err != nil {
		p.Problems = append(p.Problems, problem(err))
	}
	i := slices.IndexFunc(all.Rows, func(r row) bool { return r.Client == name })
	if i < 0 && err == nil {
		c.fail(w, errNoClient)
		return
	}
	p.Name = name
	if i >= 0 {
		p.Client = all.Rows[i]
	}
	if needs := all.clients[name].FollowersDelay(); needs > 0 {
		p.Followers = words.Span(needs)
	}
	if p.Client.Problem != "" {
		p.Problems = append(p.Problems, p.Client.Problem)
	}
	live := c.addLogins(&p)
	p.Past, p.PastProblems = c.pastOf(name)
	if shown := c.shown(p.Client); shown != "" {
		if r, err := c.readRun(shown); err != nil {
			p.Problems = append(p.Problems, problem(err))
		} else {
			c.addView(&p, r, live)
		}
	}
	c.write(w, http.StatusOK, "client", p)
}

// shown is the execution that a client's page shows: the newest rotation, or the one that has left the lock.
func (c *Console) shown(client row) string {
	recent, _ := c.readRecent() // what is wrong with it the list of past executions says
	for _, e := range recent {
		if e.Request.Client == client.Client && client.Client != "" && !e.Request.DryRun && !e.Request.Measure {
			if client.Condition == words.Degraded && client.Execution != "" && !e.Running() {
				return client.Execution
			}
			return e.ARN
		}
	}
	return client.Execution
}

// addView adds an execution to a page.
func (c *Console) addView(p *page, r *run, live *system.Live) {
	var known secrets
	if all, err := c.readFleet(); err == nil {
		if client, is := all.clients[r.execution.Request.Client]; is {
			known = c.readSecrets(client)
		}
	}
	v := c.show(r, live, known)
	p.View = &v
	if r.execution.Running() {
		p.Every = min(p.Every, 2)
	}
}

// executionName is what Step Functions takes for the name of an execution (API reference, StartExecution).
var executionName = regexp.MustCompile("^[^\\s\\pC<>{}\\[\\]?*\"#%\\\\^|~`$&,;:/]{1,80}$")

func (c *Console) showExecution(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if !executionName.MatchString(name) {
		c.fail(w, errNoExecution)
		return
	}
	found, err := c.readRun(c.System.ID(name))
	if err != nil {
		c.fail(w, err)
		return
	}
	p := c.page(name, "")
	p.Name = name
	live := c.addLogins(&p)
	c.addView(&p, found, live)
	c.write(w, http.StatusOK, "execution", p)
}

func (c *Console) showEvidence(w http.ResponseWriter, _ *http.Request) {
	p := c.page("Past executions", "evidence")
	atOnce(func() { _, _ = c.readRecent() }, func() { _, _ = c.readEvidence() })
	p.Past, p.PastProblems = c.pastOf("")
	c.write(w, http.StatusOK, "evidence", p)
}
