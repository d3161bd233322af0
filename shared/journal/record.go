package journal

import (
	"context"
	"time"
)

// Record is a client's item for people to read: who has the lock, and how the last rotation ended. Times are zero, and
// texts empty, if the item has none.
type Record struct {
	*Journal
	// OwnerSince is since when Owner has the lock.
	OwnerSince time.Time
	// OwnerKind is rotation or emergency.
	OwnerKind string
	// LastOutcome is rotated, rolledBack, refused or superseded; LastExecution the ARN of that execution.
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
