// Package awsconn mends how the AWS SDK uses net/http.
package awsconn

import (
	"context"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// KeepOpen is an API option of an SDK client: a connection whose reply is being read stays open.
//
// The SDK closes a request's body as soon as the reply begins (smithy-go v1.28.9, transport/http/client.go), and
// net/http may only then look whether the body has more than it announced. The SDK's closed body says io.EOF to
// WriteTo, which net/http takes for a failed write: it closes the connection, and the rest of the reply is lost. Read
// has no such answer.
func KeepOpen(s *middleware.Stack) error {
	return s.Serialize.Add(middleware.SerializeMiddlewareFunc("KeepOpen", hideWriteTo), middleware.After)
}

func hideWriteTo(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
	middleware.SerializeOutput, middleware.Metadata, error,
) {
	if r, ok := in.Request.(*smithyhttp.Request); ok {
		if body, ok := r.GetStream().(io.ReadSeeker); ok {
			var err error
			if r, err = r.SetStream(struct{ io.ReadSeeker }{body}); err != nil {
				return middleware.SerializeOutput{}, middleware.Metadata{}, err
			}
			in.Request = r
		}
	}
	return next.HandleSerialize(ctx, in)
}
