package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
)

// proven is the attribute of the last repeated proof. It is outside the document because five functions may write
// targets at once.
const proven = "proven"

// Proof says when the identity provider accepted the secret of a version. A redrive days later writes many targets with
// an old proof: the first call repeats it, and the others find the new one here. Each proof shows the provider a wrong
// secret, and hundreds of those would look like an attack.
type Proof struct {
	Version string    `json:"version"`
	At      time.Time `json:"at"`
}

func readProof(v types.AttributeValue) (p Proof, err error) {
	if doc, ok := v.(*types.AttributeValueMemberS); ok {
		err = json.Unmarshal([]byte(doc.Value), &p)
	}
	return p, err
}

func lockLost(client string) error {
	return failure.New(failure.LockLost, "the lock of client %s went to another execution; this one stops here", client)
}

// NoteProof notes a proof for the owner of the lock; anybody else gets LockLost. It does not touch the document.
func (t *Table) NoteProof(ctx context.Context, client, owner string, p Proof) error {
	doc, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encoding a proof: %w", err)
	}
	refused, err := t.update(ctx, client, "SET #proven = :proven", "#owner = :owner",
		map[string]string{"#owner": "owner", "#proven": proven},
		map[string]types.AttributeValue{":owner": text(owner), ":proven": text(string(doc))})
	if refused {
		return lockLost(client)
	}
	if err != nil {
		return awserr.Wrap(err, "noting in the journal that a secret was proven")
	}
	return nil
}
