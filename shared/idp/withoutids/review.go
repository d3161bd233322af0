package withoutids

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"alboidc.internal/shared/idp"
)

// PickTraits picks settings by their names out of a registration's JSON object. The order in a list of texts says
// nothing, and what is off or empty is as good as absent.
func PickTraits(registration map[string]json.RawMessage, names ...string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		if IsSet(registration[name]) {
			out[name] = canonical(registration[name])
		}
	}
	return out
}

// IsSet reports whether a setting says anything: it is not absent, empty or off.
func IsSet(setting json.RawMessage) bool {
	return len(setting) > 0 && !slices.Contains([]string{"null", "{}", "[]", "false", `""`}, string(setting))
}

// canonical is a JSON value in a form in which equal means equal.
func canonical(raw json.RawMessage) string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) == nil {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(object)) {
			if IsSet(object[k]) {
				parts = append(parts, k+"="+canonical(object[k]))
			}
		}
		return strings.Join(parts, " ")
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return strings.Trim(b.String(), `"`)
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
				name, orNone(first[name]), orNone(second[name])))
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
