package parameters_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"alboidc.internal/shared/awstest/awsapi"
	ssmtest "alboidc.internal/shared/awstest/ssm"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/parameters"
)

const name = "orders-web"

// document is a configuration of the client; pairs of text replace what it has.
func document(pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(
		`{"name":"orders-web","issuer":"https://idp.example","clientId":"0oa1","callbackUrl":"https://orders.example/oauth2/idpresponse",
		"secret":{"arn":"arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-AbCdEf"},
		"identityProvider":{"type":"okta","authorizationEndpoint":"https://idp.example/a","tokenEndpoint":"https://idp.example/t","settings":{}},
		"loadBalancers":["arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/orders/50dc6c495c0c9188"],"spreadSeconds":60,
		"smokeTests":{"credential":{},"redirect":[{"url":"https://orders.example/"}]}}`)
}

// store is Parameter Store, and what is asked of it.
type store struct {
	*ssm.Client
	t      *testing.T
	faults fault.Injector
	asked  int
	slept  time.Duration
	onWait func(slept time.Duration)
}

// newStore holds these versions of the client's parameter; "" makes it again.
func newStore(t *testing.T, texts ...string) *store {
	s := &store{t: t}
	c := clock.NewVirtual(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	s.Client = ssm.NewFromConfig(awsapi.Config(awsapi.NewServer(c, &s.faults, ssmtest.New(c)), "eu-central-1"))
	for _, text := range texts {
		s.put(text)
	}
	s.faults.Observe(func(_, operation, _ string) {
		if operation == "GetParameter" {
			s.asked++
		}
	})
	return s
}

func (s *store) put(text string) {
	s.t.Helper()
	parameter := aws.String("/clients/" + name)
	var err error
	if text == "" {
		_, err = s.DeleteParameter(s.t.Context(), &ssm.DeleteParameterInput{Name: parameter})
	} else {
		_, err = s.PutParameter(s.t.Context(), &ssm.PutParameterInput{Name: parameter, Value: &text,
			Type: types.ParameterTypeString, Overwrite: aws.Bool(true)})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// refuse lets the next request fail with an error code.
func (s *store) refuse(status int, code string) {
	s.t.Helper()
	if _, err := s.faults.Add(fault.Rule{Service: "ssm", Operation: "*", Mode: fault.Refuse, Status: status, Code: code,
		Times: 1}); err != nil {
		s.t.Fatal(err)
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

// reference to version 3 with that text.
func reference(t *testing.T, text string) config.Reference {
	t.Helper()
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	return config.Reference{Execution: "arn", Text: config.Text{Version: 3, SHA256: hex.EncodeToString(sum[:])},
		Client: c.Identity()}
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
	s := newStore(t, changed, changed, old, changed)
	p := s.open()
	for range 3 {
		c, err := p.Referenced(t.Context(), name, reference(t, old))
		if err != nil || c.Spread() != 60 {
			t.Errorf("the spread is %d (%v)", c.Spread(), err)
		}
	}
	if s.asked != 1 {
		t.Errorf("it was read %d times: a text is read once", s.asked)
	}
}

func TestWhereThatTextIsGoneTheNewestOfTheSameClientCounts(t *testing.T) {
	t.Parallel()
	old, changed := document(), document(`"spreadSeconds":60`, `"spreadSeconds":90`)
	for what, texts := range map[string][]string{
		"of more than a hundred versions the oldest goes": append([]string{old, old, old},
			slices.Repeat([]string{changed}, 100)...),
		"a parameter that was made again begins at 1": {old, old, old, "", changed},
		"and reaches the number with another text":    {old, old, old, "", changed, changed, changed},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c, err := newStore(t, texts...).open().Referenced(t.Context(), name, reference(t, old))
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
			_, err := newStore(t, document(pair[0], pair[1])).open().Referenced(t.Context(), name,
				reference(t, document()))
			fails(t, err, failure.Reconfigured, "changed in "+field+" while this rotation ran")
		})
	}
	_, err := newStore(t, document(`"orders-web"`, `"billing"`)).open().Referenced(t.Context(), name,
		reference(t, document()))
	fails(t, err, failure.Reconfigured, `the configuration of client "orders-web" is for client "billing"`)
	_, err = newStore(t).open().Referenced(t.Context(), name, reference(t, document()))
	fails(t, err, failure.Reconfigured, "the client configuration /clients/orders-web is gone")
}

func TestAVersionThatIsNotFoundIsLookedForForTenSeconds(t *testing.T) {
	t.Parallel()
	s := newStore(t, document("0oa1", "0oa2"), document("0oa1", "0oa2"))
	s.onWait = func(slept time.Duration) {
		if slept == 6*time.Second {
			s.put(document())
		}
	}
	c, err := s.open().Referenced(t.Context(), name, reference(t, document()))
	if err != nil || c.ClientID != "0oa1" || s.slept != 6*time.Second {
		t.Errorf("after %s the client id is %s (%v)", s.slept, c.ClientID, err)
	}
	gone := newStore(t)
	_, err = gone.open().Newest(t.Context(), name)
	fails(t, err, failure.Precondition, "the client configuration /clients/orders-web is gone: put it back")
	if gone.slept != 10*time.Second {
		t.Errorf("it was looked for for %s", gone.slept)
	}
}

func TestThrottlingAndNoAnswerAreTransient(t *testing.T) {
	t.Parallel()
	for kind, answer := range map[failure.Kind]struct {
		status int
		code   string
	}{
		failure.Throttled:    {400, "ThrottlingException"},
		failure.Unavailable:  {500, "InternalServerError"},
		failure.AccessDenied: {400, "AccessDeniedException"},
	} {
		s := newStore(t, document(), document(), document())
		s.refuse(answer.status, answer.code)
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
	s := newStore(t, document(), document(), document())
	p := s.open()
	if _, err := p.Referenced(t.Context(), name, reference(t, document())); err != nil {
		t.Fatal(err)
	}
	s.put("")
	if _, err := p.Referenced(t.Context(), name, reference(t, document())); err != nil {
		t.Error(err)
	}
	if _, err := p.Referenced(t.Context(), "billing", reference(t, document())); err == nil {
		t.Error("it is served to another client")
	}
}
