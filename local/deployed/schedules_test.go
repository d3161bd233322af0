package deployed_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/fault"
)

// resolved is a value of the template with what CloudFormation resolves in it resolved.
func (tpl template) resolved(t *testing.T, v any) any {
	t.Helper()
	if list, ok := v.([]any); ok {
		out := make([]any, len(list))
		for i, x := range list {
			out[i] = tpl.resolved(t, x)
		}
		return out
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	if m["Ref"] != nil || m["Fn::GetAtt"] != nil || m["Fn::Join"] != nil {
		return tpl.text(t, v)
	}
	out := map[string]any{}
	for name, value := range m {
		out[name] = tpl.resolved(t, value)
	}
	return out
}

// input is what a schedule of the template starts executions with.
func (tpl template) input(t *testing.T, schedule string) string {
	t.Helper()
	return *tpl.schedule(t, schedule).Target.Input
}

// schedule is the call that CloudFormation makes for a schedule: its properties are the call's parameters.
func (tpl template) schedule(t *testing.T, name string) *scheduler.CreateScheduleInput {
	t.Helper()
	properties, err := json.Marshal(tpl.resolved(t, tpl.properties(t, "AWS::Scheduler::Schedule", "Name", name)))
	if err != nil {
		t.Fatal(err)
	}
	in := &scheduler.CreateScheduleInput{}
	d := json.NewDecoder(bytes.NewReader(properties))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return in
}

// deploySchedules creates the template's schedules of the example's client, paused.
func (w *world) deploySchedules(t *testing.T) {
	t.Helper()
	api := scheduler.NewFromConfig(w.Stack.AWS(scenario.Home))
	group := w.tpl.schedule(t, scenario.Client).GroupName
	if _, err := api.CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: group}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{scenario.Client, scenario.Client + ".measure"} {
		in := w.tpl.schedule(t, name)
		in.State = types.ScheduleStateDisabled
		if _, err := api.CreateSchedule(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
}

// during resumes schedules, lets time pass, and pauses them again.
func (w *world) during(t *testing.T, d time.Duration, names ...string) {
	t.Helper()
	api := scheduler.NewFromConfig(w.Stack.AWS(scenario.Home))
	set := func(state types.ScheduleState) (err error) {
		for _, name := range names {
			in := scheduler.UpdateScheduleInput(*w.tpl.schedule(t, name))
			in.State = state
			_, failed := api.UpdateSchedule(t.Context(), &in)
			err = errors.Join(err, failed)
		}
		return err
	}
	done := make(chan error, 1)
	w.Stack.Clock.Go(func() { // busy, so that no time passes before and after
		err := set(types.ScheduleStateEnabled)
		err = errors.Join(err, w.Stack.Clock.Sleep(t.Context(), d))
		done <- errors.Join(err, set(types.ScheduleStateDisabled))
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// scheduled is how an execution ends that a schedule of the template starts.
func (w *world) scheduled(t *testing.T, schedule string) asl.Result {
	t.Helper()
	if got := *w.tpl.schedule(t, schedule).Target.Arn; got != started {
		t.Errorf("the schedule %s starts %s", schedule, got)
	}
	w.during(t, 16*time.Minute, schedule) // a flexible time window has 15
	all := w.Stack.Scheduler.Deliveries()
	if len(all) == 0 {
		t.Fatalf("%s started nothing", schedule)
	}
	result, err := w.Stack.StepFunctions.Wait(t.Context(), all[len(all)-1].ExecutionARN)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestTheSchedulesRotateMonthlyAndMeasureDaily(t *testing.T) {
	t.Parallel()
	w := newWorld(t, readTemplate(t))
	begin := w.Stack.Clock.Now()
	const day = 24 * time.Hour
	w.during(t, 30*day+time.Hour, scenario.Client, scenario.Client+".measure")
	starts := map[string][]time.Duration{}
	for _, d := range w.Stack.Scheduler.Deliveries() {
		result, err := w.Stack.StepFunctions.Wait(t.Context(), d.ExecutionARN)
		if err != nil || result.Status != asl.Succeeded || strings.Contains(string(result.Output), "notMeasured") {
			t.Errorf("%s at %s ended as %s %s: %v", d.Schedule, d.At, result.Status, result.Output, err)
		}
		name := d.Schedule[strings.LastIndex(d.Schedule, "/")+1:]
		starts[name] = append(starts[name], d.At.Sub(begin))
	}
	const window = 450 * time.Second // the middle of 15 minutes
	want := map[string][]time.Duration{scenario.Client: {window, 30*day + window}}
	for i := range 31 {
		want[scenario.Client+".measure"] = append(want[scenario.Client+".measure"], time.Duration(i)*day)
	}
	if !reflect.DeepEqual(starts, want) {
		t.Errorf("started %v, want %v", starts, want)
	}
	if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 1 || live[0].ID == w.FirstSecretID {
		t.Errorf("the identity provider holds %+v", live)
	}
}

// EventBridge Scheduler delivers at least once. The second execution finds the lock held, and nobody has to hear of it.
func TestAStartThatIsDeliveredTwiceIsOneRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, readTemplate(t))
	w.deployRule(t, "notifier", w.deployNotifier(t))
	if _, err := w.Stack.Faults.Add(fault.Rule{Service: "states", Operation: "StartExecution", Mode: fault.Lose,
		Times: 1}); err != nil {
		t.Fatal(err)
	}
	if r := w.scheduled(t, scenario.Client); r.Status != asl.Failed || *r.Error != "LockHeld" {
		t.Errorf("the second ended as %+v", r)
	}
	w.pass(t, 2*time.Hour)
	if got := w.executions(t, w.MachineARN); len(got) != 2 || got[0] != got[1] {
		t.Errorf("started are %v", got)
	}
	if n := w.notices(t); len(n) != 1 || n[0].Outcome != "rotated" {
		t.Errorf("told is %+v", n)
	}
}
