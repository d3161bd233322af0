package guarantees_test

import (
	"context"
	"io"

	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/clock"
	"alboidc.internal/local/inprocess"
	"alboidc.internal/local/orders"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/stepfunctions"
)

func TestFirst(t *testing.T) {
	c := clock.NewVirtual(time.Now())
	s, err := stack.Start(context.Background(), stack.Options{Clock: c, OnEvent: func(_ string, e stepfunctions.Event) {
		name := ""
		if e.StateEntered != nil {
			name = e.StateEntered.Name
		}
		t.Log(e.ID, e.Type, name, e.TaskFailed)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var logs io.Writer = io.Discard
	fns, err := inprocess.Register(s, logs)
	if err != nil {
		t.Fatal(err)
	}
	d, err := orders.Deploy(context.Background(), s, orders.Options{Functions: fns, Settle: 75 * time.Second, Spread: 60 * time.Second, Grace: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(s.ELB.Spread())
	out, err := sfn.NewFromConfig(s.AWS(orders.Home)).StartExecution(context.Background(), &sfn.StartExecutionInput{StateMachineArn: &d.MachineARN, Input: aws.String(`{"client":"orders-web"}`)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.StepFunctions.Wait(context.Background(), *out.ExecutionArn)
	t.Log(r.Status, string(r.Output), err)
	if r.Error != nil {
		t.Log(*r.Error, *r.Cause)
	}
	n, _ := s.StepFunctions.Transitions(*out.ExecutionArn)
	t.Log("transitions", n, s.IdP.Store().Secrets(orders.ClientID))
}
