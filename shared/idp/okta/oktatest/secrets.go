package oktatest

import (
	"fmt"
	"net/http"
	"time"

	"alboidc.internal/shared/idp/idptest/clients"
)

// maxSecrets counts inactive secrets too (Okta developer guide "Client secret rotation and key management").
const maxSecrets = 2

// secretObject is Okta's OAuth2ClientSecret. Reads show the value, as was seen on a real org; whether all do is not
// documented (HideValues).
type secretObject struct {
	ID          string          `json:"id"`
	Status      clients.Status  `json:"status"`
	Value       string          `json:"client_secret,omitempty"`
	Hash        string          `json:"secret_hash"`
	Created     string          `json:"created"`
	LastUpdated string          `json:"lastUpdated"`
	Links       map[string]link `json:"_links"`
}

type link struct {
	Href  string `json:"href"`
	Hints hints  `json:"hints"`
}

type hints struct {
	Allow []string `json:"allow"`
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// shown is a secret as a read shows it.
func (o *Okta) shown(c clients.Client, e *clients.Edit, s clients.Secret) (secretObject, error) {
	o.mu.Lock()
	hidden := o.hidden
	o.mu.Unlock()
	if hidden {
		return o.object(c, s, ""), nil
	}
	value, err := e.Value(s.ID)
	return o.object(c, s, value), err
}

func (o *Okta) object(c clients.Client, s clients.Secret, value string) secretObject {
	self := fmt.Sprintf("%s/api/v1/apps/%s/credentials/secrets/%s", o.env.BaseURL, c.AppID, s.ID)
	to := func(path, method string) link { return link{Href: self + path, Hints: hints{Allow: []string{method}}} }
	links := map[string]link{"deactivate": to("/lifecycle/deactivate", http.MethodPost)}
	if s.Status == clients.Inactive {
		links = map[string]link{"activate": to("/lifecycle/activate", http.MethodPost),
			"delete": to("", http.MethodDelete)}
	}
	return secretObject{ID: s.ID, Status: s.Status, Value: value, Hash: s.Fingerprint, Created: timestamp(s.Created),
		LastUpdated: timestamp(s.Updated), Links: links}
}

// app finds the app that the path names.
func (o *Okta) app(r *http.Request) (clients.Client, error) {
	id := r.PathValue("appId")
	c, err := o.env.Store.ByAppID(id)
	if err != nil {
		return clients.Client{}, notFound(id, "AppInstance")
	}
	return c, nil
}

// update changes the secret that the path names.
func (o *Okta) update(r *http.Request, f func(*clients.Edit, clients.Secret) error) (clients.Client, error) {
	c, err := o.app(r)
	if err != nil {
		return c, err
	}
	id := r.PathValue("secretId")
	return c, o.env.Store.Update(c.ID, func(e *clients.Edit) error {
		s, err := e.Get(id)
		if err != nil {
			return notFound(id, "OAuth2ClientSecret")
		}
		return f(e, s)
	})
}

func (o *Okta) listSecrets(r *http.Request) (int, any, error) {
	c, err := o.app(r)
	if err != nil {
		return 0, nil, err
	}
	list := []secretObject{}
	err = o.env.Store.Update(c.ID, func(e *clients.Edit) error { // for the values; it changes nothing
		for _, s := range e.All() {
			x, err := o.shown(c, e, s)
			if err != nil {
				return err
			}
			list = append(list, x)
		}
		return nil
	})
	return http.StatusOK, list, err
}

func (o *Okta) getSecret(r *http.Request) (int, any, error) {
	c, err := o.app(r)
	if err != nil {
		return 0, nil, err
	}
	var found secretObject
	_, err = o.update(r, func(e *clients.Edit, s clients.Secret) (err error) {
		found, err = o.shown(c, e, s)
		return err
	})
	return http.StatusOK, found, err
}

func (o *Okta) createSecret(r *http.Request) (int, any, error) {
	c, err := o.app(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Value  string         `json:"client_secret"`
		Status clients.Status `json:"status"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Status != "" && in.Status != clients.Active && in.Status != clients.Inactive {
		return 0, nil, validation("status", "status: must be ACTIVE or INACTIVE")
	}
	if in.Value == "" {
		in.Value = randomString("", 64)
	}
	var created clients.Secret
	err = o.env.Store.Update(c.ID, func(e *clients.Edit) (err error) {
		if len(e.All()) >= maxSecrets {
			return validation("client_secret",
				"You've reached the maximum number of client secrets for this application.")
		}
		created, err = e.Add(clients.Secret{ID: o.NewSecretID(c.ID), Status: in.Status}, in.Value)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, o.object(c, created, in.Value), nil
}

func (o *Okta) activateSecret(r *http.Request) (int, any, error) {
	return o.setStatus(r, clients.Active)
}

// deactivateSecret refuses to take the app's last active secret away.
func (o *Okta) deactivateSecret(r *http.Request) (int, any, error) {
	return o.setStatus(r, clients.Inactive)
}

func (o *Okta) setStatus(r *http.Request, status clients.Status) (int, any, error) {
	var changed clients.Secret
	c, err := o.update(r, func(e *clients.Edit, s clients.Secret) (err error) {
		if status == clients.Inactive && s.Status == clients.Active && countActive(e) == 1 {
			return validation("client_secret",
				"You can't deactivate the only active client secret of this application.")
		}
		changed, err = e.SetStatus(s.ID, status)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, o.object(c, changed, ""), nil
}

func (o *Okta) deleteSecret(r *http.Request) (int, any, error) {
	_, err := o.update(r, func(e *clients.Edit, s clients.Secret) error {
		if s.Status != clients.Inactive {
			return validation("client_secret", "Only an inactive client secret can be deleted.")
		}
		return e.Remove(s.ID)
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func countActive(e *clients.Edit) int {
	n := 0
	for _, s := range e.All() {
		if s.Status == clients.Active {
			n++
		}
	}
	return n
}

// getApp answers the fields of an OpenID Connect app that concern its client credentials.
func (o *Okta) getApp(r *http.Request) (int, any, error) {
	c, err := o.app(r)
	if err != nil {
		return 0, nil, err
	}
	method := c.AuthMethod
	if method == clients.Either {
		method = clients.Basic // Okta's default
	}
	return http.StatusOK, map[string]any{
		"id": c.AppID, "name": "oidc_client", "label": c.Name, "status": "ACTIVE", "signOnMode": "OPENID_CONNECT",
		"created": timestamp(c.Created), "lastUpdated": timestamp(c.Created),
		"credentials": map[string]any{"oauthClient": map[string]any{
			"autoKeyRotation": true, "client_id": c.ID, "token_endpoint_auth_method": method, "pkce_required": false}},
		"settings": map[string]any{"oauthClient": map[string]any{
			"redirect_uris": c.RedirectURIs, "response_types": []string{"code"}, "grant_types": c.GrantTypes,
			"application_type": "web"}},
	}, nil
}
