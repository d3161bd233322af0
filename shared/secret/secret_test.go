package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"alboidc.internal/shared/secret"
)

const canary = "canary0123456789"

// inside holds a secret in every way a struct can.
type inside struct {
	Exported   secret.Value
	unexported secret.Value
	Pointer    *secret.Value
	pointer    *secret.Value
	List       []secret.Value
	Map        map[string]secret.Value
	Any        any
	any        any
	Deep       struct{ v struct{ w secret.Value } }
	error      error
}

func everywhere() inside {
	v := secret.New(canary)
	in := inside{Exported: v, unexported: v, Pointer: &v, pointer: &v, List: []secret.Value{v},
		Map: map[string]secret.Value{"k": v}, Any: v, any: v}
	in.Deep.v.w = v
	in.error = fmt.Errorf("wrapped: %v", v)
	return in
}

// shapes are values with a secret somewhere inside.
func shapes() map[string]any {
	v := secret.New(canary)
	in := everywhere()
	return map[string]any{
		"a value": v, "a pointer": &v, "a pointer to a pointer": func() any { p := &v; return &p }(),
		"a slice": []secret.Value{v}, "an array": [1]secret.Value{v}, "a slice of any": []any{v, &v},
		"a map": map[string]secret.Value{"k": v}, "a map of pointers": map[string]*secret.Value{"k": &v},
		"a struct": in, "a pointer to a struct": &in, "a slice of structs": []inside{in},
		"a map of structs": map[string]inside{"k": in},
		"a reflect.Value":  reflect.ValueOf(in), "an error": fmt.Errorf("failed: %w",
			errors.Join(in.error, fmt.Errorf("%v", in))),
	}
}

func TestNoVerbOfFmtShowsASecret(t *testing.T) {
	t.Parallel()
	var formats []string
	for _, verb := range "vTtbcdoOqxXUeEfFgGsp" {
		for _, flag := range []string{"", "+", "#", "-", " ", "0", "40", ".40"} {
			formats = append(formats, "%"+flag+string(verb))
		}
	}
	hexed := fmt.Sprintf("%x", canary)
	for name, shape := range shapes() {
		for _, format := range formats {
			out := fmt.Sprintf(format, shape)
			if strings.Contains(out, canary) || strings.Contains(strings.ToLower(strings.ReplaceAll(out, " ", "")),
				hexed) {
				t.Errorf("%s with %s gives %s", name, format, out)
			}
		}
		if out := fmt.Sprintln(shape); strings.Contains(out, canary) {
			t.Errorf("%s with Println gives %s", name, out)
		}
	}
}

func TestAValueIsShownAsRedacted(t *testing.T) {
	t.Parallel()
	v := secret.New(canary)
	for name, got := range map[string]string{
		"%v": fmt.Sprintf("%v", v), "%#v": fmt.Sprintf("%#v", v), "%q": fmt.Sprintf("%q", v),
		"%d":     fmt.Sprintf("%d", v),
		"String": v.String(), "GoString": v.GoString(), "LogValue": v.LogValue().String(),
		"the zero value": fmt.Sprint(secret.Value{}),
	} {
		if got != "REDACTED" {
			t.Errorf("%s gives %q", name, got)
		}
	}
}

type element struct{ V secret.Value }

func TestNoEncoderShowsASecret(t *testing.T) {
	t.Parallel()
	in := everywhere()
	in.Any = nil
	j, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	x, err := xml.Marshal(element{in.Exported})
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"JSON": string(j), "XML": string(x)} {
		if strings.Contains(out, canary) || !strings.Contains(out, "REDACTED") {
			t.Errorf("%s gives %s", name, out)
		}
	}
	text, err := in.Exported.MarshalText()
	if err != nil || string(text) != "REDACTED" {
		t.Errorf("MarshalText gives %s, %v", text, err)
	}
}

func TestNoLogShowsASecret(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		for shape, v := range shapes() {
			var out bytes.Buffer
			l := slog.New(handler(&out))
			l.With("with", v).WithGroup("group").Info("message", "key", v, slog.Group("inner", slog.Any("deep", v)))
			if out.Len() == 0 || strings.Contains(out.String(), canary) {
				t.Errorf("%s, %s: the log is %s", name, shape, out.String())
			}
		}
	}
}

func TestASecretComesOutByRevealAlone(t *testing.T) {
	t.Parallel()
	if got := secret.New(canary).Reveal(); got != canary {
		t.Errorf("Reveal is %q", got)
	}
	if got := (secret.Value{}).Reveal(); got != "" {
		t.Errorf("Reveal of no secret is %q", got)
	}
}

func TestEqualComparesTheSecrets(t *testing.T) {
	t.Parallel()
	a, b := secret.New(canary), secret.New(canary)
	if !a.Equal(b) || a.Equal(secret.New("other")) || a.Equal(secret.Value{}) ||
		!(secret.Value{}).Equal(secret.New("")) {
		t.Error("Equal does not compare the secrets")
	}
	if reflect.TypeFor[secret.Value]().Comparable() {
		t.Error("== compiles, and would compare where the secrets are stored")
	}
}

func TestIsZeroMeansNoSecret(t *testing.T) {
	t.Parallel()
	if !(secret.Value{}).IsZero() || !secret.New("").IsZero() || secret.New(canary).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestGeneratedSecretsHaveTheLengthAndTheAlphabet(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		v, err := secret.Generate(nil)
		if err != nil {
			t.Fatal(err)
		}
		s := v.Reveal()
		if len(s) != secret.Length || strings.Trim(s,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" || seen[s] {
			t.Fatal("a generated secret is too short, has other characters, or came twice")
		}
		seen[s] = true
	}
}

// TestGenerationFavoursNoCharacter feeds every byte that can become a character equally often.
func TestGenerationFavoursNoCharacter(t *testing.T) {
	t.Parallel()
	var usable []byte
	for b := range 248 {
		usable = append(usable, byte(b))
	}
	random := bytes.NewReader(bytes.Repeat(usable, secret.Length))
	counts := map[rune]int{}
	for range len(usable) {
		v, err := secret.Generate(random)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range v.Reveal() {
			counts[c]++
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d characters occur, want 62", len(counts))
	}
	for c, n := range counts {
		if n != 248*secret.Length/62 {
			t.Errorf("%c comes %d times", c, n)
		}
	}
}

func TestBytesThatWouldFavourACharacterAreSkipped(t *testing.T) {
	t.Parallel()
	random := append(bytes.Repeat([]byte{248, 255}, secret.Length/2), make([]byte, secret.Length)...)
	v, err := secret.Generate(bytes.NewReader(random))
	if err != nil || v.Reveal() != strings.Repeat("A", secret.Length) {
		t.Errorf("got another secret than one of the second block only: %v", err)
	}
}

func TestGenerationNeedsEnoughRandomBytes(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]io.Reader{
		"an empty source":                        bytes.NewReader(nil),
		"a short source":                         bytes.NewReader(make([]byte, secret.Length-1)),
		"a source that ends after refused bytes": bytes.NewReader(bytes.Repeat([]byte{255}, secret.Length)),
		"a source that fails":                    iotest.ErrReader(errors.New("broken")),
	} {
		if v, err := secret.Generate(r); err == nil || !v.IsZero() {
			t.Errorf("%s gave a secret", name)
		}
	}
	if v, err := secret.Generate(iotest.OneByteReader(bytes.NewReader(make([]byte, secret.Length)))); err != nil ||
		v.IsZero() {
		t.Errorf("a slow source: %v", err)
	}
}
