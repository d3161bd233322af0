// Package console is a web page on this machine that shows what rotator tells in a terminal, and does what it does
// there, by its caller's own rights. It reads no secret. It keeps nothing: what it shows, others may see as well.
package console

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"time"

	"alboidc.internal/cmd/internal/system"
)

// Options are what a console is about.
type Options struct {
	System *system.System
	// Now is the time of what is shown.
	Now func() time.Time
	// Port on 127.0.0.1; 0 is a free one.
	Port int
}

// Console is a running console.
type Console struct {
	// URL opens it: whoever knows it may do what its caller may.
	URL string

	Options
	ctx      context.Context
	host     string // of every request: address and port
	token    string // in the URL, exchanged for session
	session  string // in the cookie
	form     string // in every form
	path     string // below which everything is
	machine  *machine
	pages    map[string]*template.Template
	static   fs.FS
	listener net.Listener

	fleet    cached[fleet]
	fleets   cached[[]system.Execution]
	recent   cached[[]system.Execution]
	live     cached[system.Live]
	evidence cached[system.Evidence]
	secrets  shelf[secrets]
	runs     shelf[*run]

	mu      sync.Mutex
	started map[string]time.Time // executions that were started here
	names   map[string]string    // of executions, by the form that started them
}

//go:embed assets
var assets embed.FS

// Open listens on this machine, and on no other address. Serve answers.
func Open(ctx context.Context, o Options) (*Console, error) {
	// The random texts have 128 bits or more. The path keeps other servers of this machine from being sent the cookie,
	// which a browser sends to every port (RFC 6265, 8.5).
	c := &Console{Options: o, ctx: ctx, token: rand.Text(), session: rand.Text(), form: rand.Text(),
		path: "/" + rand.Text() + "/", started: map[string]time.Time{},
		names: map[string]string{}}
	var err error
	if c.machine, err = rotationMachine(); err != nil {
		return nil, err
	}
	if c.static, err = fs.Sub(assets, "assets/static"); err != nil {
		return nil, err
	}
	if c.pages, err = parsePages(assets); err != nil {
		return nil, err
	}
	c.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", o.Port))
	if err != nil {
		return nil, &system.Error{Text: fmt.Sprintf("--port %d cannot be had: choose another, or leave it out (%v)",
			o.Port,
			err)}
	}
	c.host = c.listener.Addr().String()
	c.URL = "http://" + c.host + "/?token=" + c.token
	return c, nil
}

// Serve answers until ctx ends.
func (c *Console) Serve() error {
	server := &http.Server{Handler: c.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	stop := context.AfterFunc(c.ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the console: %w", err)
	}
	return nil
}

// Handler answers requests.
func (c *Console) Handler() http.Handler {
	in := http.NewServeMux()
	in.HandleFunc("GET /{$}", c.showFleet)
	in.HandleFunc("GET /clients/{client}", c.showClient)
	in.HandleFunc("GET /executions/{name}", c.showExecution)
	in.HandleFunc("GET /evidence", c.showEvidence)
	in.HandleFunc("POST /clients/{client}/{action}", c.startOne)
	in.HandleFunc("POST /executions/{name}/{action}", c.change)
	in.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(c.static)))
	in.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		c.refuse(w, http.StatusNotFound, "There is no such page.")
	})
	out := http.NewServeMux()
	out.HandleFunc("GET /{$}", c.enter)
	out.Handle(c.path, http.StripPrefix(c.path[:len(c.path)-1], c.known(in)))
	out.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		c.refuse(w, http.StatusNotFound, "There is no such page. Open the URL that rotator console has printed.")
	})
	return c.guard(out)
}
