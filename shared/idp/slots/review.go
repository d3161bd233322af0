package slots

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"alboidc.internal/shared/idp"
)

// Likeness is implemented by Setters that can tell what two registrations of a pair must have in common.
type Likeness interface {
	// Traits are what a registration is set to, by the provider's name of the setting: callbacks, grants, authentication
	// method and the like, in a form in which equal means equal. It changes nothing.
	Traits(ctx context.Context) (map[string]string, error)
}

// reviewPair refuses two registrations that differ in what logins depend on.
func reviewPair(ctx context.Context, a, b idp.Setter) (idp.Review, error) {
	out, err := review(ctx, a)
	if err != nil {
		return out, err
	}
	other, err := review(ctx, b)
	if err != nil {
		return out, err
	}
	out.Warnings = append(out.Warnings, other.Warnings...)
	out.Refusals = append(out.Refusals, other.Refusals...)
	if out.AuthMethod != other.AuthMethod {
		out.Refusals = append(out.Refusals, fmt.Sprintf("the two registrations of the pair authenticate by %s and %s at the token endpoint: set both to the same",
			orNone(out.AuthMethod), orNone(other.AuthMethod)))
	}
	return out, differences(ctx, a, b, &out)
}

// differences adds a refusal for each trait that is not the same.
func differences(ctx context.Context, a, b idp.Setter, out *idp.Review) error {
	x, ok := a.(Likeness)
	y, also := b.(Likeness)
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
			out.Refusals = append(out.Refusals, fmt.Sprintf("the two registrations of the pair differ in %s (%s and %s): users would be treated differently after the switch; make them the same",
				name, orNone(first[name]), orNone(second[name])))
		}
	}
	return nil
}

// review is a registration's own review, if it has one.
func review(ctx context.Context, r idp.Registration) (idp.Review, error) {
	if x, ok := r.(idp.Reviewer); ok {
		return x.Review(ctx)
	}
	return idp.Review{}, nil
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
