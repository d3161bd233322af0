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

// Traits are all settings of a registration, which two of a pair must have in common, but for those that may differ. So
// one that the vendor adds some day is compared before anybody here knows of it. Only those that are shown are told as
// they are; any other may hold anything, and is a digest, which is compared and never told. The order in a list says
// nothing, and what is off or empty is as good as absent.
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
	return len(setting) > 0 && (json.Unmarshal(setting, &v) != nil || says(v))
}

func says(v any) bool {
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
			if says(x) {
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
		return strings.Join(parts(v), " ")
	case string:
		return v
	}
	return scalar(v)
}

// parts are those of a list or an object, in order.
func parts(v any) (out []string) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = append(out, nested(x))
		}
		slices.Sort(out)
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if says(v[k]) {
				out = append(out, k+"="+nested(v[k]))
			}
		}
	}
	return out
}

func nested(v any) string {
	switch v := v.(type) {
	case []any:
		return "[" + strings.Join(parts(v), " ") + "]"
	case map[string]any:
		return "{" + strings.Join(parts(v), " ") + "}"
	case string:
		if !strings.ContainsAny(v, " =\"[]{}") {
			return v
		}
	}
	return scalar(v)
}

func scalar(v any) string {
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
	out.Warnings, out.Refusals = added(out.Warnings, other.Warnings), added(out.Refusals, other.Refusals)
	if out.AuthMethod != other.AuthMethod {
		out.Refusals = append(out.Refusals, fmt.Sprintf("the two registrations of the pair authenticate by %s and %s "+
			"at the token endpoint: set both to the same",
			orNone(out.AuthMethod), orNone(other.AuthMethod)))
	}
	return out, differences(ctx, a, b, &out)
}

// differences adds a refusal for each trait that is not the same.
func differences(ctx context.Context, a, b idp.Setter, out *idp.Review) error {
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
				name, told(first[name]), told(second[name])))
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
		out.Warnings, out.Refusals = added(out.Warnings, next.Warnings), added(out.Refusals, next.Refusals)
		out.AuthMethod = cmp.Or(out.AuthMethod, next.AuthMethod)
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

// added is a list with what it lacks of another: two registrations of a pair are often told the same.
func added(list, more []string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// told is a trait as people see it. A digest is not shown: of a short value it tells as much as the value.
func told(trait string) string {
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
