// Package telemetry is the functions' logger and their custom metrics. Every line is one JSON object. A log line
// carries what the context knows (rotation, client, state, request id) and only attributes of plain types: it leaves
// out a value of any other type, because nobody has decided that its fields may be shown.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Options are those of a logger.
type Options struct {
	// Level is the lowest level that is written; nil is info.
	Level slog.Leveler
	// Function and Version are on every line. Version is the function's published version, which identifies its code.
	Function, Version string
}

// New returns a logger that writes JSON lines to w.
func New(w io.Writer, o Options) *slog.Logger {
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: o.Level, ReplaceAttr: replaceValue})
	return slog.New(&handler{next: h.WithAttrs([]slog.Attr{
		slog.String("function", o.Function), slog.String("version", o.Version)})})
}

// Rotation is the attribute that names a rotation: the last part of its execution's ARN.
func Rotation(executionARN string) slog.Attr {
	return slog.String("rotation", executionARN[strings.LastIndexByte(executionARN, ':')+1:])
}

// Client is the attribute that names a client.
func Client(name string) slog.Attr { return slog.String("client", name) }

// State is the attribute that names a state of the state machine.
func State(name string) slog.Attr { return slog.String("state", name) }

// RequestID is the attribute that names one invocation of a function.
func RequestID(id string) slog.Attr { return slog.String("request_id", id) }

// Err is the attribute of an error: its text.
func Err(err error) slog.Attr {
	if err == nil {
		return slog.String("error", "")
	}
	return slog.String("error", err.Error())
}

type contextKey struct{}

// With returns a context whose log lines carry attrs as well; of two with the same key, the later one counts.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	old := fromContext(ctx)
	merged := make([]slog.Attr, 0, len(old)+len(attrs))
	at := map[string]int{}
	for _, list := range [][]slog.Attr{old, attrs} {
		for _, a := range list {
			if i, ok := at[a.Key]; ok {
				merged[i] = a
				continue
			}
			at[a.Key] = len(merged)
			merged = append(merged, a)
		}
	}
	return context.WithValue(ctx, contextKey{}, merged)
}

func fromContext(ctx context.Context) []slog.Attr {
	attrs, _ := ctx.Value(contextKey{}).([]slog.Attr)
	return attrs
}

// handler adds the context's attributes at the top level of a line, whatever groups are open. later holds the WithAttrs
// and WithGroup calls to apply after them.
type handler struct {
	next  slog.Handler
	later []func(slog.Handler) slog.Handler
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	next := h.next
	if attrs := fromContext(ctx); len(attrs) > 0 {
		next = next.WithAttrs(attrs)
	}
	for _, f := range h.later {
		next = f(next)
	}
	return next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(n slog.Handler) slog.Handler { return n.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return h.with(func(n slog.Handler) slog.Handler { return n.WithGroup(name) })
}

func (h *handler) with(f func(slog.Handler) slog.Handler) slog.Handler {
	return &handler{next: h.next, later: append(h.later[:len(h.later):len(h.later)], f)}
}

// replaceValue replaces every value that is not of a plain type with the name of its type, because a struct from
// outside would show all its fields. It writes the time in UTC.
func replaceValue(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		return slog.String(slog.TimeKey, a.Value.Time().UTC().Format(time.RFC3339Nano))
	}
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	if _, ok := a.Value.Any().(slog.Level); ok {
		return a
	}
	return slog.String(a.Key, fmt.Sprintf("omitted: a %T is not a plain value", a.Value.Any()))
}
