package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"alboidc.internal/cmd/internal/cli"
)

// terminal opens a pseudo-terminal: what the person has, and what the program reads.
func terminal(t *testing.T) (person int, program *os.File) {
	t.Helper()
	person, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("this machine has no pseudo-terminals")
	}
	t.Cleanup(func() { _ = unix.Close(person) }) // which ends a read that is left
	number, err := unix.IoctlGetInt(person, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(person, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, program
}

// A secret that is typed does not show, and whatever ends the question leaves a terminal that shows what is typed.
func TestASecretIsAskedForWithoutShowingIt(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		labels, values := w.stored()
		value := values[labels["AWSCURRENT"]]
		for typed, c := range map[string]struct {
			code int
			says string
		}{
			value + "\r":         {0, `has this secret already`},
			value[:5] + "\x03":   {130, `interrupted`}, // Ctrl-C
			"(a signal ends it)": {130, `interrupted`},
		} {
			person, program := terminal(w.T)
			ctx, interrupt := context.WithCancel(context.Background())
			defer interrupt()
			seen := &answering{answer: func() { _, _ = unix.Write(person, []byte(typed)) }}
			if typed[0] == '(' {
				seen.answer = interrupt
			}
			code := cli.Run(ctx, cli.Machine{In: program, Out: seen, Err: seen, Now: w.clock.Now, Sleep: w.clock.Sleep},
				[]string{"adopt", "orders-web", "--prompt", "--local", strings.TrimPrefix(w.Stack.URL, "http://")})
			w.want(code, c.code, seen.String(), "", c.says)
			echo := make([]byte, 1000)
			n, _ := unix.Read(person, echo)
			if strings.Contains(string(echo[:max(n, 0)])+seen.String(), typed[:5]) {
				w.Errorf("%q shows", typed)
			}
			state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
			if err != nil || state.Lflag&unix.ECHO == 0 {
				w.Errorf("after %q the terminal does not show what is typed any more (%v)", typed, err)
			}
		}
	})
}

// answering is what a person sees, who answers the question once.
type answering struct {
	bytes.Buffer
	answer func()
}

func (a *answering) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "(not shown)") && a.answer != nil {
		a.answer()
		a.answer = nil
	}
	return a.Buffer.Write(p)
}
