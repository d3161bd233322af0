package versions_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/versions"
)

const arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-AbCdEf"

// created is when every version was stored.
var created = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fake is one secret of Secrets Manager, with the rules of its API reference for versions, labels and tokens.
type fake struct {
	t      *testing.T
	values map[string]string // version id → value
	binary map[string]bool
	labels map[string]string // label → version id

	// hidden is how many reads of values do not see any version; stale is how many reads of labels see old ones.
	hidden, stale int
	old           map[string]string
	// before and after make the next call of an operation fail, before or after its effect. repeated makes it take
	// effect twice, as when the SDK repeats a request whose answer was lost.
	before, after map[string]error
	repeated      map[string]bool

	moves []string // label from>to
	slept time.Duration
}

func newFake(t *testing.T, labels map[string]string) *fake {
	if labels == nil {
		labels = map[string]string{}
	}
	f := &fake{t: t, values: map[string]string{}, binary: map[string]bool{}, labels: labels,
		before: map[string]error{}, after: map[string]error{}, repeated: map[string]bool{}}
	for _, id := range labels {
		f.values[id] = "secret of " + id
	}
	return f
}

func (f *fake) store(jsonKey string) *versions.Store {
	return versions.New(f, arn, jsonKey, func(ctx context.Context, d time.Duration) error {
		f.slept += d
		return ctx.Err()
	})
}

// call runs an operation with its faults.
func (f *fake) call(op string, id *string, effect func() error) error {
	if id == nil || *id != arn {
		f.t.Errorf("%s: not for our secret", op)
	}
	if err := f.before[op]; err != nil {
		delete(f.before, op)
		return err
	}
	if f.repeated[op] {
		delete(f.repeated, op)
		if err := effect(); err != nil {
			return err
		}
	}
	if err := effect(); err != nil {
		return err
	}
	err := f.after[op]
	delete(f.after, op)
	return err
}

func (f *fake) stagesOf(id string) []string {
	var out []string
	for label, at := range f.labels {
		if at == id {
			out = append(out, label)
		}
	}
	slices.Sort(out)
	return out
}

func (f *fake) DescribeSecret(_ context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	out := &secretsmanager.DescribeSecretOutput{VersionIdsToStages: map[string][]string{}}
	err := f.call("DescribeSecret", in.SecretId, func() error {
		labels := f.labels
		if f.stale > 0 {
			f.stale--
			labels = f.old
		}
		for label, id := range labels {
			out.VersionIdsToStages[id] = append(out.VersionIdsToStages[id], label)
		}
		return nil
	})
	return out, err
}

func (f *fake) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	out := &secretsmanager.GetSecretValueOutput{VersionId: in.VersionId}
	err := f.call("GetSecretValue", in.SecretId, func() error {
		if in.VersionStage != nil {
			f.t.Error("a value was read by label")
		}
		id := f.labels["AWSCURRENT"]
		if in.VersionId != nil {
			id = *in.VersionId
		}
		v, ok := f.values[id]
		if f.hidden > 0 {
			f.hidden--
			ok = false
		}
		if !ok {
			return &types.ResourceNotFoundException{}
		}
		if f.binary[id] {
			out.SecretBinary = []byte(v)
			return nil
		}
		out.SecretString, out.CreatedDate = &v, &created
		return nil
	})
	return out, err
}

func (f *fake) PutSecretValue(_ context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	out := &secretsmanager.PutSecretValueOutput{VersionId: in.ClientRequestToken}
	err := f.call("PutSecretValue", in.SecretId, func() error {
		if !slices.Equal(in.VersionStages, []string{"AWSPENDING"}) {
			f.t.Errorf("stored with stages %v", in.VersionStages)
		}
		old, exists := f.values[*in.ClientRequestToken]
		if exists && old != *in.SecretString {
			return &types.ResourceExistsException{}
		}
		if !exists { // a repeat is ignored: it does not move labels either
			f.values[*in.ClientRequestToken] = *in.SecretString
			f.labels["AWSPENDING"] = *in.ClientRequestToken
		}
		out.VersionStages = f.stagesOf(*in.ClientRequestToken)
		return nil
	})
	return out, err
}

func (f *fake) UpdateSecretVersionStage(_ context.Context, in *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	err := f.call("UpdateSecretVersionStage", in.SecretId, func() error {
		label, from := *in.VersionStage, ""
		if in.RemoveFromVersionId != nil {
			from = *in.RemoveFromVersionId
		}
		if f.labels[label] != from {
			return &types.InvalidParameterException{}
		}
		to := ""
		if in.MoveToVersionId != nil {
			to = *in.MoveToVersionId
			if _, ok := f.values[to]; !ok {
				return &types.ResourceNotFoundException{}
			}
		}
		f.moves = append(f.moves, label+" "+from+">"+to)
		f.set(label, to)
		if label == "AWSCURRENT" && from != "" {
			f.set("AWSPREVIOUS", from)
		}
		return nil
	})
	return &secretsmanager.UpdateSecretVersionStageOutput{}, err
}

func (f *fake) set(label, id string) {
	if id == "" {
		delete(f.labels, label)
		return
	}
	f.labels[label] = id
}

func lost() error {
	return &smithy.GenericAPIError{Code: "InternalServiceError", Fault: smithy.FaultServer}
}
