// Package jsii has the functions that a CDK app written in Go calls beside the bindings: pointers to values, and Close.
// Its path and names are those of the official module, which takes its place wherever the Go module proxy serves it.
package jsii

import "github.com/aws/jsii-runtime-go/runtime"

// Close ends the kernel's process. The app calls it once, at its end.
func Close() { runtime.Close() }

// String returns a pointer to v: optional values are pointers in the bindings, nil means absent.
func String(v string) *string { return &v }

// Bool returns a pointer to v.
func Bool(v bool) *bool { return &v }

// Number returns a pointer to v as JavaScript's only kind of number.
func Number[T ~int | ~int32 | ~int64 | ~float64](v T) *float64 {
	f := float64(v)
	return &f
}

// Strings returns a list as the bindings take it.
func Strings(v ...string) *[]*string {
	list := make([]*string, len(v))
	for i := range v {
		list[i] = &v[i]
	}
	return &list
}
