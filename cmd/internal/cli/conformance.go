package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/trial"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/lambda"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

// tried is what conformance is asked to try, and with which client.
type tried struct {
	function, program, address string
	issuer, clientID, second   string
	tokenEndpoint, authMethod  string
	callback                   string
	throwAway                  bool
}

func (a *app) conformance() *cobra.Command {
	var t tried
	c := &cobra.Command{Use: "conformance", Short: "Try a function of yours for an identity provider (type lambda)",
		Long: "Runs the suite that every adapter passes against a Lambda function that speaks to an " +
			"identity provider, " +
			"with a client\nmade for it: ALL SECRETS OF THAT CLIENT ARE REMOVED, and new ones made and " +
			"removed, over and " +
			"over. Each sentence of\nthe contract is reported; what a function has done is looked at at the token " +
			"endpoint. In the end it prints the\ncapabilities for clients.yaml. Exit code 1: something is wrong.\n\n" +
			"The function is invoked by the Lambda API (--function), or runs on this machine: a program that reads a " +
			"request and\nwrites its answer (--exec), or an HTTP server (--endpoint), such as Lambda's " +
			"runtime interface " +
			"emulator.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !t.throwAway {
				return &system.Error{
					Text: "all secrets of the client will be removed: say --throw-away if nobody needs " +
						"them, and never name a client that somebody logs in with"}
			}
			run, err := a.trial(cmd.Context(), t)
			if err != nil {
				return err
			}
			return a.try(cmd.Context(), run)
		}}
	f := c.Flags()
	f.StringVar(&t.function, "function", "", "ARN of the function, with an alias or a version")
	f.StringVar(&t.program, "exec", "", "program to run for each request, with its arguments")
	f.StringVar(&t.address, "endpoint", "", "URL to post each request to, on this machine")
	f.StringVar(&t.issuer, "issuer", "", "the identity provider's issuer")
	f.StringVar(&t.clientID, "client-id", "", "the throw-away client")
	f.StringVar(&t.second, "pair-client-id", "", "a second one like it: the two are tried as a pair")
	f.BoolVar(&t.throwAway, "throw-away", false, "nobody needs the secrets of these clients")
	f.StringVar(&t.tokenEndpoint, "token-endpoint", "", "the token endpoint (default: what the issuer's discovery "+
		"document says)")
	f.StringVar(&t.authMethod, "auth-method", "client_secret_basic", "how the client authenticates there")
	f.StringVar(&t.callback, "callback-url", "https://app.example.com/oauth2/idpresponse", "the client's redirect URI")
	c.MarkFlagsOneRequired("function", "exec", "endpoint")
	c.MarkFlagsMutuallyExclusive("function", "exec", "endpoint")
	_ = c.MarkFlagRequired("issuer")
	_ = c.MarkFlagRequired("client-id")
	return c
}

