// Package live runs the conformance suite and whole rotations at a real identity provider: at a Keycloak that is
// started for it, at a server that runs somewhere, or at a tenant.
package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"alboidc.internal/local/localca"
	"alboidc.internal/shared/secret"
)

// startLimit is how long a Keycloak may take until it answers: its first start compiles itself.
const startLimit = 8 * time.Minute

// Server is a Keycloak that was started here, in development mode and with TLS, on loopback. Its database is a file in
// a folder of its own, so it survives Stop and Start.
type Server struct {
	URL string
	// Password is that of the administrator admin, whom nobody else gets to know.
	Password secret.Value

	distribution, data, log string
	arguments               []string
	http                    *http.Client
	leash                   io.Closer
	exit                    error
	ended                   chan struct{} // closed when the server has ended, after exit was set
}

// NewServer prepares a Keycloak of an unpacked distribution. data is an empty folder; log gets what it prints.
func NewServer(distribution, data, log string, authority *localca.Authority) (*Server, error) {
	password, err := secret.Generate(nil)
	if err != nil {
		return nil, err
	}
	certificate, key, err := authority.Issue("localhost")
	if err != nil {
		return nil, err
	}
	certificateFile, keyFile := filepath.Join(data, "server.pem"), filepath.Join(data, "server-key.pem")
	if err := errors.Join(os.WriteFile(certificateFile, certificate, 0o600),
		os.WriteFile(keyFile, key, 0o600)); err != nil {
		return nil, fmt.Errorf("writing the server's certificate: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("looking for a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return nil, err
	}
	return &Server{URL: fmt.Sprintf("https://localhost:%d", port), Password: password,
		distribution: distribution, data: data, log: log, http: authority.Client(10 * time.Second),
		arguments: []string{"start-dev", "--features=client-secret-rotation", "--http-enabled=false",
			"--https-port=" + strconv.Itoa(port), "--http-host=127.0.0.1", "--cache=local",
			"--https-certificate-file=" + certificateFile, "--https-certificate-key-file=" + keyFile,
			"--db-url=jdbc:h2:file:" + filepath.Join(data, "keycloak") + ";NON_KEYWORDS=VALUE"}}, nil
}

// onLeash runs a server for as long as somebody holds the other end of standard input, however the holder ends. Ctrl-C
// in a terminal is left to the holder.
const onLeash = `trap '' INT
"$@" </dev/null &
server=$!
cat >/dev/null
kill $server
wait $server`

// Start starts the server and waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the server's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	command := exec.Command("sh", append([]string{"-c", onLeash, "sh",
		filepath.Join(s.distribution, "bin", "kc.sh")}, s.arguments...)...)
	// what matters for a server of minutes is how soon it starts
	command.Env = append(os.Environ(), "KC_BOOTSTRAP_ADMIN_USERNAME=admin",
		"KC_BOOTSTRAP_ADMIN_PASSWORD="+s.Password.Reveal(), "JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1")
	command.Stdout, command.Stderr = log, log
	if s.leash, err = command.StdinPipe(); err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting Keycloak: %w", err)
	}
	ended := make(chan struct{})
	s.ended = ended
	go func() {
		s.exit = command.Wait()
		close(ended)
	}()
	return s.answers(ctx)
}

// answers waits until the server answers.
func (s *Server) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			return fmt.Errorf("the server has ended (%v): see %s", s.exit, s.log)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer (%w): see %s", context.Cause(ctx), s.log)
		case <-tick.C:
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/realms/master", nil)
		if err != nil {
			return err
		}
		if answer, err := s.http.Do(r); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
}

// Stop ends the server and waits until it has. A server that was never started is none.
func (s *Server) Stop() error {
	if s.leash == nil {
		return nil
	}
	_ = s.leash.Close()
	s.leash = nil
	select {
	case <-s.ended: // the status of a process that was told to end says nothing
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("the server does not end: see %s", s.log)
	}
}
