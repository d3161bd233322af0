package fault_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/fault"
)

func add(t *testing.T, i *fault.Injector, r fault.Rule) int {
	t.Helper()
	id, err := i.Add(r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestInjectorWithoutFaultsLetsEverythingThrough(t *testing.T) {
	t.Parallel()
	var none *fault.Injector
	if got := none.Decide("ssm", "GetParameter", ""); got != (fault.Outcome{}) {
		t.Errorf("no injector: %+v", got)
	}
	if got := (&fault.Injector{}).Decide("ssm", "GetParameter", ""); got != (fault.Outcome{}) {
		t.Errorf("no faults: %+v", got)
	}
}

func TestFaultHitsOnlyTheRequestsItDescribes(t *testing.T) {
	t.Parallel()
	refused := fault.Outcome{Refuse: true, Status: 403, Code: "AccessDenied"}
	for name, c := range map[string]struct {
		operation, match         string
		service, called, request string
		want                     fault.Outcome
	}{
		"the same operation": {"ModifyRule", "", "elasticloadbalancing", "ModifyRule", "RuleArn=a", refused},
		"another operation": {"ModifyRule", "", "elasticloadbalancing", "ModifyListener",
			"RuleArn=a", fault.Outcome{}},
		"another service": {"ModifyRule", "", "ssm", "ModifyRule", "RuleArn=a", fault.Outcome{}},
		"every operation": {"*", "", "elasticloadbalancing", "DescribeRules", "", refused},
		"a text that holds the match": {"*", "RuleArn=a", "elasticloadbalancing", "ModifyRule",
			"x RuleArn=a y", refused},
		"a text that does not hold it": {"*", "RuleArn=a", "elasticloadbalancing", "ModifyRule",
			"RuleArn=b", fault.Outcome{}},
		"a prefix of an operation name": {"Modify", "", "elasticloadbalancing", "ModifyRule", "", fault.Outcome{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := &fault.Injector{}
			add(t, i, fault.Rule{Service: "elasticloadbalancing", Operation: c.operation, Match: c.match,
				Mode: fault.Refuse, Status: 403, Code: "AccessDenied"})
			if got := i.Decide(c.service, c.called, c.request); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestFaultSkipsTheFirstRequestsAndEndsAfterSoMany(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		skip, times int
		want        string // one letter for each of five matching requests
	}{
		"every one":               {0, 0, "xxxxx"},
		"the first":               {0, 1, "x----"},
		"the second and third":    {1, 2, "-xx--"},
		"all but the first three": {3, 0, "---xx"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := &fault.Injector{}
			add(t, i, fault.Rule{Service: "ssm", Operation: "GetParameter", Match: "orders", Skip: c.skip,
				Times: c.times, Mode: fault.Lose})
			got := ""
			for range 5 {
				i.Decide("ssm", "GetParameter", "another one, which does not count")
				if i.Decide("ssm", "GetParameter", "orders").Lose {
					got += "x"
				} else {
					got += "-"
				}
			}
			if got != c.want {
				t.Errorf("hit %s, want %s", got, c.want)
			}
		})
	}
}

func TestRefusalWithoutStatusAndCodeIsAnInternalFailure(t *testing.T) {
	t.Parallel()
	i := &fault.Injector{}
	add(t, i, fault.Rule{Service: "ssm", Operation: "*", Mode: fault.Refuse})
	if got := i.Decide("ssm", "GetParameter",
		""); got != (fault.Outcome{Refuse: true, Status: 500, Code: "InternalFailure"}) {
		t.Errorf("got %+v", got)
	}
}

func TestFaultsInForceTogetherAddUp(t *testing.T) {
	t.Parallel()
	i := &fault.Injector{}
	add(t, i, fault.Rule{Service: "ssm", Operation: "*", Mode: fault.Delay, Latency: time.Second})
	add(t, i, fault.Rule{Service: "ssm", Operation: "GetParameter", Mode: fault.Delay, Latency: time.Minute})
	lose := add(t, i, fault.Rule{Service: "ssm", Operation: "*", Mode: fault.Lose})
	if got := i.Decide("ssm", "GetParameter", ""); got != (fault.Outcome{Delay: 61 * time.Second, Lose: true}) {
		t.Errorf("got %+v", got)
	}
	if !i.Remove(lose) || i.Remove(lose) {
		t.Error("a fault ends once")
	}
	if got := i.Decide("ssm", "GetParameter", ""); got != (fault.Outcome{Delay: 61 * time.Second}) {
		t.Errorf("after one ended: %+v", got)
	}
	i.Clear()
	if got := i.Decide("ssm", "GetParameter", ""); got != (fault.Outcome{}) {
		t.Errorf("after all ended: %+v", got)
	}
}

func TestRuleThatCannotDoWhatItSaysIsRefused(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]fault.Rule{
		"service and operation":               {Operation: "*", Mode: fault.Lose},
		"service and operation must be given": {Service: "ssm", Mode: fault.Lose},
		`mode "" is not one of`:               {Service: "ssm", Operation: "*"},
		`mode "explode" is not one of`:        {Service: "ssm", Operation: "*", Mode: "explode"},
		"needs latencyNanos":                  {Service: "ssm", Operation: "*", Mode: fault.Delay},
		"latencyNanos is for mode delay":      {Service: "ssm", Operation: "*", Mode: fault.Refuse, Latency: 1},
		"status and code are for mode refuse": {Service: "ssm", Operation: "*", Mode: fault.Lose, Status: 500},
		"are for mode refuse, not delay": {Service: "ssm", Operation: "*", Mode: fault.Delay, Latency: 1,
			Code: "x"},
		"status 42 is not an HTTP error":         {Service: "ssm", Operation: "*", Mode: fault.Refuse, Status: 42},
		"status 200 is not an HTTP error":        {Service: "ssm", Operation: "*", Mode: fault.Refuse, Status: 200},
		"skip and times must not be negative":    {Service: "ssm", Operation: "*", Mode: fault.Lose, Skip: -1},
		"fault: skip and times must not be nega": {Service: "ssm", Operation: "*", Mode: fault.Lose, Times: -1},
	} {
		i := &fault.Injector{}
		if _, err := i.Add(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", r, err, want)
		}
		if got := string(i.List()); got != "[]" {
			t.Errorf("%+v is in force: %s", r, got)
		}
	}
}

func TestListShowsEachFaultWithItsNumberAndHowOftenItMatched(t *testing.T) {
	t.Parallel()
	i := &fault.Injector{}
	add(t, i, fault.Rule{Service: "ssm", Operation: "*", Mode: fault.Lose, Times: 1})
	second := add(t, i, fault.Rule{Service: "idp", Operation: "okta.createSecret", Mode: fault.Refuse, Status: 503})
	i.Remove(1)
	for range 3 {
		i.Decide("idp", "okta.createSecret", "")
	}
	var got []struct {
		ID, Seen int
		fault.Rule
	}
	if err := json.Unmarshal(i.List(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].ID != second || got[0].Seen != 3 || got[0].Operation != "okta.createSecret" ||
		got[0].Status != 503 {
		t.Errorf("listed %+v", got)
	}
}

func TestObserversHearOfEveryRequest(t *testing.T) {
	t.Parallel()
	i := &fault.Injector{}
	var mu sync.Mutex
	heard := map[string]int{}
	i.Observe(func(service, operation, text string) {
		mu.Lock()
		defer mu.Unlock()
		heard[service+":"+operation+" "+text]++
		i.List() // an observer may ask the injector
	})
	add(t, i, fault.Rule{Service: "ssm", Operation: "*", Mode: fault.Refuse})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { i.Decide("ssm", "GetParameter", "x") })
	}
	i.Decide("states", "StartExecution", "y")
	all.Wait()
	if heard["ssm:GetParameter x"] != 8 || heard["states:StartExecution y"] != 1 || len(heard) != 2 {
		t.Errorf("heard %v", heard)
	}
}
