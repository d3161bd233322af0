package parameters_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/parameters"
)

const name = "orders-web"

// document is a configuration of the client; pairs of text replace what it has.
func document(pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(`{"name":"orders-web","issuer":"https://idp.example","clientId":"0oa1","callbackUrl":"https://orders.example/oauth2/idpresponse",
		"secret":{"arn":"arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-AbCdEf"},
		"identityProvider":{"type":"okta","authorizationEndpoint":"https://idp.example/a","tokenEndpoint":"https://idp.example/t","settings":{}},
		"loadBalancers":["arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/orders/50dc6c495c0c9188"],"spreadSeconds":60,
		"smokeTests":{"credential":{},"redirect":[{"url":"https://orders.example/"}]}}`)
}

// store is Parameter Store: texts by name, or by name and version.
type store struct {
	texts  map[string]string
	errs   []error // of the next calls
	asked  []string
	slept  time.Duration
	onWait func(slept time.Duration)
}

func (s *store) GetParameter(_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	asked := strings.TrimPrefix(aws.ToString(in.Name), "/clients/")
	s.asked = append(s.asked, asked)
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		return nil, err
	}
	text, ok := s.texts[asked]
	switch {
	case ok:
		return &ssm.GetParameterOutput{Parameter: &types.Parameter{Value: &text}}, nil
	case s.texts[name] == "":
		return nil, &types.ParameterNotFound{}
	default:
		return nil, &types.ParameterVersionNotFound{}
	}
}

func (s *store) open() *parameters.Store {
	return parameters.New(s, "/clients/", func(_ context.Context, d time.Duration) error {
		s.slept += d
		if s.onWait != nil {
			s.onWait(s.slept)
		}
		return nil
	})
}

// version names a version of the client's parameter.
func version(n int) string { return fmt.Sprintf("%s:%d", name, n) }

// reference to version 3 with that text.
func reference(t *testing.T, text string) config.Reference {
	t.Helper()
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	return config.Reference{Execution: "arn", Text: config.Text{Version: 3, SHA256: hex.EncodeToString(sum[:])}, Client: c.Identity()}
}

func fails(t *testing.T, err error, kind failure.Kind, says string) {
	t.Helper()
	if !failure.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v (%s), want %s with %q", err, failure.KindOf(err), kind, says)
	}
}

func TestTheTextThatIsReferredToCountsNotTheNewest(t *testing.T) {
	t.Parallel()
	old, changed := document(), document(`"spreadSeconds":60`, `"spreadSeconds":90`)
	s := &store{texts: map[string]string{version(3): old, version(4): changed, name: changed}}
	p := s.open()
	for range 3 {
		c, err := p.Referenced(t.Context(), name, reference(t, old))
		if err != nil || c.Spread() != 60 {
			t.Errorf("the spread is %d (%v)", c.Spread(), err)
		}
	}
	if got := strings.Join(s.asked, " "); got != version(3) {
		t.Errorf("asked was for %s: a text is read once", got)
	}
}

func TestWhereThatTextIsGoneTheNewestOfTheSameClientCounts(t *testing.T) {
	t.Parallel()
	old, changed := document(), document(`"spreadSeconds":60`, `"spreadSeconds":90`)
	for what, texts := range map[string]map[string]string{
		"of more than a hundred versions the oldest goes": {name: changed},
		"a parameter that was made again begins at 1":     {version(1): changed, name: changed},
		"and reaches the number with another text":        {version(3): changed, name: changed},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := &store{texts: texts}
			c, err := s.open().Referenced(t.Context(), name, reference(t, old))
			if err != nil || c.Spread() != 90 {
				t.Errorf("the spread is %d (%v)", c.Spread(), err)
			}
		})
	}
}

func TestTheNewestOfAnotherClientNeverTakesItsPlace(t *testing.T) {
	t.Parallel()
	for field, pair := range map[string][2]string{
		"secret.arn":                  {"secret:orders-AbCdEf", "secret:another-AbCdEf"},
		"issuer":                      {`"issuer":"https://idp.example"`, `"issuer":"https://another.example"`},
		"clientId":                    {"0oa1", "0oa2"},
		"identityProvider.clientPair": {`"type":"okta"`, `"type":"okta","clientPair":"0oa2"`},
		"identityProvider.type":       {`"type":"okta"`, `"type":"auth0"`},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			s := &store{texts: map[string]string{name: document(pair[0], pair[1])}}
			_, err := s.open().Referenced(t.Context(), name, reference(t, document()))
			fails(t, err, failure.Reconfigured, "changed in "+field+" while this rotation ran")
		})
	}
	s := &store{texts: map[string]string{name: document(`"orders-web"`, `"billing"`)}}
	_, err := s.open().Referenced(t.Context(), name, reference(t, document()))
	fails(t, err, failure.Reconfigured, `the configuration of client "orders-web" is for client "billing"`)
	_, err = (&store{}).open().Referenced(t.Context(), name, reference(t, document()))
	fails(t, err, failure.Reconfigured, "the client configuration /clients/orders-web is gone")
}

func TestAVersionThatIsNotFoundIsLookedForForTenSeconds(t *testing.T) {
	t.Parallel()
	s := &store{texts: map[string]string{name: document("0oa1", "0oa2")}}
	s.onWait = func(slept time.Duration) {
		if slept >= 6*time.Second {
			s.texts[version(3)] = document()
		}
	}
	c, err := s.open().Referenced(t.Context(), name, reference(t, document()))
	if err != nil || c.ClientID != "0oa1" || s.slept != 6*time.Second {
		t.Errorf("after %s the client id is %s (%v)", s.slept, c.ClientID, err)
	}
	gone := &store{texts: map[string]string{}}
	_, err = gone.open().Newest(t.Context(), name)
	fails(t, err, failure.Precondition, "the client configuration /clients/orders-web is gone: put it back")
	if gone.slept != 10*time.Second {
		t.Errorf("it was looked for for %s", gone.slept)
	}
}

func TestThrottlingAndNoAnswerAreTransient(t *testing.T) {
	t.Parallel()
	for kind, answer := range map[failure.Kind]error{
		failure.Throttled:    &smithy.GenericAPIError{Code: "ThrottlingException"},
		failure.Unavailable:  &types.InternalServerError{},
		failure.AccessDenied: &smithy.GenericAPIError{Code: "AccessDeniedException"},
	} {
		s := &store{texts: map[string]string{version(3): document()}, errs: []error{answer}}
		p := s.open()
		_, err := p.Referenced(t.Context(), name, reference(t, document()))
		fails(t, err, kind, "reading the client configuration /clients/orders-web:3")
		if _, err := p.Referenced(t.Context(), name, reference(t, document())); err != nil {
			t.Errorf("the next call fails: %v", err)
		}
	}
}

func TestATextInMemoryIsServedWhileTheParameterCannotBeRead(t *testing.T) {
	t.Parallel()
	s := &store{texts: map[string]string{version(3): document()}}
	p := s.open()
	if _, err := p.Referenced(t.Context(), name, reference(t, document())); err != nil {
		t.Fatal(err)
	}
	s.texts = nil
	if _, err := p.Referenced(t.Context(), name, reference(t, document())); err != nil {
		t.Error(err)
	}
	if _, err := p.Referenced(t.Context(), "billing", reference(t, document())); err == nil {
		t.Error("it is served to another client")
	}
}
