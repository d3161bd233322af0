package withoutids

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"alboidc.internal/shared/idp"
)

// Traits returns all settings of a registration but those in which two of a pair may differ, so that one that the
// vendor adds some day is compared, too. Those that may be shown are told as they are; any other may hold anything, and
// is compared as a digest. The order in a list says nothing, and what is off or empty is as good as absent.
func Traits(registration map[string]json.RawMessage, differ, shown []string) map[string]string {
	out := map[string]string{}
	for name, setting := range registration {
		if !IsSet(setting) || slices.Contains(differ, name) {
			continue
		}
		out[name] = canonical(setting)
		if !slices.Contains(shown, name) {
			sum := sha256.Sum256([]byte(out[name]))
			out[name] = digest + hex.EncodeToString(sum[:])
		}
	}
	return out
}

// digest begins a trait that is one.
const digest = "digest "

// IsSet reports whether a setting says anything: it is not absent, empty or off.
func IsSet(setting json.RawMessage) bool {
	var v any
	return len(setting) > 0 && (json.Unmarshal(setting, &v) != nil || saysAnything(v))
}

func saysAnything(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		for _, x := range v {
			if saysAnything(x) {
				return true
			}
		}
		return false
	}
	return true
}

// canonical is a JSON value in a form in which equal means equal, and which people can read.
func canonical(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	switch v := v.(type) {
	case []any, map[string]any:
		return strings.Join(splitParts(v), " ")
	case string:
		return v
	}
	return formatScalar(v)
}

// splitParts returns the parts of a list or an object, in order.
func splitParts(v any) (out []string) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = append(out, formatNested(x))
		}
		slices.Sort(out)
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if saysAnything(v[k]) {
				out = append(out, k+"="+formatNested(v[k]))
			}
		}
	}
	return out
}

func formatNested(v any) string {
	switch v := v.(type) {
	case []any:
		return "[" + strings.Join(splitParts(v), " ") + "]"
	case map[string]any:
		return "{" + strings.Join(splitParts(v), " ") + "}"
	case string:
		if !strings.ContainsAny(v, " =\"[]{}") {
			return v
		}
	}
	return formatScalar(v)
}

func formatScalar(v any) string {
	b, _ := json.Marshal(v) // of what was unmarshalled, so there is no error
	return string(b)
}

// reviewPair refuses two registrations that differ in what logins depend on.
func reviewPair(ctx context.Context, a, b idp.Setter) (idp.Review, error) {
	out, err := reviewSetter(ctx, a)
	if err != nil {
		return out, err
	}
	other, err := reviewSetter(ctx, b)
	if err != nil {
		return out, err
	}
	out.Warnings, out.Refusals = appendMissing(out.Warnings, other.Warnings), appendMissing(out.Refusals,
		other.Refusals)
	if out.AuthMethod != other.AuthMethod {
		out.Refusals = append(out.Refusals, fmt.Sprintf("the two registrations of the pair authenticate by %s and %s "+
			"at the token endpoint: set both to the same",
			orNone(out.AuthMethod), orNone(other.AuthMethod)))
	}
	return out, addDifferences(ctx, a, b, &out)
}

// addDifferences adds a refusal for each trait that is not the same.
func addDifferences(ctx context.Context, a, b idp.Setter, out *idp.Review) error {
	x, ok := a.(idp.TraitsReporter)
	y, also := b.(idp.TraitsReporter)
	if !ok || !also {
		return nil
	}
	first, err := x.Traits(ctx)
	if err != nil {
		return err
	}
	second, err := y.Traits(ctx)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(first, second) {
		if first[name] != second[name] {
			out.Refusals = append(out.Refusals, fmt.Sprintf("the two registrations of the pair differ in %s (%s and "+
				"%s): users would be treated differently after the switch; make them the same",
				name, showTrait(first[name]), showTrait(second[name])))
		}
	}
	return nil
}

// review is a registration's own review, if it has one, together with more.
func review(ctx context.Context, r idp.Registration, more ...func(context.Context) (idp.Review, error)) (idp.Review,
	error) {
	if x, ok := r.(idp.Reviewer); ok {
		more = append([]func(context.Context) (idp.Review, error){x.Review}, more...)
	}
	var out idp.Review
	for _, f := range more {
		next, err := f(ctx)
		if err != nil {
			return out, err
		}
		out.Warnings, out.Refusals = appendMissing(out.Warnings, next.Warnings), appendMissing(out.Refusals,
			next.Refusals)
		out.AuthMethod, out.Ended = cmp.Or(out.AuthMethod, next.AuthMethod), cmp.Or(out.Ended, next.Ended)
		if next.MaxGrace > 0 && (out.MaxGrace == 0 || next.MaxGrace < out.MaxGrace) {
			out.MaxGrace = next.MaxGrace
		}
	}
	return out, nil
}

// reviewSetter is the review of a registration with one slot.
func reviewSetter(ctx context.Context, r idp.Setter) (idp.Review, error) {
	if x, ok := r.(idp.SetReviewer); ok {
		return review(ctx, r, x.ReviewSet)
	}
	return review(ctx, r)
}

// appendMissing returns a list with what it lacks of another: two registrations of a pair are often told the same.
func appendMissing(list, more []string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// showTrait returns a trait as people see it. It never shows a digest, which tells of a short value as much as the
// value.
func showTrait(trait string) string {
	if strings.HasPrefix(trait, digest) {
		return "a value that is not shown"
	}
	return orNone(trait)
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func sortedKeys(a, b map[string]string) []string {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	return slices.Sorted(maps.Keys(keys))
}
