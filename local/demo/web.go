package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// openConsole starts rotator's console on the stack, and returns its URL and what ends it. The program is another
// module's, which imports this one for its tests.
func (w *world) openConsole(rotator string) (url string, end func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, rotator, "console", "-o", "json", "--local="+strings.TrimPrefix(w.Stack.URL,
		"http://"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stderr = w.logs
	end = func() { cancel(); _ = cmd.Wait() }
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return "", nil, fmt.Errorf("starting the console: %w", err)
	}
	var says struct{ URL string }
	if err := json.NewDecoder(out).Decode(&says); err != nil {
		end()
		return "", nil, fmt.Errorf("starting the console: %w; see %s", err, w.logs.Name())
	}
	return says.URL, end, nil
}

// operate creates what people operate a deployment by: the alias, the schedules, and what records.
func (w *world) operate(ctx context.Context) error {
	for _, create := range []func(context.Context) error{w.CreateAlias, w.CreateSchedules, w.CreateRecording,
		func(ctx context.Context) error { return w.CreateFleet(ctx) }} {
		if err := create(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stay keeps everything running, and people logging in, for who looks at the page.
func (v *view) stay(ctx context.Context) {
	v.print("The page stays, and people go on logging in, until Ctrl-C: %s", v.web)
	v.watch()
	<-ctx.Done()
	v.traffic.Stop()
}
