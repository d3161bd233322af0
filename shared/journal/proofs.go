package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
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

// NoteProof notes a proof for the owner of the lock; anybody else gets LockLost. It does not touch the document.
func (t *Table) NoteProof(ctx context.Context, client, owner string, p Proof) error {
	doc, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encoding a proof: %w", err)
	}
	update, condition := "SET #proven = :proven", "#owner = :owner"
	_, err = t.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: &t.name,
		Key: map[string]types.AttributeValue{"client": &types.AttributeValueMemberS{
			Value: client}},
		UpdateExpression:         &update,
		ConditionExpression:      &condition,
		ExpressionAttributeNames: map[string]string{"#owner": "owner", "#proven": proven},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":owner":  &types.AttributeValueMemberS{Value: owner},
			":proven": &types.AttributeValueMemberS{Value: string(doc)},
		}})
	var refused *types.ConditionalCheckFailedException
	if errors.As(err, &refused) {
		return failure.New(failure.LockLost, "the lock of client %s went to another execution; this one stops here",
			client)
	}
	if err != nil {
		return awserr.Wrap(err, "noting in the journal that a secret was proven")
	}
	return nil
}
