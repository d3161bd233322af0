package live

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// Keycloak is the administration of a server: it makes realms with clients to try rotations on, and removes them.
type Keycloak struct {
	URL      string
	User     string
	Password secret.Value
	HTTP     *http.Client

	mu    sync.Mutex
	token string
	until time.Time
}

// rotator is the client by whose service account the rotation works.
const rotator = "alb-secret-rotator"

// Realm is a realm that was made for a run.
type Realm struct {
	Name string
	// Rotator is the secret of the rotator's client.
	Rotator secret.Value

	k *Keycloak
}

// Version is the server's.
func (k *Keycloak) Version(ctx context.Context) (string, error) {
	var info struct {
		SystemInfo struct{ Version string } `json:"systemInfo"`
	}
	err := k.call(ctx, http.MethodGet, "/admin/serverinfo", nil, &info)
	return cmp.Or(info.SystemInfo.Version, "of a version that it does not tell"), err
}

// login gets a token of the administrator, which lives for a minute.
func (k *Keycloak) login(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.until) {
		return k.token, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, k.URL+"/realms/master/protocol/openid-connect/token",
		strings.NewReader(url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {k.User},
			"password": {k.Password.Reveal()}}.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var granted struct {
		Token string `json:"access_token"`
	}
	if err := k.send(r, &granted); err != nil {
		return "", fmt.Errorf("logging in as the administrator: %w", err)
	}
	k.token, k.until = granted.Token, time.Now().Add(30*time.Second)
	return k.token, nil
}

// call carries out a request of the admin API.
func (k *Keycloak) call(ctx context.Context, method, path string, body, out any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := k.request(ctx, method, path, b)
	if err != nil {
		return err
	}
	return k.send(r, out)
}

func (k *Keycloak) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	token, err := k.login(ctx)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, k.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", mimeJSON)
	return r, nil
}

// refused is an answer that is no success.
type refused struct {
	status int
	what   string
}

func (e *refused) Error() string { return fmt.Sprintf("%s: HTTP %d", e.what, e.status) }

func (k *Keycloak) send(r *http.Request, out any) error {
	status, body, err := k.exchange(r)
	switch {
	case err != nil:
		return err
	case status/100 != 2:
		return &refused{status, r.Method + " " + r.URL.Path}
	case out == nil:
		return nil
	}
	return json.Unmarshal(body, out)
}

func (k *Keycloak) exchange(r *http.Request) (status int, body []byte, err error) {
	answer, err := k.HTTP.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, body, err
}

// Policy keeps the replaced secret of every client; realms without it keep one secret.
type Policy struct{ Lifetime, Rotated time.Duration }

// MakeRealm makes a realm with the rotator's client.
func (k *Keycloak) MakeRealm(ctx context.Context, name string) (*Realm, error) {
	value, err := secret.Generate(nil)
	if err != nil {
		return nil, err
	}
	r := &Realm{Name: name, Rotator: value, k: k}
	if err := k.call(ctx, http.MethodPost, "/admin/realms", map[string]any{"realm": name, "enabled": true,
		"passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)"}, nil); err != nil {
		return nil, err
	}
	return r, r.AddRotator(ctx, rotator, map[string]any{"secret": value.Reveal()})
}

// path is one of the realm's in the admin API.
func (r *Realm) path(parts ...string) string {
	return idp.Path(append([]string{"admin", "realms", r.Name}, parts...)...)
}

// RemoveRealm removes a realm with all that is in it. One that is not there is success.
func (k *Keycloak) RemoveRealm(ctx context.Context, name string) error {
	err := k.call(ctx, http.MethodDelete, idp.Path("admin", "realms", name), nil, nil)
	if no := (*refused)(nil); errors.As(err, &no) && no.status == http.StatusNotFound {
		return nil
	}
	return err
}

// SetPolicy makes a client policy that rotates the secrets of all clients of the realm; nil switches it off.
func (r *Realm) SetPolicy(ctx context.Context, p *Policy) error {
	const profile = "secret rotation"
	if p != nil {
		if err := r.k.call(ctx, http.MethodPut, r.path("client-policies", "profiles"), map[string]any{
			"profiles": []any{map[string]any{"name": profile, "executors": []any{map[string]any{
				"executor": "secret-rotation", "configuration": map[string]any{
					"expiration-period":         int(p.Lifetime / time.Second),
					"rotated-expiration-period": int(p.Rotated / time.Second),
					"remaining-rotation-period": 0}}}}}}, nil); err != nil {
			return err
		}
	}
	err := r.k.call(ctx, http.MethodPut, r.path("client-policies", "policies"), map[string]any{
		"policies": []any{map[string]any{"name": "rotate client secrets", "enabled": p != nil,
			"conditions": []any{map[string]any{"condition": "any-client", "configuration": map[string]any{}}},
			"profiles":   []string{profile}}}}, nil)
	return err
}

