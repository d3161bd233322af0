// Package journal keeps what Secrets Manager and the identity provider cannot tell: which version belongs to which
// secret at the provider, what was about to be done, and which execution may do it. It is one DynamoDB item per client.
//
// The item's attributes are client (the partition key), owner and ownerSince (the lock: an execution's ARN and since
// when it has the lock), config (the configuration that the owner works by), notes of writes and proofs (waits.go,
// proofs.go, marks.go), rev (a counter) and state (this package's JSON document). The state machine sets and
// removes owner, ownerSince and config. Every write of state is conditional on owner and rev, so a function that was
// cut off, or an execution that lost its lock, cannot overwrite what came after it.
package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sort"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
)

// API is the part of DynamoDB that the journal uses.
type API interface {
	GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput,
		error)
	UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput,
		opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
}

// State is the state of a secret that the journal knows.
type State string

// The states of a secret, in the order in which it goes through them.
const (
	// Intended: about to be made. It may or may not exist at the provider.
	Intended State = "intended"
	// Live: made, with a known id.
	Live State = "live"
	// Kept: not wanted any more, but the provider has no way to remove it. Nothing uses it.
	Kept State = "kept"
	// Removed: gone from the provider, or never made.
	Removed State = "removed"
)

// Entry is what is known of one version's secret at the provider.
type Entry struct {
	State State `json:"state"`
	// IdPSecretID is the id at the provider; empty while Intended.
	IdPSecretID string `json:"idpSecretId,omitempty"`
	// ClientID is the registration that has the secret, if the client is a pair.
	ClientID string `json:"clientId,omitempty"`
	// JSONKey says where the version's text has the secret: in the member of that name, or, if "", as a whole. It keeps
	// the form in which the version was stored, whatever the configuration says later; nil if that was not noted.
	JSONKey *string `json:"jsonKey,omitempty"`
	// Config is the configuration under which the secret was made and put on targets. What it says about targets counts
	// until the secret is in use everywhere, or gone.
	Config *config.Text `json:"config,omitempty"`
	// Imported: the secret existed before the first rotation; this system did not make it.
	Imported bool `json:"imported,omitempty"`
	// Before lists the ids that the provider had when the secret was intended: what is new since then may be ours.
	Before []string `json:"before,omitempty"`
	// Asked is when the provider was last asked to make it, while there is no answer; zero if it was not asked, or said
	// no.
	Asked time.Time `json:"asked,omitzero"`
	// Undone is when the provider was last asked to remove what a request without an answer had made, while there is no
	// answer to that either.
	Undone time.Time `json:"undone,omitzero"`
	// Missed is when a registration of a pair was first found to refuse it although nobody here had removed it.
	Missed time.Time `json:"missed,omitzero"`
	// Refusing is how far the proof has come that the provider refuses it, which it was told to end; nil if the proof
	// has not begun, or has to begin again.
	Refusing *Refusing `json:"refusing,omitempty"`
	// Ended is when the provider had ended it by itself, as a repair was told before it made another one: some
	// providers accept it once more then, as the previous one.
	Ended time.Time `json:"ended,omitzero"`
	// Unused: it has never been AWSCURRENT, nor about to be, so no follower has it.
	Unused bool `json:"unused,omitempty"`
	// Canaries are the only targets that may have it; nil if any target may.
	Canaries *Canaries `json:"canaries,omitempty"`
	At       time.Time `json:"at"`
}

// Refusing is what calls have seen that had no time for a whole proof.
type Refusing struct {
	// Seen are how many refusals of the secret have come between two acceptances of the one that stays, by registration
	// and token endpoint; nil if nobody knows whether its removal was answered.
	Seen map[string]int `json:"seen"`
	At   time.Time      `json:"at"`
}

// Promotion is the last move of AWSCURRENT, written before it is made.
type Promotion struct {
	From string `json:"from"`
	To   string `json:"to"`
	// PreviousBefore had AWSPREVIOUS until then. A rollback puts the label back on it.
	PreviousBefore string `json:"previousBefore,omitempty"`
	// At and GraceUntil are zero until the label has moved.
	At         time.Time `json:"at,omitzero"`
	GraceUntil time.Time `json:"graceUntil,omitzero"`
	// Repair: From is dead. Whoever finds this goes on with To, and never back.
	Repair bool `json:"repair,omitempty"`
}

// RepairedTo reports whether a repair, which has not ended, makes a version AWSCURRENT.
func (p *Promotion) RepairedTo(version string) bool { return p != nil && p.Repair && p.To == version }

// RepairedFrom reports whether such a repair replaces a version, which is dead.
func (p *Promotion) RepairedFrom(version string) bool {
	return p != nil && p.Repair && p.From == version
}