// trial prepares a trial. Only --function, and a local stack, need AWS.
func (a *app) trial(ctx context.Context, t tried) (*trial.Trial, error) {
	prober := probe.New(probe.Options{Now: a.Now, Sleep: a.Sleep})
	out := &trial.Trial{Client: idp.Client{Name: "conformance", Issuer: t.issuer, ClientID: t.clientID},
		Second: t.second,
		Now:    a.Now, Sleep: a.Sleep, Report: a.reportCase}
	s, err := a.open(ctx)
	if err == nil {
		if err := refuseClientsOf(ctx, s, t); err != nil {
			return nil, err
		}
	}
	if t.function != "" || a.options.Local != "" {
		if err != nil {
			return nil, err
		}
		if prober, err = s.Prober(ctx, a.Now, a.Sleep); err != nil {
			return nil, err
		}
		if parts := strings.Split(t.function, ":"); len(parts) == 8 {
			out.Invoke = lambda.ByLambda(s.AWS(parts[3]), t.function)
		} else if t.function != "" {
			return nil, &system.Error{
				Text: "--function must be the ARN of a Lambda function with an alias or a version"}
		}
	}
	switch {
	case t.program != "":
		words := strings.Fields(t.program)
		if len(words) == 0 {
			return nil, &system.Error{Text: "--exec must name a program"}
		}
		out.Invoke = trial.ByProgram(words[0], words[1:]...)
	case t.address != "":
		if out.Invoke, err = trial.ByHTTP(t.address); err != nil {
			return nil, &system.Error{Text: "--endpoint " + err.Error()}
		}
	}
	at := t.tokenEndpoint
	if at == "" {
		document, err := prober.Discover(ctx, t.issuer)
		if err != nil {
			return nil, &system.Error{Text: "the token endpoint is not known, give --token-endpoint: " + err.Error(),
				Unreachable: true}
		}
		at = document.TokenEndpoint
	}
	out.Ask = func(ctx context.Context, clientID string, spec idp.ProbeSpec, v secret.Value) (probe.Verdict, error) {
		return prober.Credential().Classify(ctx, probe.Endpoint{TokenEndpoint: at, ClientID: clientID,
			CallbackURL: t.callback, AuthMethod: t.authMethod, Spec: spec}, v)
	}
	return out, nil
}

// asksStack is how long the stack is asked for its clients.
const asksStack = 10 * time.Second

// refuseClientsOf refuses a client that the stack rotates: its secrets would be removed. A stack that is not there, or
// may not be read, refuses none: a function on this machine needs no AWS.
func refuseClientsOf(ctx context.Context, s *system.System, t tried) error {
	ctx, cancel := context.WithTimeout(ctx, asksStack)
	defer cancel()
	clients, _ := s.Clients(ctx)
	for _, c := range clients {
		for _, id := range []string{c.ClientID, c.IdentityProvider.ClientPair} {
			if c.Issuer == t.issuer && id != "" && (id == t.clientID || id == t.second) {
				return &system.Error{Text: fmt.Sprintf("client id %s is that of client %s in stack %s, whose secrets "+
					"would be removed: name a client that was made for the trial", id, c.Name, s.Stack)}
			}
		}
	}
	return nil
}

// try runs the trial and says how it ended.
func (a *app) try(ctx context.Context, run *trial.Trial) error {
	var cases []trial.Case
	if !a.forPeople() {
		run.Report = func(c trial.Case) { cases = append(cases, c) }
	}
	got, err := run.Run(ctx)
	if err != nil && got.Capabilities.Model == "" && ctx.Err() == nil {
		return &system.Error{Text: "the function does not say what it can do, so nothing was tried: " + err.Error()}
	}
	if !a.forPeople() {
		if err := a.write(struct {
			Cases        []trial.Case        `json:"cases"`
			Capabilities lambda.Capabilities `json:"capabilities"`
			Left         string              `json:"left,omitempty"`
		}{cases, got.Capabilities, got.Left}); err != nil {
			return err
		}
	} else {
		a.printTrial(got)
	}
	switch {
	case err != nil:
		return err
	case got.Wrong > 0:
		return errNotWell
	}
	return nil
}

func (a *app) reportCase(c trial.Case) {
	if c.Wrong == "" {
		a.print("ok     %s", c.Case)
		return
	}
	a.print("WRONG  %s\n         %s", c.Case, c.Wrong)
	if c.Contract != "" {
		a.print("         the contract: %s", c.Contract)
	}
}

func (a *app) printTrial(got trial.Result) {
	capabilities, _ := json.Marshal(got.Capabilities) // of plain fields
	a.print("\nidentityProvider.settings.capabilities: %s", capabilities)
	if got.Left != "" {
		a.print("left: %s", got.Left)
	}
	if got.Wrong > 0 {
		a.print("%d cases are wrong: the function is not fit for a client that somebody logs in with", got.Wrong)
		return
	}
	a.print("the function keeps the contract")
}
