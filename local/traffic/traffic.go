// Package traffic is the people who use the site while a rotation goes on: browsers that log in from scratch, and
// browsers whose sessions live on because the load balancer refreshes them with the client secret.
package traffic

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"alboidc.internal/local/browser"
	"alboidc.internal/local/dataplane"
	"alboidc.internal/local/idp"
	"alboidc.internal/local/scenario"
)

// Options choose how much traffic there is.
type Options struct {
	Site  *scenario.Site
	Roots *x509.CertPool
	Users []idp.User
	// Logins is how many browsers log in over and over; each waits Pause between two logins, or longer where they take
	// long.
	Logins int
	Pause  time.Duration
	// Slow is how many more do so, and take Typing for the login form as people do: their logins are open while things
	// change.
	Slow   int
	Typing time.Duration
	// Sessions is how many browsers stay logged in, and open a page every Visit.
	Sessions int
	Visit    time.Duration
	// Moves says that the client is a pair of registrations that take turns. Codes and refresh tokens belong to one of
	// them: a login that is open when its load balancer moves fails with HTTP 401, and a session passes the identity
	// provider once at its next refresh. Both are counted apart from what must not happen.
	Moves bool
	// Failed hears of everything that a user would have noticed. It may be called from several goroutines.
	Failed func(Failure)
}

// Failure is one thing that a user would have noticed.
type Failure struct {
	// What is "login", "page", or "session" for a session that ended: the load balancer knows why.
	What string
	// Late: no answer came in time, from the load balancer or to it. That tells of the machine, not of the secret.
	Late bool
	Err  error
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
		t.done.Go(func() { t.logInAgainAndAgain(ctx, n, 0) })
	}
	for n := range o.Slow {
		t.done.Go(func() { t.logInAgainAndAgain(ctx, n, o.Typing) })
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

// browser makes a browser that reaches a page at one node of its load balancer, another node for each n.
func (t *Traffic) browser(n int, typing time.Duration) *browser.Browser {
	return browser.New(browser.Options{Roots: t.o.Roots, Typing: typing, Resolve: func(hostPort string) string {
		nodes := t.o.Site.Nodes(hostPort)
		if len(nodes) == 0 {
			return ""
		}
		return nodes[n%len(nodes)]
	}})
}

func (t *Traffic) logInAgainAndAgain(ctx context.Context, n int, typing time.Duration) {
	b := t.browser(n, typing)
	defer b.Close()
	for i := n; ctx.Err() == nil; i++ {
		page := t.o.Site.Pages[i%len(t.o.Site.Pages)]
		began := time.Now()
		t.tryLogin(b, page, t.o.Users[i%len(t.o.Users)])
		pause(ctx, t.o.Pause, began.Add(typing))
	}
}

// tryLogin logs in, counts it, and reports whether it went well.
func (t *Traffic) tryLogin(b *browser.Browser, page scenario.Page, u idp.User) bool {
	got, err := t.logIn(b, page, u)
	if err == nil {
		t.Logins.Add(1)
		return true
	}
	t.FailedLogins.Add(1)
	t.o.Failed(Failure{What: "login", Late: isLate(got, err), Err: err})
	return false
}

// logIn is not cut off when the traffic ends: a login that has begun is finished.
func (t *Traffic) logIn(b *browser.Browser, page scenario.Page, u idp.User) (browser.Page, error) {
	got, err := logInOnce(b, page, u)
	if err == nil || !t.o.Moves || got.Status != http.StatusUnauthorized || got.URL == nil ||
		got.URL.Path != callbackPath {
		return got, err
	}
	t.failedOpen()
	return logInOnce(b, page, u)
}

// callbackPath is where a load balancer trades the identity provider's code.
const callbackPath = "/oauth2/idpresponse"

func logInOnce(b *browser.Browser, page scenario.Page, u idp.User) (browser.Page, error) {
	got, err := b.Login(context.Background(), page.URL, u.Name, u.Password)
	if err != nil {
		return got, err
	}
	return got, checkGreeting(got, page, u)
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

// FailedOpen returns how many logins failed because their load balancer moved while they were open, and the time
// between the first and the last of them.
func (t *Traffic) FailedOpen() (n int, window time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open, t.within[1].Sub(t.within[0])
}

// isLate reports whether a failure only means that no answer came in time, from the load balancer or from the identity
// provider to it.
func isLate(got browser.Page, err error) bool {
	var connection net.Error
	if errors.As(err, &connection) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	reason := dataplane.ReasonOn(got.Body)
	return got.Status == http.StatusInternalServerError && reason.Late()
}

func checkGreeting(got browser.Page, page scenario.Page, u idp.User) error {
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
		began := time.Now()
		if loggedIn {
			loggedIn = t.visit(b, page, user)
		} else {
			loggedIn = t.tryLogin(b, page, user)
		}
		pause(ctx, t.o.Visit, began)
	}
}

// visit opens a page in a living session, and reports whether that still lives.
func (t *Traffic) visit(b *browser.Browser, page scenario.Page, user idp.User) bool {
	got, err := b.Get(context.Background(), page.URL)
	f := Failure{What: "page"}
	switch {
	case err == nil && got.LoginForm() && t.o.Moves:
		t.LoggedInAnew.Add(1)
		return false
	case err == nil && got.LoginForm():
		f.What, err = "session", fmt.Errorf("the session at %s ended", page.URL)
	case err == nil:
		err = checkGreeting(got, page, user)
	}
	if err == nil {
		t.Visits.Add(1)
		return true
	}
	f.Late, f.Err = isLate(got, err), err
	t.FailedVisits.Add(1)
	t.o.Failed(f)
	return f.What != "session"
}

// share is the part of the time that a browser may be busy: on a slow machine people come less often, so that it is not
// kept at a limit where answers come too late.
const share = 4

// pause waits for d, or longer if what began then took long.
func pause(ctx context.Context, d time.Duration, began time.Time) {
	wait(ctx, max(d, (share-1)*time.Since(began)))
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