// Journal is one client's item.
type Journal struct {
	Client string `json:"-"`
	Owner  string `json:"-"`
	Rev    int64  `json:"-"`
	// Config says which text of the client's configuration the owner works by; nil if the owner is an execution of an
	// earlier definition.
	Config *config.Reference `json:"-"`
	// LastWrite is when a call last noted that it was about to write a target, or had written one; zero if none did.
	LastWrite time.Time `json:"-"`
	// Marks are about the targets of calls that could not set all of theirs, by keys that package updatealb makes.
	Marks map[string]Mark `json:"-"`
	// Proven is the last proof that a function repeated before a write because the earlier proof was too old.
	Proven Proof `json:"-"`
	// Settle is how long after a call of a function its requests may still take effect, by the owner's definition.
	Settle time.Duration `json:"-"`
	// Secrets by version id.
	Secrets   map[string]Entry `json:"secrets"`
	Promotion *Promotion       `json:"promotion,omitempty"`
	// Current is what followers go by; nil if the client has none.
	Current *Current `json:"current,omitempty"`
	// Begun is the client for which the last new secret was made, until that secret or the old one is gone. Whoever
	// goes on must work for the same client.
	Begun *config.Identity `json:"begun,omitempty"`
}

// Table is the journal's DynamoDB table.
type Table struct {
	api  API
	name string
}

// New returns the journal kept in the table of that name.
func New(api API, table string) *Table { return &Table{api: api, name: table} }

// Own reads the client's journal, strongly consistently, for the execution that owns its lock; any other gets LockLost.
func (t *Table) Own(ctx context.Context, client, execution string) (*Journal, error) {
	j, _, err := t.load(ctx, client)
	if err != nil {
		return nil, err
	}
	if execution == "" || j.Owner != execution {
		return nil, failure.New(failure.LockLost,
			"the lock of client %s belongs to %s, not to this execution; it stops here and changes nothing more",
			client, ownerName(j.Owner))
	}
	return j, nil
}

// Look reads the client's journal without owning the lock. held is since when the lock is held; zero if it is free. The
// journal has no owner, so that Save refuses it.
func (t *Table) Look(ctx context.Context, client string) (j *Journal, held time.Time, err error) {
	j, since, err := t.load(ctx, client)
	if err != nil {
		return nil, time.Time{}, err
	}
	owner := j.Owner
	j.Owner = ""
	if owner == "" {
		return j, time.Time{}, nil
	}
	if held, err = time.Parse(time.RFC3339, since); err != nil {
		return nil, time.Time{}, failure.New(failure.Precondition,
			"the journal of client %s does not say since when %s has the lock", client, owner)
	}
	return j, held, nil
}

func ownerName(owner string) string {
	if owner == "" {
		return "nobody"
	}
	return owner
}

// load reads the item; since is its ownerSince.
func (t *Table) load(ctx context.Context, client string) (j *Journal, since string, err error) {
	item, err := t.item(ctx, client)
	if err != nil {
		return nil, "", err
	}
	return parse(client, item)
}

// item reads the client's item; the read is strongly consistent.
func (t *Table) item(ctx context.Context, client string) (map[string]types.AttributeValue, error) {
	out, err := t.api.GetItem(ctx, &dynamodb.GetItemInput{TableName: &t.name, ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"client": text(client)}})
	if err != nil {
		return nil, awserr.Wrap(err, "reading the journal")
	}
	return out.Item, nil
}

// parse reads a client's item; since is its ownerSince.
func parse(client string, item map[string]types.AttributeValue) (j *Journal, since string, err error) {
	j = &Journal{Client: client, Secrets: map[string]Entry{}, Owner: stringOf(item["owner"])}
	since = stringOf(item["ownerSince"])
	if j.Config, err = reference(item["config"], j.Owner); err != nil {
		return nil, "", failure.New(failure.Precondition, "the journal of client %s does not say which configuration "+
			"its lock's owner works by: stop that execution and start again", client)
	}
	if err := j.readWaits(item); err != nil {
		return nil, "", failure.New(failure.Precondition,
			"the journal of client %s has a %v that is not a number; remove it from the item", client, err)
	}
	if j.Proven, err = readProof(item[proven]); err != nil {
		return nil, "", failure.New(failure.Precondition,
			"the journal of client %s has a %s that cannot be read; remove it from the item", client, proven)
	}
	j.Marks = readMarks(item[marked])
	if v, ok := item["rev"].(*types.AttributeValueMemberN); ok {
		if j.Rev, err = strconv.ParseInt(v.Value, 10, 64); err != nil {
			return nil, "", failure.New(failure.Precondition, "the journal of client %s has a rev that is not a number",
				client)
		}
	}
	if v, ok := item["state"]; ok {
		// an item that somebody damaged must not look like a client that was never rotated
		doc, ok := v.(*types.AttributeValueMemberS)
		if !ok || json.Unmarshal([]byte(doc.Value), j) != nil {
			return nil, "", failure.New(failure.Precondition,
				"the journal of client %s cannot be read; restore the item as it was right before it was damaged, or "+
					"delete it (docs/runbook.md)", client)
		}
		if j.Secrets == nil {
			j.Secrets = map[string]Entry{}
		}
	}
	return j, since, nil
}

