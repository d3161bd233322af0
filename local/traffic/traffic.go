// Package traffic is the people who use the site while a rotation goes on: browsers that log in from scratch, and
// browsers whose sessions live on because the load balancer refreshes them with the client secret.
package traffic

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"alboidc.internal/local/browser"
	"alboidc.internal/local/idp"
	"alboidc.internal/local/scenario"
)

// Options choose how much traffic there is.
type Options struct {
	Site  *scenario.Site
	Roots *x509.CertPool
	Users []idp.User
	// Logins is how many browsers log in over and over; each waits Pause between two logins.
	Logins int
	Pause  time.Duration
	// Slow is how many more do so, and take Typing for the login form as people do: their logins are open while things
	// change.
	Slow   int
	Typing time.Duration
	// Sessions is how many browsers stay logged in, and open a page every Visit.
	Sessions int
	Visit    time.Duration
	// Moves: the client is a pair of registrations that take turns. A login that is open when its load balancer moves
	// to the other one fails with HTTP 401 at the callback, and a session passes the identity provider once at its next
	// refresh, because codes and refresh tokens belong to one registration. Both are counted apart from what must not
	// happen.
	Moves bool
	// Failed hears of everything that a user would have noticed. It may be called from several goroutines.
	Failed func(what string, err error)
}

// Traffic is running traffic.
type Traffic struct {
	// Logins are complete logins from scratch, Visits are pages opened in a living session.
	Logins, Visits atomic.Int64
	// FailedLogins and FailedVisits are those that a user would have noticed; a session that ended counts as one.
	FailedLogins, FailedVisits atomic.Int64
	// LoggedInAnew are sessions that logged in anew because of Options.Moves.
	LoggedInAnew atomic.Int64

	mu     sync.Mutex
	open   int          // logins that were open when their load balancer moved, and failed
	within [2]time.Time // when the first and the last of them did

	o      Options
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Start begins the traffic. It goes on until Stop.
func Start(ctx context.Context, o Options) *Traffic {
	ctx, cancel := context.WithCancel(ctx)
	t := &Traffic{o: o, cancel: cancel}
	for n := range o.Logins {
		t.done.Go(func() { t.logInAgainAndAgain(ctx, n, t.browser(n, 0)) })
	}
	for n := range o.Slow {
		t.done.Go(func() { t.logInAgainAndAgain(ctx, n, t.browser(n, o.Typing)) })
	}
	for n := range o.Sessions {
		t.done.Go(func() { t.stayLoggedIn(ctx, n) })
	}
	return t
}

// Stop lets every browser finish what it is doing, and waits for that.
func (t *Traffic) Stop() {
	t.cancel()
	t.done.Wait()
}

// browser makes one that reaches a page at one node of its load balancer, another node for each n.
func (t *Traffic) browser(n int, typing time.Duration) *browser.Browser {
	return browser.New(browser.Options{Roots: t.o.Roots, Typing: typing, Resolve: func(hostPort string) string {
		nodes := t.o.Site.Nodes(hostPort)
		if len(nodes) == 0 {
			return ""
		}
		return nodes[n%len(nodes)]
	}})
}

func (t *Traffic) logInAgainAndAgain(ctx context.Context, n int, b *browser.Browser) {
	defer b.Close()
	for i := n; ctx.Err() == nil; i++ {
		page := t.o.Site.Pages[i%len(t.o.Site.Pages)]
		if err := t.logIn(b, page, t.o.Users[i%len(t.o.Users)]); err != nil {
			t.FailedLogins.Add(1)
			t.o.Failed("login", err)
		} else {
			t.Logins.Add(1)
		}
		wait(ctx, t.o.Pause)
	}
}

// logIn is not cut off when the traffic ends: a login that has begun is finished.
func (t *Traffic) logIn(b *browser.Browser, page scenario.Page, u idp.User) error {
	got, err := tryLogin(b, page, u)
	if err == nil || !t.o.Moves || got.Status != http.StatusUnauthorized || got.URL == nil ||
		got.URL.Path != callbackPath {
		return err
	}
	t.failedOpen()
	_, err = tryLogin(b, page, u)
	return err
}

// callbackPath is where a load balancer trades the identity provider's code.
const callbackPath = "/oauth2/idpresponse"

func tryLogin(b *browser.Browser, page scenario.Page, u idp.User) (browser.Page, error) {
	got, err := b.Login(context.Background(), page.URL, u.Name, u.Password)
	if err != nil {
		return got, err
	}
	return got, greets(got, page, u)
}

// failedOpen counts a login that failed because its load balancer moved meanwhile.
func (t *Traffic) failedOpen() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.open++; t.open == 1 {
		t.within[0] = now
	}
	t.within[1] = now
}

// FailedOpen is how many logins failed because their load balancer moved while they were open, and the time between the
// first and the last of them.
func (t *Traffic) FailedOpen() (n int, window time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open, t.within[1].Sub(t.within[0])
}

func greets(got browser.Page, page scenario.Page, u idp.User) error {
	if !strings.Contains(string(got.Body), page.Greeting+u.Email) {
		return fmt.Errorf("%s (status %d) does not greet the user", got.URL.Host, got.Status)
	}
	return nil
}

func (t *Traffic) stayLoggedIn(ctx context.Context, n int) {
	b := t.browser(n, 0)
	defer b.Close()
	page, user := t.o.Site.Pages[n%len(t.o.Site.Pages)], t.o.Users[n%len(t.o.Users)]
	loggedIn := false
	for ctx.Err() == nil {
		if !loggedIn {
			if err := t.logIn(b, page, user); err != nil {
				t.FailedLogins.Add(1)
				t.o.Failed("login", err)
				wait(ctx, t.o.Visit)
				continue
			}
			t.Logins.Add(1)
			loggedIn = true
		}
		wait(ctx, t.o.Visit)
		got, err := b.Get(context.Background(), page.URL)
		switch {
		case err == nil && got.LoginForm() && t.o.Moves:
			t.LoggedInAnew.Add(1)
			loggedIn = false
			continue
		case err == nil && got.LoginForm():
			err = fmt.Errorf("the session at %s ended", page.URL)
			loggedIn = false
		case err == nil:
			err = greets(got, page, user)
		}
		if err != nil {
			t.FailedVisits.Add(1)
			t.o.Failed("session", err)
			continue
		}
		t.Visits.Add(1)
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
