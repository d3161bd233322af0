package awsconn

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"
)

// The connection is slow to say that the request's last bytes are written: until the reply has begun, and the SDK has
// closed the body.
func TestALargeReplyIsReadToItsEnd(t *testing.T) {
	for name, with := range map[string]struct {
		options []func(*middleware.Stack) error
		broken  bool
	}{
		"the SDK alone": {broken: true},
		"KeepOpen":      {options: []func(*middleware.Stack) error{KeepOpen}},
	} {
		t.Run(name, func(t *testing.T) {
			err := readWhileWriting(t, with.options)
			if with.broken == (err == nil) {
				t.Errorf("reading the reply: %v (if the SDK alone reads it, KeepOpen is no longer needed)", err)
			}
		})
	}
}

func readWhileWriting(t *testing.T, options []func(*middleware.Stack) error) error {
	t.Helper()
	begun, written := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-written
		_, _ = io.WriteString(w, `{"SecretString":"`+strings.Repeat("x", 100_000)+`"}`)
	}))
	t.Cleanup(server.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return slowToWrite{conn, begun}, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(server.URL), APIOptions: append(options, tellBegun(begun)),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test",
			""), HTTPClient: &http.Client{Transport: transport},
		RetryMaxAttempts: 1,
	})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { close(written) }})
	_, err := client.GetSecretValue(ctx,
		&secretsmanager.GetSecretValueInput{SecretId: aws.String(strings.Repeat("x", 100_000))})
	return err
}

// tellBegun closes begun when the SDK has the reply's headers and has closed the request's body.
func tellBegun(begun chan struct{}) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("TellBegun", func(
			ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
		) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, meta, err := next.HandleDeserialize(ctx, in)
			close(begun)
			return out, meta, err
		}), middleware.After)
	}
}

type slowToWrite struct {
	net.Conn
	until chan struct{}
}

func (c slowToWrite) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if strings.HasSuffix(string(p), "}") {
		<-c.until
	}
	return n, err
}
