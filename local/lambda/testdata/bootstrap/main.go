// Command bootstrap is the function that the tests of the local stack's Lambda run: it does what its event says.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string `json:"do"`
	Text string `json:"text"`
}

type answer struct {
	Text string            `json:"text,omitempty"`
	PID  int               `json:"pid"`
	Env  map[string]string `json:"env,omitempty"`
	ARN  string            `json:"arn"`
	ID   string            `json:"id"`
}

func handle(ctx context.Context, e event) (answer, error) {
	a := answer{PID: os.Getpid()}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		a.ARN, a.ID = lc.InvokedFunctionArn, lc.AwsRequestID
	}
	switch e.Do {
	case "echo":
		a.Text = e.Text
	case "env":
		a.Env = map[string]string{}
		for _, kv := range os.Environ() {
			k, v, _ := strings.Cut(kv, "=")
			a.Env[k] = v
		}
	case "fail":
		return a, messages.InvokeResponse_Error{Type: "LockHeld", Message: e.Text}
	case "fail plainly":
		return a, errors.New(e.Text)
	case "panic":
		panic(errors.New(e.Text))
	case "exit":
		os.Exit(3)
	case "hang":
		select {}
	case "visit":
		return a, visit(e.Text)
	default:
		return a, fmt.Errorf("do %q is not known", e.Do)
	}
	return a, nil
}

// visit calls a URL, which a test keeps waiting for as long as it needs.
func visit(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	fmt.Println("visited")
	return err
}

func main() {
	if os.Getenv("FAIL_INIT") != "" {
		log.Fatal("cannot start")
	}
	lambda.Start(handle)
}
