package entratest

import (
	"net/http"
	"strings"
	"time"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/idp/idptest/clients"
)

const (
	// personalLimit is how many secrets a registration can have that allows personal Microsoft accounts (Microsoft
	// identity platform docs, "Validation differences by supported account types").
	personalLimit = 2
	// organisationLimit stands for the limit of about 1,000 entries in all of a registration's collections.
	organisationLimit = 1000
)

// passwordCredential is Graph's resource of that name. The value is only in the answer of addPassword.
type passwordCredential struct {
	CustomKeyIdentifier *string `json:"customKeyIdentifier"`
	DisplayName         *string `json:"displayName"`
	EndDateTime         string  `json:"endDateTime"`
	Hint                string  `json:"hint"`
	KeyID               string  `json:"keyId"`
	SecretText          *string `json:"secretText"`
	StartDateTime       string  `json:"startDateTime"`
}

// never is the end of a secret without one, as the portal used to write it.
var never = time.Date(2299, 12, 31, 0, 0, 0, 0, time.UTC)

func describe(s clients.Secret, value string, show bool) passwordCredential {
	p := passwordCredential{KeyID: s.ID, StartDateTime: s.Created.UTC().Format(time.RFC3339Nano),
		EndDateTime: never.Format(time.RFC3339)}
	if len(value) > 3 {
		p.Hint = value[:3]
	}
	if !s.ExpiresAt.IsZero() {
		p.EndDateTime = s.ExpiresAt.UTC().Format(time.RFC3339)
	}
	if s.DisplayName != "" {
		p.DisplayName = &s.DisplayName
	}
	if show {
		p.SecretText = &value
	}
	return p
}

// getApplication answers the fields of an application that concern its secrets. $select takes some of them.
func (e *Entra) getApplication(r *http.Request) (int, any, error) {
	c, err := e.app(r)
	if err != nil {
		return 0, nil, err
	}
	passwords := []passwordCredential{}
	seen := e.seen(c.ID)
	err = e.env.Store.Update(c.ID, func(edit *clients.Edit) error { // for the hints; it changes nothing
		for _, s := range seen {
			value, _ := edit.Value(s.ID) // "" for one that is gone but still seen
			passwords = append(passwords, describe(s, value, false))
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	all := map[string]any{"id": c.AppID, "appId": c.ID, "displayName": c.Name, "signInAudience": e.audience(c.ID),
		"passwordCredentials": passwords}
	answer := map[string]any{"@odata.context": e.env.BaseURL + "/v1.0/$metadata#applications/$entity"}
	for field, value := range all {
		answer[field] = value
	}
	if selected := r.URL.Query().Get("$select"); selected != "" {
		answer = map[string]any{"@odata.context": e.env.BaseURL + "/v1.0/$metadata#applications(" + selected +
			")/$entity"}
		for _, field := range strings.Split(selected, ",") {
			value, known := all[field]
			if !known {
				return 0, nil, &graphError{http.StatusBadRequest, "BadRequest",
					"Could not find a property named '" + field + "' on type 'microsoft.graph.application'."}
			}
			answer[field] = value
		}
	}
	return http.StatusOK, answer, nil
}

func (e *Entra) audience(clientID string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if a := e.audiences[clientID]; a != "" {
		return a
	}
	return "AzureADMyOrg"
}

func (e *Entra) addPassword(r *http.Request) (int, any, error) {
	c, err := e.app(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		PasswordCredential struct {
			DisplayName string    `json:"displayName"`
			EndDateTime time.Time `json:"endDateTime"`
		} `json:"passwordCredential"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	now := e.env.Clock.Now()
	end := in.PasswordCredential.EndDateTime
	if end.IsZero() {
		end = now.AddDate(2, 0, 0)
	}
	if err := e.allows(end.Sub(now)); err != nil {
		return 0, nil, err
	}
	limit := organisationLimit
	if strings.Contains(e.audience(c.ID), "Personal") {
		limit = personalLimit
	}
	value := newSecretText()
	var added clients.Secret
	err = e.env.Store.Update(c.ID, func(edit *clients.Edit) (err error) {
		if len(edit.All()) >= limit {
			return badRequest("The application has reached the maximum number of password credentials.")
		}
		added, err = edit.Add(clients.Secret{ID: clientcredentials.NewUUID(),
			DisplayName: in.PasswordCredential.DisplayName, ExpiresAt: end}, value)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, describe(added, value, true), nil
}

// allows applies the tenant's policy to a new secret's life.
func (e *Entra) allows(life time.Duration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case life <= 0:
		return badRequest("The end date of the password credential is not in the future.")
	case e.policy.NoSecrets:
		return &graphError{http.StatusForbidden, "CredentialTypeNotAllowedAsPerAppPolicy",
			"Credential type not allowed as per assigned policy."}
	case e.policy.MaxLifetime > 0 && life > e.policy.MaxLifetime:
		return &graphError{http.StatusBadRequest, "CredentialInvalidLifetimeAsPerAppPolicy",
			"Credential lifetime exceeds the max value allowed as per assigned policy."}
	}
	return nil
}

// removePassword answers the removal of an absent secret with the most general code (observed by several projects).
func (e *Entra) removePassword(r *http.Request) (int, any, error) {
	c, err := e.app(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		KeyID string `json:"keyId"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	err = e.env.Store.Update(c.ID, func(edit *clients.Edit) error {
		if edit.Remove(in.KeyID) != nil {
			return badRequest("No credentials found to be removed.")
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}
