package guarantees_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/fault"
)

// scheduled has the client's schedules for a while, and lets that of the rotation start one at once.
func (w *world) scheduled(d time.Duration) {
	w.t.Helper()
	done := make(chan error, 1)
	w.clock.Go(func() { // busy, so that no time passes before and after
		err := w.CreateSchedules(context.Background())
		err = errors.Join(err, w.setSchedule(scenario.Client, types.ScheduleStateEnabled),
			w.clock.Sleep(context.Background(), d))
		err = errors.Join(err, w.setSchedule(scenario.Client, types.ScheduleStateDisabled))
		done <- errors.Join(err, w.setSchedule(scenario.Client+".measure", types.ScheduleStateDisabled))
	})
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

// setSchedule gives a schedule a rate, which starts at once, or pauses it.
func (w *world) setSchedule(name string, state types.ScheduleState) error {
	api, group := scheduler.NewFromConfig(w.Stack.AWS(scenario.Home)), aws.String(scenario.MachineName)
	s, err := api.GetSchedule(context.Background(), &scheduler.GetScheduleInput{GroupName: group, Name: &name})
	if err != nil {
		return err
	}
	_, err = api.UpdateSchedule(context.Background(), &scheduler.UpdateScheduleInput{GroupName: group, Name: &name,
		State:              state,
		ScheduleExpression: aws.String("rate(30 days)"), FlexibleTimeWindow: s.FlexibleTimeWindow, Target: s.Target})
	return err
}

// EventBridge Scheduler delivers at least once, for as long as it tries again: here the reply to the first start is
// lost, and Step Functions cannot be asked for a while.
func TestAStartDeliveredTwiceRotatesOnce(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]int{"at once": 0, "after three quarters of an hour": 15} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			start := fault.Rule{Service: "states", Operation: "StartExecution",
				Match: `\"client\":\"orders-web\",\"reason`}
			lost, away := start, start
			lost.Mode, lost.Times = fault.Lose, 1
			w.fault(lost)
			if refused > 0 {
				away.Mode, away.Status, away.Skip, away.Times = fault.Refuse, 503, 1, refused
				w.fault(away)
			}
			w.scheduled(2 * time.Hour)
			list, err := w.sfn().ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &w.MachineARN})
			if err != nil {
				t.Fatal(err)
			}
			ends := map[string]int{}
			for _, e := range list.Executions {
				r := w.wait(*e.ExecutionArn)
				ends[string(r.Status)+text(r.Error)]++
			}
			// the third is the measurement
			if ends[string(asl.Succeeded)] != 2 || ends[string(asl.Failed)+"LockHeld"] != 1 ||
				len(list.Executions) != 3 {
				t.Errorf("ended as %v", ends)
			}
			if d := w.Stack.Scheduler.Deliveries(); d[len(d)-1].Attempts != 2+refused {
				t.Errorf("delivered %+v", d)
			}
			if _, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN); err != nil ||
				len(values) != 2 {
				t.Errorf("there are %d versions: %v", len(values), err)
			}
			w.atRest()
		})
	}
}
