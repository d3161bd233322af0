package entra

import (
	"context"
	"net/http"
	"strings"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// namePrefix begins the display name of every secret that we make; the tag follows. People see it in the portal.
const namePrefix = "alb-oidc-rotation/"

// tagOf is the tag in a display name of ours, "" in anybody else's.
func tagOf(displayName string) string {
	tag, ours := strings.CutPrefix(displayName, namePrefix)
	if !ours {
		return ""
	}
	return tag
}

// newPassword is the body of addPassword.
type newPassword struct {
	Credential struct {
		DisplayName string `json:"displayName"`
		EndDateTime string `json:"endDateTime"`
	} `json:"passwordCredential"`
}

// Create implements idp.Provider. Entra ID makes the value; the answer is the only place where it ever appears.
func (p *Provider) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	const operation = "add a secret"
	if !r.Value.IsZero() {
		return idp.Created{}, failure.New(failure.Internal,
			"Microsoft Entra ID makes the values of secrets; it takes none")
	}
	var body newPassword
	body.Credential.DisplayName = namePrefix + r.Tag
	body.Credential.EndDateTime = p.now().UTC().AddDate(0, 0, p.settings.lifetime()).Format(time.RFC3339)
	var answer struct {
		password
		SecretText string `json:"secretText"`
	}
	if err := p.do(ctx, http.MethodPost, "/addPassword", operation, body, &answer); err != nil {
		return idp.Created{}, err
	}
	if !guidPattern.MatchString(answer.KeyID) || answer.SecretText == "" {
		return idp.Created{}, p.api.NotUnderstood(operation)
	}
	return idp.Created{ID: answer.KeyID, Value: secret.New(answer.SecretText)}, nil
}

// Remove implements idp.Provider.
//
// Graph refuses the removal of an absent secret with its most general code ("No credentials found to be removed."), and
// a server that has not heard yet of a new secret does the same. So the list decides: a secret that it does not show is
// removed; one that it shows, although the removal was refused so, is tried again later.
func (p *Provider) Remove(ctx context.Context, id string) error {
	err := p.do(ctx, http.MethodPost, "/removePassword", "remove a secret", map[string]string{"keyId": id}, nil)
	s, _ := httpclient.Status(err)
	if !failure.Is(err, failure.IdPRejected) || s.Status != http.StatusBadRequest && s.Status != http.StatusNotFound {
		return err
	}
	list, listErr := p.List(ctx)
	if listErr != nil {
		return listErr
	}
	for _, x := range list {
		if strings.EqualFold(x.ID, id) {
			return failure.Wrap(failure.Unavailable, s,
				"Microsoft Entra ID did not remove secret %s, which it lists; its servers may not agree yet", id)
		}
	}
	return nil
}