// stringOf is a string attribute, or "".
func stringOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// reference reads the attribute config. It returns nil if that was written for another owner than the present one.
func reference(v types.AttributeValue, owner string) (*config.Reference, error) {
	doc, ok := v.(*types.AttributeValueMemberS)
	if !ok {
		return nil, nil
	}
	var r config.Reference
	if err := json.Unmarshal([]byte(doc.Value), &r); err != nil {
		return nil, err
	}
	if owner == "" || r.Execution != owner {
		return nil, nil
	}
	return &r, nil
}

// Save writes the journal if its owner and revision are still those that were read, and increments the revision. A
// repeat after a lost reply succeeds.
func (t *Table) Save(ctx context.Context, j *Journal) error {
	j.prune()
	doc, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encoding the journal: %w", err)
	}
	rev := func(n int64) types.AttributeValue {
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
	}
	condition := "#owner = :owner AND #rev = :was"
	if j.Rev == 0 {
		condition = "#owner = :owner AND (attribute_not_exists(#rev) OR #rev = :was)"
	}
	refused, err := t.update(ctx, j.Client, "SET #state = :state, #rev = :rev", condition,
		map[string]string{"#owner": "owner", "#rev": "rev", "#state": "state"}, map[string]types.AttributeValue{
			":owner": text(j.Owner), ":was": rev(j.Rev), ":rev": rev(j.Rev + 1), ":state": text(string(doc))})
	if refused {
		return t.settle(ctx, j)
	}
	if err != nil {
		return awserr.Wrap(err, "writing the journal")
	}
	j.Rev++
	return nil
}

// update changes attributes of a client's item, unless a condition refuses that.
func (t *Table) update(ctx context.Context, client, expression, condition string, names map[string]string,
	values map[string]types.AttributeValue) (refused bool, err error) {
	_, err = t.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: &t.name,
		Key:              map[string]types.AttributeValue{"client": text(client)},
		UpdateExpression: &expression, ConditionExpression: &condition, ExpressionAttributeNames: names,
		ExpressionAttributeValues: values})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return true, nil
	}
	return false, err
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// settle decides whether a write was refused because it had already succeeded and its reply was lost (the SDK repeats
// it).
func (t *Table) settle(ctx context.Context, j *Journal) error {
	now, _, err := t.load(ctx, j.Client)
	if err != nil {
		return err
	}
	if now.Owner == j.Owner && now.Rev == j.Rev+1 && sameDocument(now, j) {
		j.Rev = now.Rev
		return nil
	}
	if now.Owner != j.Owner {
		return failure.New(failure.LockLost, "the lock of client %s went to %s; this execution stops here", j.Client,
			ownerName(now.Owner))
	}
	return failure.New(failure.Unavailable, "the journal of client %s changed at the same time; the step starts over",
		j.Client)
}

func sameDocument(a, b *Journal) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// keepRemoved is how many removed secrets the journal remembers.
const keepRemoved = 20

// prune forgets the oldest removed secrets, and which targets had one that no rollback takes from them any more.
func (j *Journal) prune() {
	var gone []string
	for v, e := range j.Secrets {
		if e.Canaries != nil && (e.State == Removed || !e.Unused) {
			e.Canaries = nil
			j.Secrets[v] = e
		}
		if e.State == Removed {
			gone = append(gone, v)
		}
	}
	if len(gone) <= keepRemoved {
		return
	}
	sort.Slice(gone, func(a, b int) bool { return j.Secrets[gone[a]].At.Before(j.Secrets[gone[b]].At) })
	for _, v := range gone[:len(gone)-keepRemoved] {
		delete(j.Secrets, v)
	}
}

// Rename lets a version take the place of another: both hold the same secret.
func (j *Journal) Rename(from, to string) {
	e := j.Secrets[from]
	if e.IdPSecretID == from { // the provider has no ids
		e.IdPSecretID = to
	}
	e.Unused = false
	j.Secrets[to] = e
	delete(j.Secrets, from)
	for v, e := range j.Secrets {
		if c := e.Canaries; c != nil && c.From == from {
			e.Canaries = &Canaries{From: to, Targets: c.Targets}
			j.Secrets[v] = e
		}
	}
	if p := j.Promotion; p != nil {
		for _, v := range []*string{&p.From, &p.To, &p.PreviousBefore} {
			if *v == from {
				*v = to
			}
		}
	}
	if c := j.Current; c != nil && c.Version == from {
		c.Version = to
	}
}

// Clone returns a copy that can be changed without changing j.
func (j *Journal) Clone() *Journal {
	c := *j
	c.Secrets = maps.Clone(j.Secrets)
	if j.Promotion != nil {
		p := *j.Promotion
		c.Promotion = &p
	}
	if j.Current != nil {
		current := *j.Current
		c.Current = &current
	}
	return &c
}

// KnownIDs returns every provider id in the journal, in any state.
func (j *Journal) KnownIDs() map[string]bool {
	out := map[string]bool{}
	for _, e := range j.Secrets {
		if e.IdPSecretID != "" {
			out[e.IdPSecretID] = true
		}
	}
	return out
}
