// Command bootstrap is a Lambda function (runtime provided.al2023) that speaks to an imaginary identity provider, Acme,
// for type lambda: an example to start from. It needs no package but those of Go. Without Lambda's runtime around it,
// it answers one request from its standard input, for rotator conformance --exec.
//
// It logs no request, no answer and no error text of the provider: each may hold a secret.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	// The credential should come from Secrets Manager in a real function; it is read once for each process.
	provider := acme{url: os.Getenv("ACME_URL"), token: os.Getenv("ACME_TOKEN"),
		http: &http.Client{Timeout: 8 * time.Second}}
	runtime := os.Getenv("AWS_LAMBDA_RUNTIME_API")
	if runtime == "" {
		request, err := io.ReadAll(os.Stdin)
		if err != nil {
			os.Exit(1)
		}
		_, _ = os.Stdout.Write(provider.handle(context.Background(), request))
		return
	}
	for {
		if err := serve(provider, "http://"+runtime+"/2018-06-01/runtime/invocation/"); err != nil {
			fmt.Fprintln(os.Stderr, "the runtime does not answer")
			os.Exit(1)
		}
	}
}

// serve carries out one invocation (Lambda developer guide, "Using the Lambda runtime API for custom runtimes").
func serve(provider acme, invocation string) error {
	next, err := http.Get(invocation + "next")
	if err != nil {
		return err
	}
	defer next.Body.Close()
	request, err := io.ReadAll(next.Body)
	if err != nil {
		return err
	}
	answer := provider.handle(context.Background(), request)
	done, err := http.Post(invocation+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json",
		bytes.NewReader(answer))
	if err != nil {
		return err
	}
	return done.Body.Close()
}
