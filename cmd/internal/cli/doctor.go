package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/doctor"
	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/rotation"
)

func (a *app) doctor() *cobra.Command {
	var file string
	var regions []string
	c := &cobra.Command{Use: "doctor [CLIENT…]", Short: "Look for what is wrong around the stack and its clients",
		Long: "Looks by your own rights at what rotations rest on: rights (simulated by IAM, or else by a dry " +
			"run), load " +
			"balancers,\nsecrets and keys, functions, schedules, alarms, subscriptions, trails, and what executions " +
			"have left. " +
			"A measurement of each\nclient asks whether the secret can be read, has the right form and is accepted; " +
			"nothing else is started, nothing is changed,\nand no secret is read. What may not be looked at is a " +
			"finding, too.\n" +
			"Exit code 1: there is an error, or something could not be looked at.",
		ValidArgsFunction: a.completeClients,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			clients, err := a.named(cmd.Context(), s, args)
			if err != nil {
				return err
			}
			d := doctor.Doctor{System: s, Regions: regions, Now: a.Now, Measure: a.examine(s)}
			found, err := d.Examine(cmd.Context(), clients)
			if err != nil {
				return err
			}
			if file != "" {
				differences, err := differences(file, clients)
				if err != nil {
					return err
				}
				found = append(found, differences...)
			}
			return a.printFound(s, len(clients), found)
		}}
	c.Flags().StringSliceVar(&regions, "regions", nil,
		"Regions to search for load balancers, besides those of the clients")
	c.Flags().StringVar(&file, "file", "", "compare what is deployed with this clients.yaml, too")
	return c
}

// examine finds what status says of a client, and what a measurement, or a dry run, finds.
func (a *app) examine(s *system.System) func(ctx context.Context, c config.Client, all bool) []doctor.Finding {
	return func(ctx context.Context, c config.Client, all bool) (out []doctor.Finding) {
		client := c.Name
		add := func(severity, check, remedy, text string) {
			out = append(out, doctor.Finding{Client: client, Severity: severity, Check: check, Text: text,
				Remedy: remedy})
		}
		switch st, err := words.StatusOf(ctx, s, c, a.Now()); {
		case err != nil:
			add(doctor.Unknown, "rotation", "run rotator doctor again, or see rotator status "+client,
				"could not look at its rotations: "+err.Error())
		case st.Condition == words.Degraded:
			add(doctor.Error, "rotation", "rotator explain "+client, st.Reason)
		}
		check, request := "measurement", rotation.Request{Client: client, Measure: true}
		if all {
			check, request = "dry run", rotation.Request{Client: client, DryRun: true}
		}
		id, err := s.Start(ctx, request, a.Now())
		if err != nil {
			add(doctor.Unknown, check,
				"allow states:StartExecution to your role; the policy of output OperatorsPolicy does",
				"could not ask whether the secret is accepted: "+err.Error())
			return out
		}
		e, err := a.await(ctx, s, id)
		switch {
		case err != nil:
			add(doctor.Unknown, check, "rotator explain "+words.Name(id), "could not see how it ended: "+err.Error())
		case all && e.Status != "SUCCEEDED":
			add(doctor.Error, check, "rotator explain "+words.Name(id), cmp.Or(words.FindMessage(e.Cause), e.Error,
				e.Status))
		case !all:
			out = append(out, measured(client, e, a.Now())...)
		}
		return out
	}
}

// soon is from when on doctor warns of a secret that the identity provider ends by itself: some start out with an end.
const soon = 30 * 24 * time.Hour

