package bench

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/fault"
)

// A thousand clients within the limits of an account are as many as these within a small part of them.
func TestClientsWaitForEachOther(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes some ten seconds")
	}
	const n = 25
	for name, c := range map[string]struct {
		// fails is the state that fails, if one does.
		fails string
		more  string
		// then is more of a second input, two hours after the first.
		then string
		ends map[string]int
	}{
		"rotations":                     {ends: map[string]int{succeeded: n}},
		"rollbacks":                     {fails: "TestSecret", ends: map[string]int{"RolledBack": n}},
		"emergencies in a grace period": {then: leaked, ends: map[string]int{succeeded: n, "TakenOver": n}},
		"emergencies that fail":         {fails: "TestBeforeFinish", more: leaked, ends: map[string]int{"RolledBack": n}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := awsLimits()
			for i := range limits {
				limits[i].burst, limits[i].refill = max(1, limits[i].burst*n/1000), limits[i].refill*n/1000
			}
			w, err := newCrowd(t.Context(), n, limits, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			if c.fails != "" {
				if _, err := w.Stack.Faults.Add(fault.Rule{Service: "lambda", Operation: "Invoke", Mode: fault.Refuse,
					Match: `"state":"` + c.fails + `"`, Status: 403, Code: "AccessDeniedException"}); err != nil {
					t.Fatal(err)
				}
			}
			executions, err := w.startAll(t.Context(), 0, c.more)
			if err == nil && c.then != "" {
				var more []string
				more, err = w.startAll(t.Context(), 2*time.Hour, c.then)
				executions = append(executions, more...)
			}
			if err != nil {
				t.Fatal(err)
			}
			ends, others, err := w.waitAll(t.Context(), executions)
			if err != nil {
				t.Fatal(err)
			}
			if refused := w.refused(); !maps.Equal(ends, c.ends) || refused > 0 || w.gate.throttled < 10*n {
				t.Errorf("they end as %v, %d logins have a refused secret, %d requests were throttled:\n%s", ends,
					refused, w.gate.throttled, strings.Join(others, "\n"))
			}
			if locked := w.locked(t.Context(), t); len(locked) > 0 {
				t.Errorf("the locks of %v are held", locked)
			}
		})
	}
}

const leaked = `, "emergency": true, "reason": "a leak"`

// locked are the clients whose lock is held.
func (c *crowd) locked(ctx context.Context, t *testing.T) []string {
	t.Helper()
	api := dynamodb.NewFromConfig(c.Stack.AWS(scenario.Home))
	return slices.DeleteFunc(slices.Clone(c.names), func(name string) bool {
		out, err := api.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(scenario.JournalTable),
			Key: map[string]ddbtypes.AttributeValue{"client": &ddbtypes.AttributeValueMemberS{Value: name}}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Item["owner"] == nil
	})
}
