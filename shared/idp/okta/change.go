package okta

import (
	"context"
	"net/http"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
)

// newSecret is the body of the request that creates a secret.
type newSecret struct {
	ClientSecret string `json:"client_secret"`
	Status       string `json:"status"`
}

// Create implements idp.Provider. Okta keeps no display name: Tag is not sent.
func (p *Provider) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	const operation = "create a secret"
	if r.Value.IsZero() {
		return idp.Created{}, failure.New(failure.Internal, "a secret for Okta must come with its value")
	}
	var answer object
	body := newSecret{ClientSecret: r.Value.Reveal(), Status: "ACTIVE"}
	err := p.do(ctx, http.MethodPost, "/credentials/secrets", operation, body, &answer)
	if s, ok := invalid(err); ok {
		return idp.Created{}, failure.Wrap(failure.IdPRejected, s,
			"Okta refused to create a secret for app %s; most likely it "+
				"has two, which is the limit, inactive ones included: delete one that nothing uses", p.settings.AppID)
	}
	if err != nil {
		return idp.Created{}, err
	}
	made, ok := answer.secret()
	if !ok {
		return idp.Created{}, p.api.NotUnderstood(operation)
	}
	value := r.Value
	if !made.Value.IsZero() {
		// what Okta says is valid, is; the proof at the token endpoint decides whether it is ours
		value = made.Value
	}
	return idp.Created{ID: made.ID, Value: value}, nil
}

// Remove implements idp.Provider. Okta deletes only inactive secrets.
func (p *Provider) Remove(ctx context.Context, id string) error {
	s, found, err := p.find(ctx, id)
	if err != nil || !found {
		return err
	}
	if s.Status == idp.Active {
		if err := p.deactivate(ctx, id); err != nil {
			return unlessAbsent(err)
		}
	}
	err = p.do(ctx, http.MethodDelete, secretPath(id), "delete a secret", nil, nil)
	if s, ok := invalid(err); ok {
		return failure.Wrap(failure.Precondition, s,
			"Okta did not delete secret %s because it is active; somebody activated it meanwhile", id)
	}
	return unlessAbsent(err)
}

// Disable implements idp.Disabler.
func (p *Provider) Disable(ctx context.Context, id string) error {
	s, err := p.mustFind(ctx, id)
	if err != nil || s.Status == idp.Disabled {
		return err
	}
	return p.orAbsent(p.deactivate(ctx, id), id)
}

// Enable implements idp.Disabler.
func (p *Provider) Enable(ctx context.Context, id string) error {
	s, err := p.mustFind(ctx, id)
	if err != nil || s.Status == idp.Active {
		return err
	}
	err = p.do(ctx, http.MethodPost, secretPath(id)+"/lifecycle/activate", "activate a secret", nil, nil)
	return p.orAbsent(err, id)
}

func (p *Provider) deactivate(ctx context.Context, id string) error {
	err := p.do(ctx, http.MethodPost, secretPath(id)+"/lifecycle/deactivate", "deactivate a secret", nil, nil)
	if s, ok := invalid(err); ok {
		return failure.Wrap(failure.Precondition, s,
			"Okta did not deactivate secret %s: an app's only active secret cannot be; "+
				"create or activate another one first", id)
	}
	return err
}

func secretPath(id string) string { return idp.Path("credentials", "secrets", id) }

// find looks a secret up in the list. A request for the secret itself would not do: its 404 can also mean that there is
// no such app, and then nothing is known about the secret. Ids in URLs come from here, so they are Okta's own.
func (p *Provider) find(ctx context.Context, id string) (idp.Secret, bool, error) {
	list, err := p.List(ctx)
	if err != nil {
		return idp.Secret{}, false, err
	}
	for _, s := range list {
		if s.ID == id {
			return s, true, nil
		}
	}
	return idp.Secret{}, false, nil
}

func (p *Provider) mustFind(ctx context.Context, id string) (idp.Secret, error) {
	s, found, err := p.find(ctx, id)
	if err == nil && !found {
		err = p.errAbsent(id)
	}
	return s, err
}

func (p *Provider) errAbsent(id string) error {
	return failure.New(failure.Precondition, "Okta app %s has no secret %s", p.settings.AppID, id)
}

// orAbsent turns a 404, for a secret that was there a moment ago, into what the callers of Disable and Enable expect.
func (p *Provider) orAbsent(err error, id string) error {
	if err != nil && unlessAbsent(err) == nil {
		return p.errAbsent(id)
	}
	return err
}

// invalid reports whether Okta refused a request with "Api validation failed". That one code is all that Okta has for a
// third secret, for deactivating the only one, and for deleting an active one: only the call that was made tells them
// apart.
func invalid(err error) (*httpclient.StatusError, bool) {
	s, ok := httpclient.Status(err)
	return s, ok && s.Status == http.StatusBadRequest && s.Code == codeInvalid
}

// unlessAbsent forgives a 404 that is Okta's own; one without Okta's code comes from something in between.
func unlessAbsent(err error) error {
	if s, ok := httpclient.Status(err); ok && s.Status == http.StatusNotFound && s.Code == codeNotFound {
		return nil
	}
	return err
}