// measured returns what a measurement found.
func measured(client string, e system.Execution, now time.Time) (out []doctor.Finding) {
	m, why := words.ReadMeasured(e)
	if why != "" {
		return []doctor.Finding{{Client: client, Severity: doctor.Error, Check: "measurement",
			Text: "it could not be measured: " + why, Remedy: "mend what it says, then: rotator measure " + client}}
	}
	add := func(severity, remedy, format string, args ...any) {
		out = append(out, doctor.Finding{Client: client, Severity: severity, Check: "measurement",
			Text: fmt.Sprintf(format, args...), Remedy: remedy})
	}
	if !m.SecretAccepted {
		add(doctor.Error, "try a login at once; store the secret that the load balancers use: rotator adopt "+client+
			" --prompt; see docs/runbook.md#alarms", "the identity provider refuses AWSCURRENT: logins may be failing")
	}
	if m.RotationRefused != "" {
		add(doctor.Error, "mend what it says, then see: rotator plan "+client, "the next rotation would be refused: %s",
			m.RotationRefused)
	}
	if end, err := time.Parse(time.RFC3339, m.SecretEnds); err == nil && end.Sub(now) < soon {
		add(doctor.Warning, "see that a rotation is through before: rotator status "+client,
			"the identity provider ends the secret in use by itself at %s", m.SecretEnds)
	}
	return out
}

// differences are between a clients.yaml and what is deployed of the clients.
func differences(path string, clients []system.Parameter) ([]doctor.Finding, error) {
	file, findings, err := clientsfile.Read(path)
	if err == nil {
		err = findings.Err()
	}
	if err != nil {
		return nil, &system.Error{Text: err.Error()}
	}
	var out []doctor.Finding
	for _, p := range clients {
		i := slices.IndexFunc(file.Clients, func(c clientsfile.Client) bool { return c.Name == p.Name })
		f := doctor.Finding{Client: p.Name, Severity: doctor.Warning, Check: "configuration",
			Remedy: "make diff shows it; make deploy"}
		switch {
		case i < 0:
			f.Text = path + " does not have this client, which is deployed"
			out = append(out, f)
		case p.Problem == nil:
			wanted := file.Clients[i].Client
			if file.Clients[i].CreateSecret {
				wanted.Secret.ARN = p.Secret.ARN // known when it is deployed
			}
			if fields := differ(wanted, p.Client); len(fields) > 0 {
				f.Text = "what is deployed differs from " + path + " in " + strings.Join(fields, ", ")
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// differ names the fields of a configuration that two have otherwise.
func differ(a, b any) (out []string) {
	fields := func(v any) (all map[string]any) {
		text, _ := json.Marshal(v) // a configuration that was read can be written
		_ = json.Unmarshal(text, &all)
		return all
	}
	x, y := fields(a), fields(b)
	for name := range y {
		if _, both := x[name]; !both {
			x[name] = nil
		}
	}
	for name := range x {
		if !reflect.DeepEqual(x[name], y[name]) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// printFound prints findings, those of the stack first, the gravest of each client first.
func (a *app) printFound(s *system.System, clients int, found []doctor.Finding) error {
	rank := []string{doctor.Error, doctor.Unknown, doctor.Warning, doctor.Note}
	slices.SortStableFunc(found, func(x, y doctor.Finding) int {
		if x.Client != y.Client {
			return strings.Compare(x.Client, y.Client)
		}
		return slices.Index(rank, x.Severity) - slices.Index(rank, y.Severity)
	})
	found = slices.Compact(found)
	if !a.forPeople() {
		if found == nil {
			found = []doctor.Finding{}
		}
		if err := a.write(found); err != nil {
			return err
		}
	} else if !slices.ContainsFunc(found, func(f doctor.Finding) bool { return f.Severity != doctor.Note }) {
		a.print("stack %s and %d clients: nothing is wrong", s.Stack, clients)
	}
	grave := false
	for _, f := range found {
		grave = grave || f.Severity != doctor.Warning && f.Severity != doctor.Note
		if a.forPeople() {
			who := f.Client
			if who == "" {
				who = "stack " + s.Stack
			}
			a.print("%s: %s: %s: %s\n  remedy: %s", f.Severity, who, f.Check, words.OneLine(f.Text),
				words.OneLine(f.Remedy))
		}
	}
	if grave {
		return errNotWell
	}
	return nil
}
