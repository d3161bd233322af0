package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
)

// marked is the attribute of the marks, outside the document because five functions may write targets at once.
const marked = "marked"

// Mark notes what a call that could not set all of its targets did with one of them. A call that is tried again begins
// with the others: where load balancers answer slowly it would never come to its end otherwise.
type Mark struct {
	// Result is what became of the target, as in rotation.Updated; "" if it took longer than its share of the time.
	Result string    `json:"result,omitempty"`
	At     time.Time `json:"at"`
}

// MarkLasts is how long a mark counts: as long as a round of the promotion does (docs/adr/0037). Days later, as after a
// redrive, a target is set again.
const MarkLasts = time.Hour

// Fresh reports whether the mark still counts.
func (m Mark) Fresh(now time.Time) bool { return now.Sub(m.At) < MarkLasts }

// readMarks reads the attribute. Marks that cannot be read are none: targets are set again then.
func readMarks(v types.AttributeValue) map[string]Mark {
	out := map[string]Mark{}
	if err := json.Unmarshal([]byte(stringOf(v)), &out); err != nil {
		return map[string]Mark{}
	}
	return out
}

// markTries is how often marks are written where other calls write theirs at the same time, of which there are four.
const markTries = 8

// NoteMarks adds marks to those of the owner of the lock, and forgets such as are too old; anybody else gets LockLost.
func (t *Table) NoteMarks(ctx context.Context, client, owner string, now time.Time, marks map[string]Mark) error {
	for range markTries {
		item, err := t.item(ctx, client)
		if err != nil {
			return err
		}
		if stringOf(item["owner"]) != owner {
			return lockLost(client)
		}
		all := readMarks(item[marked])
		maps.DeleteFunc(all, func(_ string, m Mark) bool { return !m.Fresh(now) })
		maps.Copy(all, marks)
		if raced, err := t.putMarks(ctx, client, owner, item[marked], all); !raced {
			return err
		}
	}
	return failure.New(failure.Unavailable, "the marks of client %s are being written by too many calls at once",
		client)
}

// putMarks writes all marks; raced: somebody has written some since was was read.
func (t *Table) putMarks(ctx context.Context, client, owner string, was types.AttributeValue,
	all map[string]Mark) (raced bool, err error) {
	doc, err := json.Marshal(all)
	if err != nil {
		return false, fmt.Errorf("encoding marks: %w", err)
	}
	condition := "#owner = :owner AND attribute_not_exists(#marked)"
	values := map[string]types.AttributeValue{":owner": text(owner), ":marked": text(string(doc))}
	if was != nil {
		condition = "#owner = :owner AND #marked = :was"
		values[":was"] = was
	}
	raced, err = t.update(ctx, client, "SET #marked = :marked", condition,
		map[string]string{"#owner": "owner", "#marked": marked}, values)
	return raced, awserr.Wrap(err, "noting in the journal which targets are set")
}
