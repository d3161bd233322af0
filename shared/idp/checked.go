package idp

import "context"

// Checked keeps what Check has read of a registration, for what only tells about it in the same call (Review, Traits).
// Nothing that changes anything goes by it. It is not for concurrent use.
type Checked[T any] struct {
	value T
	known bool
}

// Renew reads, and keeps what was read without an error.
func (c *Checked[T]) Renew(ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	v, err := read(ctx)
	if err == nil {
		c.value, c.known = v, true
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
