package record

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// Whoever starts an execution may write anything into its input, which records keep for years.
func TestOnlyTheARNOfAFleetIsKept(t *testing.T) {
	t.Parallel()
	const fleet = "arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator-fleet:fleet-x"
	for given, want := range map[string]string{fleet: fleet, "": "", "a secret": "", fleet + "\n": "",
		strings.Repeat("<", 100_000): "", fleet + strings.Repeat("x", 100_000): fleet} {
		input, err := json.Marshal(map[string]string{"client": "orders-web", "fleet": given})
		if err != nil {
			t.Fatal(err)
		}
		h := NewHistory("arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator:x")
		h.Add(types.HistoryEvent{Timestamp: aws.Time(time.Now()), Type: types.HistoryEventTypeExecutionStarted,
			ExecutionStartedEventDetails: &types.ExecutionStartedEventDetails{Input: aws.String(string(input))}})
		got := h.record.Fleet
		if (got == "") != (want == "") || !strings.HasPrefix(got, want) || len(got) > 3000 {
			t.Errorf("of %.100q %.100q is kept", given, got)
		}
	}
}
