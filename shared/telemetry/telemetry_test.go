package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/telemetry"
)

const arn = "arn:aws:states:eu-west-1:123456789012:execution:rotation:orders-web-2026-11-22"

func logged(t *testing.T, o telemetry.Options, log func(*slog.Logger)) map[string]any {
	t.Helper()
	var buf bytes.Buffer
	log(telemetry.New(&buf, o))
	if n := strings.Count(buf.String(), "\n"); n != 1 {
		t.Fatalf("%d lines were written, not one:\n%s", n, buf.String())
	}
	var line map[string]any
	if err := json.Unmarshal(buf.Bytes(), &line); err != nil {
		t.Fatalf("not a JSON line: %v\n%s", err, buf.String())
	}
	return line
}

func expect(t *testing.T, line map[string]any, want map[string]any) {
	t.Helper()
	for k, v := range want {
		if line[k] != v {
			t.Errorf("%s is %v, not %v", k, line[k], v)
		}
	}
}

func TestALineHasTimeLevelMessageFunctionAndTheContextsAttributes(t *testing.T) {
	t.Parallel()
	ctx := telemetry.With(context.Background(), telemetry.Rotation(arn), telemetry.Client("orders-web"),
		telemetry.State("SetSecret"))
	ctx = telemetry.With(ctx, telemetry.RequestID("r-1"))
	line := logged(t, telemetry.Options{Function: "updatealb", Version: "1.2.3"}, func(l *slog.Logger) {
		l.InfoContext(ctx, "target updated", slog.String("target", "orders-alb :443"), slog.Int("tries", 2))
	})
	expect(t, line, map[string]any{"level": "INFO", "msg": "target updated", "function": "updatealb",
		"version":  "1.2.3",
		"rotation": "orders-web-2026-11-22", "client": "orders-web", "state": "SetSecret", "request_id": "r-1",
		"target": "orders-alb :443", "tries": 2.0})
	at, err := time.Parse(time.RFC3339Nano, line["time"].(string))
	if err != nil || at.Location() != time.UTC {
		t.Errorf("time %v is not RFC 3339 in UTC: %v", line["time"], err)
	}
}

func TestTheLaterOfTwoContextAttributesCountsAndIsWrittenOnce(t *testing.T) {
	t.Parallel()
	outer := telemetry.With(context.Background(), telemetry.State("Plan"), telemetry.Client("a"))
	inner := telemetry.With(outer, telemetry.State("CreateSecret"))
	var buf bytes.Buffer
	telemetry.New(&buf, telemetry.Options{}).InfoContext(inner, "x")
	if got := buf.String(); strings.Count(got, `"state"`) != 1 || !strings.Contains(got, `"state":"CreateSecret"`) {
		t.Errorf("state is not written once with the later value: %s", got)
	}
	expect(t, logged(t, telemetry.Options{}, func(l *slog.Logger) { l.InfoContext(outer, "x") }),
		map[string]any{"state": "Plan"})
}

func TestContextAttributesStayAtTheTopWhenAGroupIsOpen(t *testing.T) {
	t.Parallel()
	ctx := telemetry.With(context.Background(), telemetry.Client("orders-web"))
	line := logged(t, telemetry.Options{}, func(l *slog.Logger) {
		l.With(slog.String("check", "login")).WithGroup("node").With(slog.String("ip", "192.0.2.1")).InfoContext(ctx,
			"x", slog.Bool("ok", true))
	})
	expect(t, line, map[string]any{"client": "orders-web", "check": "login"})
	node, _ := line["node"].(map[string]any)
	expect(t, node, map[string]any{"ip": "192.0.2.1", "ok": true})
}

func TestLinesBelowTheLevelAreNotWritten(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	l := telemetry.New(&buf, telemetry.Options{Level: slog.LevelWarn})
	l.Info("no")
	if buf.Len() != 0 {
		t.Errorf("written: %s", buf.String())
	}
	l.Warn("yes")
	if !strings.Contains(buf.String(), `"level":"WARN"`) {
		t.Errorf("not written: %q", buf.String())
	}
}

func TestValuesThatAreNotPlainAreLeftOut(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-5f1d"
	type answer struct{ Body string }
	for name, value := range map[string]any{
		"struct": answer{canary}, "pointer": &answer{canary}, "map": map[string]string{"k": canary},
		"slice": []string{canary}, "bytes": []byte(canary), "error with fields": errors.New(canary),
		"secret": secret.New(canary), "struct with a secret": struct{ V secret.Value }{secret.New(canary)},
		"raw JSON": json.RawMessage(`"` + canary + `"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			l := telemetry.New(&buf, telemetry.Options{})
			l.Info("x", "value", value)
			l.With("value", value).Info("x")
			l.Info("x", slog.Group("g", slog.Any("value", value)))
			l.InfoContext(telemetry.With(context.Background(), slog.Any("value", value)), "x")
			if strings.Contains(buf.String(), canary) {
				t.Errorf("the value is in the log: %s", buf.String())
			}
			if n := strings.Count(buf.String(), `"value":`); n != 4 {
				t.Errorf("%d of 4 lines name the attribute: %s", n, buf.String())
			}
		})
	}
}

func TestAnErrorIsItsText(t *testing.T) {
	t.Parallel()
	line := logged(t, telemetry.Options{},
		func(l *slog.Logger) { l.Error("failed", telemetry.Err(io.ErrUnexpectedEOF)) })
	expect(t, line, map[string]any{"error": "unexpected EOF", "level": "ERROR"})
	line = logged(t, telemetry.Options{}, func(l *slog.Logger) { l.Info("fine", telemetry.Err(nil)) })
	expect(t, line, map[string]any{"error": ""})
}

func TestARotationIsNamedByTheLastPartOfItsARN(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{arn: "orders-web-2026-11-22", "by-hand": "by-hand", "": ""} {
		if got := telemetry.Rotation(in).Value.String(); got != want {
			t.Errorf("rotation of %q is %q, not %q", in, got, want)
		}
	}
}
