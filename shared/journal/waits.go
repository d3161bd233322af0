package journal

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/shared/awserr"
)

// These attributes note what safety waits for, so that it does not depend on Wait states: what a redrive does to one is
// not documented. They are outside the document because five functions may write targets at once.
const (
	lastWrite = "lastWrite"     // Unix time in milliseconds
	settle    = "settleSeconds" // set with the lock
)

// defaultSettle is for definitions that do not set it: the longest timeout of a function that writes, and 15 s.
const defaultSettle = 75 * time.Second

// readWaits reads the attributes; the error is the name of one that is not a number.
func (j *Journal) readWaits(item map[string]types.AttributeValue) error {
	j.Settle = defaultSettle
	for name, set := range map[string]func(int64){
		lastWrite: func(n int64) { j.LastWrite = time.UnixMilli(n).UTC() },
		settle:    func(n int64) { j.Settle = time.Duration(n) * time.Second },
	} {
		v, ok := item[name].(*types.AttributeValueMemberN)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			return errors.New(name)
		}
		set(n)
	}
	return nil
}

// NoteWrite notes that the owner of the lock is about to write a target, or has written it; anybody else gets LockLost.
// It does not touch the document, and keeps a later note.
func (t *Table) NoteWrite(ctx context.Context, client, owner string, at time.Time) error {
	condition := "#owner = :owner AND (attribute_not_exists(#last) OR #last <= :at)"
	refused, err := t.update(ctx, client, "SET #last = :at", condition,
		map[string]string{"#owner": "owner", "#last": lastWrite}, map[string]types.AttributeValue{
			":owner": text(owner),
			":at":    &types.AttributeValueMemberN{Value: strconv.FormatInt(at.UnixMilli(), 10)}})
	switch {
	case refused:
		_, err = t.Own(ctx, client, owner) // if the lock is ours still, there is a later note
		return err
	case err != nil:
		return awserr.Wrap(err, "noting in the journal that a target is written")
	}
	return nil
}

// LeftAt returns when every node of the targets had left the old secret: the promotion waits for that, unless there is
// no grace period. It is zero if the label has not moved.
func (p *Promotion) LeftAt(spread time.Duration) time.Time {
	if p.At.IsZero() || !p.GraceUntil.Equal(p.At) {
		return p.At
	}
	return p.At.Add(spread)
}

// GivenOut reports whether targets may have been given a version's secret: one was written since it was made.
func (j *Journal) GivenOut(version string) bool { return !j.LastWrite.Before(j.Secrets[version].At) }

// Left returns how much is left of a wait that began with the last write of a target; 0 if it is over.
func (j *Journal) Left(now time.Time, wait time.Duration) time.Duration {
	if j.LastWrite.IsZero() {
		return 0
	}
	return max(0, j.LastWrite.Add(wait).Sub(now))
}
