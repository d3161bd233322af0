package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

// picture is what a rollback must bring back: the labels, the identity provider's secrets, and which version's secret
// each load balancer node uses. It holds ids, never values.
type picture struct {
	labels  string
	secrets string
	inUse   string
}

func (w *world) takePicture() picture {
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		return picture{labels: err.Error()}
	}
	return picture{labels: describeLabels(labels), secrets: w.secretIDs(values), inUse: w.versionsInUse(values)}
}

// describeLabels is e.g. "AWSCURRENT 1f0c22ab, AWSPREVIOUS 77d3e0c1".
func describeLabels(labels map[string]string) string {
	out := make([]string, 0, len(labels))
	for _, l := range []string{"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"} {
		if v := labels[l]; v != "" {
			out = append(out, l+" "+shorten(v))
		}
	}
	return strings.Join(out, ", ")
}

// shorten returns the beginning of a version id.
func shorten(v string) string { return v[:min(8, len(v))] }

// secretIDs is the client's secrets at the identity provider, e.g. "ocsAb12… active, ocsCd34… inactive". Where they
// have no ids, a secret is named by the version that holds it, e.g. "version 1f0c22ab active".
func (w *world) secretIDs(values map[string]string) string {
	var out []string
	for _, clientID := range w.Config.ClientIDs() {
		of := ""
		if w.Config.IsPair() {
			of = " at " + clientID
		}
		for _, s := range w.Stack.IdP.Store().Secrets(clientID) {
			id := s.ID
			if !w.capable.HasIDs() {
				id = w.versionOf(clientID, s.ID, values)
			}
			out = append(out, id+" "+strings.ToLower(string(s.Status))+of)
		}
	}
	return strings.Join(out, ", ")
}

// versionOf names the version that holds a secret of the identity provider.
func (w *world) versionOf(clientID, secretID string, values map[string]string) string {
	for v, value := range values {
		if id, ok := w.Stack.IdP.Store().Match(clientID, value, w.Stack.Clock.Now()); ok && id == secretID {
			return "version " + shorten(v)
		}
	}
	return "one that nobody knows"
}

// versionsInUse is which versions the load balancer nodes use now, e.g. "1f0c22ab on 10".
func (w *world) versionsInUse(values map[string]string) string {
	count := map[string]int{}
	for _, u := range w.Stack.ELB.EffectiveSecrets(w.Stack.Clock.Now()) {
		version := "unknown"
		for v, value := range values {
			if secret.New(value).Equal(secret.New(u.Secret)) {
				version = shorten(v)
			}
		}
		count[version]++
	}
	out := make([]string, 0, len(count))
	for v, n := range count {
		out = append(out, fmt.Sprintf("%s on %d", v, n))
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

// accepts asks the token endpoint, as anybody could, whether it accepts a version's secret; of a pair, for either
// registration.
func (w *world) accepts(ctx context.Context, version string) (probe.Outcome, error) {
	_, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		return "", err
	}
	p := w.Config.IdentityProvider
	var outcome probe.Outcome
	for _, clientID := range w.Config.ClientIDs() {
		v, err := probe.Credential{HTTP: w.httpClient(), Rand: rand.Reader}.Classify(ctx,
			probe.Endpoint{TokenEndpoint: p.TokenEndpoint,
				ClientID: clientID, CallbackURL: w.Config.CallbackURL, AuthMethod: p.AuthMethod(),
				Spec: w.capable.Probe},
			secret.New(values[version]))
		if err != nil || v.Outcome != probe.Rejected {
			return v.Outcome, err
		}
		outcome = v.Outcome
	}
	return outcome, nil
}

func (w *world) httpClient() *http.Client { return w.Stack.Authority.Client(5 * time.Second) }
