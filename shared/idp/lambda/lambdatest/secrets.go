package lambdatest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/lambda"
)

// keeps is how long a secret is accepted that is no longer the current one, and keepsUnseen how many are where
// none is shown.
const (
	keeps       = 30 * 24 * time.Hour
	keepsUnseen = 5
)

// operations are those of the provider, as its model has them.
func (l *Lambda) operations() map[string]imitation.Handler {
	on := func(f func(*clients.Edit, lambda.Request) (any, error)) imitation.Handler {
		return func(hr *http.Request) (int, any, error) {
			var r lambda.Request
			if err := json.NewDecoder(hr.Body).Decode(&r); err != nil {
				return 0, nil, err
			}
			var out any = map[string]any{"done": true}
			err := l.env.Store.Update(r.Client.ID, func(e *clients.Edit) error {
				answer, err := f(e, r)
				if answer != nil {
					out = answer
				}
				return err
			})
			return http.StatusOK, out, err
		}
	}
	out := map[string]imitation.Handler{"list": on(l.list)}
	switch l.capable.Model {
	case idp.NamedSet:
		out["create"], out["remove"] = on(l.create), on(remove)
		if l.capable.CanDisable {
			out["disable"], out["enable"] = on(setStatus(clients.Inactive)), on(setStatus(clients.Active))
		}
	case idp.CurrentPrevious:
		out["create"] = on(l.shift)
		if l.capable.ShowsValues {
			out["remove"] = on(dropPrevious)
		}
		if l.capable.TakesValue {
			out["set"] = on(l.set)
		}
	case idp.SingleSlot:
		out["set"] = on(l.set)
	}
	return out
}

// list answers with the secrets; of two slots the newest is the current one.
func (l *Lambda) list(e *clients.Edit, r lambda.Request) (any, error) {
	client, err := l.env.Store.Client(r.Client.ID)
	if err != nil {
		return nil, err
	}
	secrets := []map[string]any{}
	for i, s := range e.All() {
		x := map[string]any{"id": s.ID, "status": "active", "created": s.Created}
		if s.Status == clients.Inactive {
			x["status"] = "disabled"
		}
		if l.capable.KeepsToken {
			x["token"] = s.DisplayName
		}
		if l.capable.ShowsValues {
			if x["id"] = "current"; i < len(e.All())-1 {
				x["id"] = "previous"
			}
			if x["value"], err = e.Value(s.ID); err != nil {
				return nil, err
			}
		}
		if l.capable.TellsEnd && !s.ExpiresAt.IsZero() {
			x["until"] = s.ExpiresAt
		}
		secrets = append(secrets, x)
	}
	switch l.capable.Model {
	case idp.CurrentPrevious, idp.SingleSlot:
		if !l.capable.ShowsValues {
			secrets = []map[string]any{}
		}
	}
	out := map[string]any{"secrets": secrets, "registration": map[string]any{
		"traits": map[string]any{"redirectUris": client.RedirectURIs, "grantTypes": client.GrantTypes}}}
	if client.AuthMethod != clients.Either {
		out["registration"].(map[string]any)["authMethod"] = client.AuthMethod
	}
	return out, nil
}

// create makes a secret; a token that has one already gets no second.
func (l *Lambda) create(e *clients.Edit, r lambda.Request) (any, error) {
	all := e.All()
	for _, s := range all {
		if l.capable.KeepsToken && s.DisplayName == r.Token {
			return nil, &imitation.APIError{Status: http.StatusConflict, Code: "token_used", Text: "the token has one"}
		}
	}
	if limit := l.capable.MaxSecrets; limit > 0 && len(all) >= limit {
		return nil, &imitation.APIError{Status: http.StatusBadRequest, Code: "too_many_secrets", Text: "no room"}
	}
	value, out := r.Value, map[string]any{}
	if !l.capable.TakesValue {
		value = rand.Text() + rand.Text()
		out["value"] = value
	}
	made, err := e.Add(clients.Secret{ID: l.NewSecretID(""), DisplayName: r.Token}, value)
	out["id"] = made.ID
	return map[string]any{"secret": out}, err
}

func remove(e *clients.Edit, r lambda.Request) (any, error) { return nil, e.Remove(r.SecretID) }

func setStatus(s clients.Status) func(*clients.Edit, lambda.Request) (any, error) {
	return func(e *clients.Edit, r lambda.Request) (any, error) {
		_, err := e.SetStatus(r.SecretID, s)
		return nil, err
	}
}

// set makes a value of the caller's the only secret.
func (l *Lambda) set(e *clients.Edit, r lambda.Request) (any, error) {
	for _, s := range e.All() {
		if err := e.Remove(s.ID); err != nil {
			return nil, err
		}
	}
	_, err := e.Add(clients.Secret{ID: l.NewSecretID("")}, r.Value)
	return nil, err
}

// shift makes a new current secret and keeps the one that was current; of two slots the previous one ends, and
// of those that nobody sees the oldest.
func (l *Lambda) shift(e *clients.Edit, r lambda.Request) (any, error) {
	if l.capable.ShowsValues {
		if _, err := dropPrevious(e, r); err != nil {
			return nil, err
		}
	}
	if all := e.All(); !l.capable.ShowsValues && len(all) > keepsUnseen {
		if err := e.Remove(all[0].ID); err != nil {
			return nil, err
		}
	}
	if all := e.All(); l.capable.TellsEnd {
		if _, err := e.Expire(all[0].ID, l.env.Clock.Now().Add(keeps)); err != nil {
			return nil, err
		}
	}
	value := rand.Text() + rand.Text()
	_, err := e.Add(clients.Secret{ID: l.NewSecretID("")}, value)
	return map[string]any{"secret": map[string]any{"value": value}}, err
}

func dropPrevious(e *clients.Edit, _ lambda.Request) (any, error) {
	if all := e.All(); len(all) > 1 {
		return nil, e.Remove(all[0].ID)
	}
	return nil, nil
}
