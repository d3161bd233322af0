package idp

import "context"

// Checked keeps what Check has read of a registration, for what only tells about it in the same call (Review, Traits).
// Nothing that changes anything goes by it. It is not for concurrent use.
type Checked[T any] struct {
	value T
	known bool
	with  *int // of Together
}

type together struct{}

// Together returns a context in which List goes by what Check has read with that same context, where both read the
// same. It is for a plan, which asks for both at one moment and changes nothing.
func Together(ctx context.Context) context.Context {
	return context.WithValue(ctx, together{}, new(int))
}

func withOf(ctx context.Context) *int {
	with, _ := ctx.Value(together{}).(*int)
	return with
}

// Renew reads, and keeps what was read without an error.
func (c *Checked[T]) Renew(ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	v, err := read(ctx)
	if err == nil {
		c.value, c.known, c.with = v, true, withOf(ctx)
	}
	return v, err
}

// Get returns what was kept, or else reads.
func (c *Checked[T]) Get(ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	if c.known {
		return c.value, nil
	}
	return read(ctx)
}

// Share returns what was kept with the same context of Together, or else reads.
func (c *Checked[T]) Share(ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	if with := withOf(ctx); with != nil && with == c.with {
		return c.value, nil
	}
	return read(ctx)
}
