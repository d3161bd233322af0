package dataplane

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"

	"alboidc.internal/shared/awstest/elbv2"
)

// stickyCookie keeps a client at a target group of a weighted forward (Elastic Load Balancing user guide, Sticky
// sessions).
const stickyCookie = "AWSALBTG"

// forward sends the request to a target of one of the groups.
func (v *visit) forward(f *elbv2.Forward) {
	group, ok := v.targetGroup(f)
	targets := v.plane.svc.Targets(group)
	if !ok || len(targets) == 0 {
		page(v.w, http.StatusServiceUnavailable, "no target is registered")
		return
	}
	target := targets[v.shared.next(group, len(targets))]
	proxy := &httputil.ReverseProxy{
		Transport: v.plane.out,
		ErrorLog:  log.New(io.Discard, "", 0), // failures are answered with 502
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(&url.URL{Scheme: "http", Host: target.Address()})
			pr.Out.Host = pr.In.Host // the target sees the client's Host header
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			page(w, http.StatusBadGateway, "the target did not answer")
		},
	}
	proxy.ServeHTTP(v.w, v.r)
}

// targetGroup chooses a group by weight, in turn, or the one that the client's sticky cookie names.
func (v *visit) targetGroup(f *elbv2.Forward) (string, bool) {
	if f.Stickiness.Enabled {
		if c, err := v.r.Cookie(stickyCookie); err == nil {
			arn, err := v.shared.unseal(stickyCookie, c.Value)
			for _, g := range f.TargetGroups {
				if err == nil && g.ARN == string(arn) && g.Weight > 0 {
					return g.ARN, true
				}
			}
		}
	}
	total := 0
	for _, g := range f.TargetGroups {
		total += g.Weight
	}
	if total == 0 {
		return "", false
	}
	n := v.shared.next(v.rule.ARN, total)
	for _, g := range f.TargetGroups {
		if n < g.Weight {
			if f.Stickiness.Enabled {
				http.SetCookie(v.w, &http.Cookie{Name: stickyCookie, Value: v.shared.seal(stickyCookie, []byte(g.ARN)),
					Path:    "/",
					Expires: v.plane.o.Now().Add(time.Duration(f.Stickiness.DurationSeconds) * time.Second)})
			}
			return g.ARN, true
		}
		n -= g.Weight
	}
	return "", false
}

func (v *visit) fixedResponse(f *elbv2.FixedResponse) {
	status, err := strconv.Atoi(f.StatusCode)
	if err != nil { // the API lets only numbers in
		status = http.StatusInternalServerError
	}
	if f.ContentType != "" {
		v.w.Header().Set("Content-Type", f.ContentType)
	}
	v.w.WriteHeader(status)
	_, _ = io.WriteString(v.w, f.MessageBody)
}
