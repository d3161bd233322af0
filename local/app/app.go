// Package app is the application behind the load balancers of the local stack: it greets whom the load balancer says is
// logged in, and believes nobody else.
package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net"
	"net/http"
	"strings"
	"time"
)

// Greeting begins every page that a logged-in user sees.
const Greeting = "Signed in as "

// Server is a running application.
type Server struct {
	// Port on 127.0.0.1.
	Port   int
	server *http.Server
}

// Start serves an application called name on a free port until ctx ends.
func Start(ctx context.Context, name string) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting application %s: %w", name, err)
	}
	s := &Server{Port: l.Addr().(*net.TCPAddr).Port, server: &http.Server{Handler: handler(name),
		ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = s.server.Serve(l) }()
	context.AfterFunc(ctx, func() { _ = s.server.Close() })
	return s, nil
}

// email reads the user's address from the claims that the load balancer passes on, a JWT. A real application checks its
// signature; this one is reached only by the local stack's load balancers.
func email(data string) string {
	parts := strings.Split(data, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.URLEncoding.DecodeString(parts[1]) // ALB pads, unlike other JWTs
	if err != nil {
		return ""
	}
	var claims struct {
		Email string `json:"email"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Email
}

func handler(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := email(r.Header.Get("x-amzn-oidc-data"))
		if user == "" {
			http.Error(w, "nobody is signed in", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<!doctype html><title>%s</title><p>%s%s at %s%s</p>", html.EscapeString(name), Greeting,
			html.EscapeString(user), html.EscapeString(name), html.EscapeString(r.URL.Path))
	})
}