// AddRotator makes a client with the roles that the documentation asks for. credential is how it authenticates, in
// Keycloak's words.
func (r *Realm) AddRotator(ctx context.Context, clientID string, credential map[string]any) error {
	body := map[string]any{"clientId": clientID, "serviceAccountsEnabled": true, "standardFlowEnabled": false}
	maps.Copy(body, credential)
	if err := r.k.call(ctx, http.MethodPost, r.path("clients"), body, nil); err != nil {
		return err
	}
	id, err := r.find(ctx, clientID)
	if err != nil {
		return err
	}
	var account struct{ ID string }
	if err := r.k.call(ctx, http.MethodGet, r.path("clients", id, "service-account-user"), nil,
		&account); err != nil {
		return err
	}
	management, err := r.find(ctx, "realm-management")
	if err != nil {
		return err
	}
	var roles []any
	for _, name := range []string{"manage-clients", "view-realm"} {
		var role map[string]any
		if err := r.k.call(ctx, http.MethodGet, r.path("clients", management, "roles", name), nil,
			&role); err != nil {
			return err
		}
		roles = append(roles, role)
	}
	err = r.k.call(ctx, http.MethodPost, r.path("users", account.ID, "role-mappings", "clients", management),
		roles, nil)
	return err
}

// find is the server's id of a client.
func (r *Realm) find(ctx context.Context, clientID string) (string, error) {
	var list []struct{ ID string }
	if err := r.k.call(ctx, http.MethodGet, r.path("clients")+"?"+
		url.Values{"clientId": {clientID}}.Encode(), nil, &list); err != nil {
		return "", err
	}
	if len(list) != 1 {
		return "", fmt.Errorf("realm %s has %d clients %s", r.Name, len(list), clientID)
	}
	return list[0].ID, nil
}

// AddClient makes a client that load balancers use, with a secret.
func (r *Realm) AddClient(ctx context.Context, clientID string, redirects []string, v secret.Value) error {
	err := r.k.call(ctx, http.MethodPost, r.path("clients"), map[string]any{"clientId": clientID,
		"secret": v.Reveal(), "redirectUris": redirects, "webOrigins": []string{},
		// so sessions at the load balancers are refreshed with the client secret all the time
		"attributes": map[string]string{"access.token.lifespan": "15"}}, nil)
	return err
}

// AddUser makes somebody who can log in at once: a profile that is not complete would be asked for first.
func (r *Realm) AddUser(ctx context.Context, name, password, email string) error {
	err := r.k.call(ctx, http.MethodPost, r.path("users"), map[string]any{"username": name, "enabled": true,
		"email": email, "emailVerified": true, "firstName": name, "lastName": "Test",
		"credentials": []any{map[string]any{"type": "password", "value": password}}}, nil)
	return err
}

// Secrets are those that the server shows of a client: the current one and, if there is one, the rotated one.
func (r *Realm) Secrets(ctx context.Context, clientID string) ([]secret.Value, error) {
	id, err := r.find(ctx, clientID)
	if err != nil {
		return nil, err
	}
	var out []secret.Value
	for _, path := range []string{r.path("clients", id, "client-secret"),
		r.path("clients", id, "client-secret", "rotated")} {
		var stored struct{ Value string }
		err := r.k.call(ctx, http.MethodGet, path, nil, &stored)
		if no := (*refused)(nil); errors.As(err, &no) && no.status == http.StatusNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, secret.New(stored.Value))
	}
	return out, nil
}

// Ask sends a request "METHOD PATH BODY" about a client, whose ids stand as ID and CLIENT in it.
func (r *Realm) Ask(ctx context.Context, clientID, request string) (status int, body string, err error) {
	id, err := r.find(ctx, clientID)
	if err != nil {
		return 0, "", err
	}
	part := strings.SplitN(strings.NewReplacer("ID", id, "CLIENT", clientID).Replace(request), " ", 3)
	q, err := r.k.request(ctx, part[0], r.path()+part[1], []byte(strings.Join(part[2:], "")))
	if err != nil {
		return 0, "", err
	}
	status, b, err := r.k.exchange(q)
	return status, string(b), err
}

// Issuer is where the realm's discovery document is. What that says may be written in another way.
func (r *Realm) Issuer() string { return r.k.URL + idp.Path("realms", r.Name) }

// Settings are those of a client's configuration.
func (r *Realm) Settings(adminARN string) map[string]any {
	return map[string]any{"serverUrl": r.k.URL, "realm": r.Name,
		"clientSecret": map[string]string{"clientId": rotator, "secretArn": adminARN}}
}
