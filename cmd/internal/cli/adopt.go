package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"alboidc.internal/cmd/internal/adopt"
	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
)

func (a *app) adopt() *cobra.Command {
	var file string
	var prompt bool
	c := a.clientArg("adopt CLIENT --from-file FILE|--prompt", "Store a client secret that you bring as AWSCURRENT",
		"Proves first, from this machine, that the identity provider accepts the value, several times in a "+
			"row, and that "+
			"it refuses a\nwrong one; then stores it in the form that the client's configuration says, while "+
			"it has the "+
			"client's lock. Load balancers\nare not touched. A repeat changes nothing. The value is neither "+
			"printed nor "+
			"an argument.\n"+
			"It needs secretsmanager:DescribeSecret, GetSecretValue and PutSecretValue on the secret, "+
			"kms:Decrypt and GenerateDataKey on\nits key, and dynamodb:UpdateItem on the client's item of "+
			"the journal.\n"+
			"Exit code 1: the value is refused, or somebody else has the lock.",
		func(ctx context.Context, s *system.System, client string) error {
			if prompt == (file != "") {
				return &system.Error{
					Text: "give the value by --from-file FILE (- is the standard input) or by --prompt"}
			}
			c, err := s.Configuration(ctx, client)
			if err != nil {
				return err
			}
			if err := a.mustBeFree(ctx, s, client); err != nil { // before anybody types a secret
				return err
			}
			v, err := a.readSecret(ctx, client, file)
			if err != nil {
				return err
			}
			return a.store(ctx, s, c, v)
		})
	c.Flags().StringVar(&file, "from-file", "", "file that holds the value alone; - is the standard input")
	c.Flags().BoolVar(&prompt, "prompt", false, "ask for the value, without showing it")
	return c
}

// mustBeFree refuses while somebody has the client's lock, and says what helps.
func (a *app) mustBeFree(ctx context.Context, s *system.System, client string) error {
	r, err := s.Journal(ctx, client)
	if err != nil || r.Owner == "" {
		return err
	}
	says := "another rotator adopt is storing a secret of %s: try again in a minute. If that was killed, a rotation " +
		"takes its lock over: rotator start %[1]s"
	if !r.Adopting() {
		e, err := s.Execution(ctx, r.Owner)
		switch {
		case err != nil && !system.IsUnknown(err):
			return err
		case e.Running():
			says = "a rotation of %s runs: wait for it (rotator watch %[1]s), or stop it and have what it " +
				"leaves put right " +
				"(rotator stop %[1]s)"
		default:
			says = "an execution that ended has left the lock of %s: have what it left put right first (rotator " +
				"start %[1]s)"
		}
	}
	a.complain(fmt.Sprintf(says, client) + "; nothing was stored")
	return errNotWell
}

// store stores the value, and tells what changed.
func (a *app) store(ctx context.Context, s *system.System, c config.Client, v secret.Value) error {
	prober, err := s.Prober(ctx, a.Now, a.Sleep)
	if err != nil {
		return err
	}
	adopter := adopt.Adopter{Client: c, Store: s.Store(c, a.Sleep), Locks: s.Locks(), Prober: prober,
		Owner: s.NewOwner(c.Name, a.Now()), Now: a.Now, Sleep: a.Sleep,
		Tell: func(format string, args ...any) {
			_, _ = fmt.Fprintln(a.Err, words.Plain(fmt.Sprintf(format, args...)))
		}}
	done, err := adopter.Adopt(ctx, v)
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // whatever it looked like to what was interrupted
	}
	switch failure.KindOf(err) {
	case failure.LockLost:
		a.complain("a rotation has just begun, and has the lock: nothing was stored; rotator watch " + c.Name)
		return errNotWell
	case failure.SecretRefused, failure.NotYetActive, failure.Superseded:
		a.complain(err.Error() + "; nothing was stored")
		return errNotWell
	case failure.InvalidInput, failure.Precondition:
		return &system.Error{Text: err.Error()}
	}
	if err != nil {
		return &system.Error{Text: err.Error(), Unreachable: true}
	}
	if !a.forPeople() {
		return a.write(done)
	}
	a.printAdopted(c, done)
	return nil
}

func (a *app) printAdopted(c config.Client, done adopt.Adopted) {
	if !done.Changed {
		a.print("AWSCURRENT of %s (version %s) has this secret already, and the identity provider accepts it: "+
			"nothing was "+
			"changed", c.Name, done.Version)
		return
	}
	a.print("stored as AWSCURRENT of %s: version %s", c.Name, done.Version)
	if done.Previous != "" {
		a.print("AWSPREVIOUS is now version %s, which was AWSCURRENT", done.Previous)
	}
	if c.IsPair() {
		a.print("it is the secret of registration %s", done.ClientID)
	}
	for _, n := range done.Notices {
		a.print("note: %s", words.OneLine(n))
	}
	a.print("load balancers have what they had. See whether a rotation would begin from here: rotator plan %s; "+
		"and put it, "+
		"or its successor, on them: rotator start %[1]s", c.Name)
}

// mostSecret is more than Secrets Manager takes (API reference, PutSecretValue).
const mostSecret = 70_000

// readSecret reads the value from a file, the standard input, or a terminal.
func (a *app) readSecret(ctx context.Context, client, file string) (secret.Value, error) {
	if file == "" {
		return a.ask(ctx, "client secret of "+client+" (not shown): ")
	}
	in := a.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return secret.Value{}, &system.Error{Text: err.Error()}
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, mostSecret))
	if err == nil && len(text) == mostSecret {
		err = errors.New("it is too long for a client secret")
	}
	if err != nil {
		return secret.Value{}, &system.Error{Text: "reading the value: " + err.Error()}
	}
	return secret.New(string(text)), nil
}

// errInterrupted ends a command that was interrupted while it asked.
var errInterrupted = errors.New("interrupted")

// ask reads a line from the terminal without showing it. An interruption leaves the terminal as it was.
func (a *app) ask(ctx context.Context, question string) (secret.Value, error) {
	f, ok := a.In.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return secret.Value{}, &system.Error{
			Text: "--prompt needs a terminal: use --from-file FILE, or --from-file - " +
				"for the standard input"}
	}
	// raw before the question, so that nothing that is typed shows, however early
	before, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return secret.Value{}, &system.Error{Text: "the terminal cannot be read: " + err.Error()}
	}
	defer func() { _ = term.Restore(int(f.Fd()), before) }()
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{f, a.Err}, "").ReadPassword(question)
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return secret.Value{}, ctx.Err()
	case l := <-read:
		if l.err != nil { // Ctrl-C and Ctrl-D are no signals in a raw terminal
			return secret.Value{}, errInterrupted
		}
		return secret.New(l.text), nil
	}
}
