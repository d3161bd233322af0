package dataplane

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"alboidc.internal/shared/awstest/elbv2"
)

// callbackPath is where the IdP sends users back; the load balancer answers it before any rule is evaluated.
const callbackPath = "/oauth2/idpresponse"

// node is one node of a load balancer, serving one of its listeners.
type node struct {
	plane    *Plane
	shared   *shared
	index    int
	balancer elbv2.LoadBalancer
	listener string
}

// visit is one request while a node answers it.
type visit struct {
	*node
	w        http.ResponseWriter
	r        *http.Request
	listener elbv2.Listener
	rule     elbv2.Rule
}

// ServeHTTP implements http.Handler.
func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := n.plane.svc.Effective(n.balancer.ARN, n.index, n.plane.o.Clock.Now())
	i := slices.IndexFunc(c.Listeners, func(l elbv2.Listener) bool { return l.ARN == n.listener })
	if i < 0 {
		page(w, http.StatusServiceUnavailable, "this node does not serve the listener")
		return
	}
	v := &visit{node: n, w: w, r: r, listener: c.Listeners[i]}
	logsIn := func(x elbv2.Rule) bool { return x.OIDC() != nil }
	if r.URL.Path == callbackPath && slices.ContainsFunc(v.listener.Rules, logsIn) {
		v.callback()
		return
	}
	for h := range r.Header { // a client must not be able to pretend to be logged in
		if strings.HasPrefix(strings.ToLower(h), "x-amzn-oidc-") {
			r.Header.Del(h)
		}
	}
	v.rule = match(v.listener.Rules, r)
	for _, a := range v.rule.Actions {
		if !v.perform(a) {
			return
		}
	}
}

// perform carries out one action and reports whether the next one is to follow.
func (v *visit) perform(a elbv2.Action) bool {
	switch {
	case a.OIDC != nil:
		return v.authenticate(a.OIDC)
	case a.Forward != nil:
		v.forward(a.Forward)
	case a.FixedResponse != nil:
		v.fixedResponse(a.FixedResponse)
	default:
		page(v.w, http.StatusNotImplemented, "the local stack does not perform actions of type "+a.Type)
	}
	return false
}

// page writes a small answer of the load balancer's own.
func page(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Server", "awselb/2.0")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html><body><h1>%d</h1><p>%s</p></body></html>\n", status, text)
}

// count adds to a metric of the load balancer; there is no dimension for rules or clients.
func (n *node) count(metric string) {
	if n.plane.o.Metrics != nil {
		dimensions := map[string]string{"LoadBalancer": n.balancer.Dimension()}
		n.plane.o.Metrics.Add(n.balancer.Region, Namespace, metric, dimensions, 1)
	}
}

// report counts the outcome of a login or refresh and tells OnAuth. reason is "" for success.
func (n *node) report(kind Kind, rule string, reason Reason) {
	switch {
	case reason != "":
		n.count(failures[reason].metric)
	case kind == Login:
		n.count("ELBAuthSuccess")
	default:
		n.count("ELBAuthRefreshTokenSuccess")
	}
	if n.plane.o.OnAuth != nil {
		n.plane.o.OnAuth(Event{Node: n.index, Rule: rule, Kind: kind, OK: reason == "", Reason: string(reason)})
	}
}
