package journal

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
)

// Record is a client's item for people to read: who has the lock, and how the last rotation ended. Times are zero, and
// texts empty, if the item has none.
type Record struct {
	*Journal
	// OwnerSince is since when Owner has the lock.
	OwnerSince time.Time
	// OwnerKind is rotation, emergency, repair or adoption.
	OwnerKind string
	// LastOutcome is rotated, repaired, rolledBack, refused or superseded; LastExecution the ARN of that execution.
	LastOutcome   string
	LastExecution string
	LastEnded     time.Time
	// LastRotated is when a rotation last succeeded.
	LastRotated time.Time
}

// Record reads a client's item for people. Its journal must not be saved.
func (t *Table) Record(ctx context.Context, client string) (Record, error) {
	item, err := t.item(ctx, client)
	if err != nil {
		return Record{}, err
	}
	j, since, err := parse(client, item)
	if err != nil {
		return Record{}, err
	}
	at := func(text string) time.Time {
		instant, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}
		}
		return instant.UTC()
	}
	return Record{Journal: j, OwnerSince: at(since), OwnerKind: stringOf(item["ownerKind"]),
		LastOutcome: stringOf(item["lastOutcome"]), LastExecution: stringOf(item["lastExecution"]),
		LastEnded: at(stringOf(item["lastEnded"])), LastRotated: at(stringOf(item["lastRotated"]))}, nil
}

// adoption is the kind of a lock that a person has, who stores a secret.
const adoption = "adoption"

// Adopting reports whether a person has the lock, and no execution.
func (r Record) Adopting() bool { return r.Owner != "" && r.OwnerKind == adoption }

// Lock takes a free lock for a person who stores a secret. owner has the form of an execution's ARN, of one that there
// is not: a rotation takes a lock over from that, and waits before it plans until no call of the former owner can take
// effect any more. So nothing may be stored later than AdoptionLasts after this. A repeat succeeds; LockLost if
// another has it.
func (t *Table) Lock(ctx context.Context, client, owner string, now time.Time) error {
	update := "SET #owner = :me, ownerSince = :now, ownerKind = :kind"
	condition := "attribute_not_exists(#owner) OR #owner = :me"
	return t.lock(ctx, client, owner, update, condition, map[string]string{"#owner": "owner"}, map[string]string{
		":now": now.UTC().Format(time.RFC3339), ":kind": adoption})
}

// Unlock gives the lock back; LockLost if another has it by now.
func (t *Table) Unlock(ctx context.Context, client, owner string) error {
	return t.lock(ctx, client, owner, "REMOVE #owner, ownerSince, ownerKind, #config", "#owner = :me",
		map[string]string{"#owner": "owner", "#config": "config"}, nil)
}

// AdoptionLasts is how long a person may have the lock: less than a rotation waits that has taken it over.
const AdoptionLasts = 30 * time.Second

func (t *Table) lock(ctx context.Context, client, owner, update, condition string, names, more map[string]string,
) error {
	values := map[string]types.AttributeValue{":me": text(owner)}
	for name, v := range more {
		values[name] = text(v)
	}
	refused, err := t.update(ctx, client, update, condition, names, values)
	if refused {
		return failure.New(failure.LockLost, "another has the lock of client %s", client)
	}
	if err != nil {
		return awserr.Wrap(err, "the lock of client %s", client)
	}
	return nil
}
