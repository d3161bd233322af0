package retiresecret

import (
	"context"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/rotation"
)

// mustDiffer fails if the version that goes, whose secret the provider lists as x, holds the secret that stays, or if
// that cannot be told: to retire the one would end the other.
func (r *retirement) mustDiffer(ctx context.Context, x *idp.Secret) error {
	goes, stays := r.journal.Secrets[r.version], r.journal.Secrets[r.keep]
	same, told, err := r.Same(ctx, r.version, r.keep)
	switch {
	case err != nil:
		return err
	case same && goes.ClientID == stays.ClientID:
		return failure.New(failure.Precondition, "versions %s and %s hold the same secret; nothing is retired",
			r.version, r.keep)
	case stays.State != "" || x != nil && x.Status == idp.Disabled: // the journal, or the provider, knows them as two
		return nil
	case x == nil: // where secrets have no ids, what is asked for then keeps AWSCURRENT
		return nil
	}
	return r.mustBeAnother(x, told)
}

// mustBeAnother fails unless the provider has another secret than x for AWSCURRENT, which the journal does not know.
// told: the texts say that it is another. A further secret at the provider proves nothing, it may be a stranger's.
func (r *retirement) mustBeAnother(x *idp.Secret, told bool) error {
	for _, o := range r.listed {
		named := o.ID == r.Config.IdentityProvider.CurrentSecretID
		if o.ID != x.ID && o.Status == idp.Active && (told || named) {
			return nil
		}
	}
	why := "the text of version " + r.version + " is gone or cannot be read"
	if told {
		why = "the identity provider lists no active secret but that of version " + r.version
	}
	return failure.New(failure.Precondition, "%s, and the journal does not know AWSCURRENT (%s): "+
		"whether they are the same secret cannot be told; nothing is retired. %s",
		why, r.keep, rotation.NameCurrent(x.ID))
}
