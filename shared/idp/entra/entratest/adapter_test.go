package entratest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/sts"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	adapter "alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/face"
	"alboidc.internal/shared/secret"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// backend is the local Entra ID as the providers' conformance suite sees it.
type backend struct {
	store  *clients.Store
	clock  *clock.Virtual
	faults *fault.Injector

	mu      sync.Mutex
	inForce map[idptest.Operation]int
}

// current is the secret that the registration has from the start.
const current = "99999999-0000-4000-8000-000000000001"

func (b *backend) Current() (string, secret.Value) { return current, secret.New(old) }

func (b *backend) Accepts(v secret.Value) bool {
	return b.store.Accepts(appID, v.Reveal(), b.clock.Now())
}

func (b *backend) IDs() []string {
	var ids []string
	for _, s := range b.store.Secrets(appID) {
		ids = append(ids, s.ID)
	}
	return ids
}

// requests are what carries the operations out.
var requests = map[idptest.Operation]string{idptest.Check: "entra.getApplication", idptest.List: "entra.getApplication",
	idptest.Create: "entra.addPassword", idptest.Remove: "entra.removePassword"}

func (b *backend) Break(op idptest.Operation, f idptest.Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, ok := b.inForce[op]; ok {
		b.faults.Remove(id)
		delete(b.inForce, op)
	}
	rule, ok := map[idptest.Fault]fault.Rule{
		idptest.Throttle:  {Mode: fault.Refuse, Status: http.StatusTooManyRequests},
		idptest.Break:     {Mode: fault.Refuse, Status: http.StatusServiceUnavailable},
		idptest.Forbid:    {Mode: fault.Refuse, Status: http.StatusForbidden},
		idptest.Garble:    {Mode: fault.Refuse, Code: face.WrongJSON},
		idptest.Misshape:  {Mode: fault.Refuse, Code: face.OtherJSON},
		idptest.LoseReply: {Mode: fault.Lose},
		idptest.Hang:      {Mode: fault.Delay, Latency: time.Hour},
	}[f]
	if !ok {
		return
	}
	rule.Service, rule.Operation = "idp", requests[op]
	id, err := b.faults.Add(rule)
	if err != nil {
		panic(err)
	}
	b.inForce[op] = id
}

// handClock moves only by hand: its sleepers wait until the test ends, and then do not go on.
type handClock struct {
	*clock.Virtual
	ended chan struct{}
}

func (h handClock) Sleep(context.Context, time.Duration) error {
	<-h.ended
	return context.Canceled
}

// rotatorKey is made once: RSA keys are slow to make.
var rotatorKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := newKey()
	if err != nil {
		panic(err)
	}
	return key
})

func newKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

const (
	rotatorID = "dddddddd-0000-4000-8000-000000000004"
	secretARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:entra-admin"
)

// admin is a way to prove who the rotator is: its settings, what is stored for it, and its web identity.
type admin struct {
	settings, stored string
	identity         func(ctx context.Context, audience string) (secret.Value, error)
}

func withSecret(_ *testing.T, e *entratest.Entra) admin {
	return admin{settings: fmt.Sprintf(`"clientSecret": {"clientId": %q, "secretArn": %q}`, entratest.RotatorID, secretARN), stored: e.AdminToken()}
}

func withCertificate(t *testing.T, e *entratest.Entra) admin {
	t.Helper()
	key := rotatorKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: noon().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.RegisterRotator(entratest.Rotator{ClientID: rotatorID, Certificate: certificate}); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return admin{stored: string(private), settings: fmt.Sprintf(`"certificate": {"clientId": %q, "keySecretArn": %q, "sha256": %q}`,
		rotatorID, secretARN, hex.EncodeToString(sum[:]))}
}

// The identity that AWS STS would state (IAM user guide, "Outbound identity federation").
const (
	stsIssuer = "https://00000000-1111-2222-3333-444444444444.tokens.sts.global.api.aws"
	role      = "arn:aws:iam::111122223333:role/alb-rotator"
	exchange  = "api://AzureADTokenExchange"
)

func withWebIdentity(t *testing.T, e *entratest.Entra) admin {
	t.Helper()
	public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: rotatorKey().Public(), KeyID: "sts-1", Algorithm: string(jose.RS256)}}}
	err := e.RegisterRotator(entratest.Rotator{ClientID: rotatorID, Federated: &entratest.Federated{Issuer: stsIssuer, Subject: role, Audience: exchange,
		Keys: func() (jose.JSONWebKeySet, error) { return public, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	return admin{settings: fmt.Sprintf(`"webIdentity": {"clientId": %q}`, rotatorID), identity: func(_ context.Context, audience string) (secret.Value, error) {
		token, err := sign(jose.RS256, rotatorKey(), "sts-1", jwt.Claims{Issuer: stsIssuer, Subject: role, Audience: jwt.Audience{audience},
			IssuedAt: jwt.NewNumericDate(noon()), Expiry: jwt.NewNumericDate(noon().Add(time.Minute))})
		return secret.New(token), err
	}}
}

// withSTS is a web identity as in production: the functions' own request to AWS STS.
func withSTS(t *testing.T, e *entratest.Entra) admin {
	t.Helper()
	service := sts.New(clock.NewVirtual(noon()))
	server := httptest.NewServer(awsapi.NewServer(clock.Real{}, nil, service))
	t.Cleanup(server.Close)
	err := e.RegisterRotator(entratest.Rotator{ClientID: rotatorID, Federated: &entratest.Federated{Issuer: sts.Issuer, Subject: sts.Role, Audience: exchange, Keys: service.Keys}})
	if err != nil {
		t.Fatal(err)
	}
	tokens := awssts.New(awssts.Options{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	identity := func(ctx context.Context, audience string) (secret.Value, error) {
		out, err := tokens.GetWebIdentityToken(ctx, &awssts.GetWebIdentityTokenInput{Audience: []string{audience},
			SigningAlgorithm: aws.String("RS256"), DurationSeconds: aws.Int32(60)})
		if err != nil {
			return secret.Value{}, err
		}
		return secret.New(*out.WebIdentityToken), nil
	}
	return admin{settings: fmt.Sprintf(`"webIdentity": {"clientId": %q}`, rotatorID), identity: identity}
}

func sign(alg jose.SignatureAlgorithm, key any, keyID string, c jwt.Claims) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", keyID))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(c).Serialize()
}

// subject is the production adapter and the local Entra ID that it talks to.
type subject struct {
	idp.Provider
	*backend
	entra *entratest.Entra
}

func newSubject(t *testing.T, credential func(*testing.T, *entratest.Entra) admin, more string) subject {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	c := handClock{clock.NewVirtual(noon()), make(chan struct{})}
	t.Cleanup(func() { close(c.ended) }) // before the server closes, which waits for its requests
	b := &backend{store: clients.New(c), clock: c.Virtual, faults: &fault.Injector{}, inForce: map[idptest.Operation]int{}}
	f, err := entratest.New(face.Env{BaseURL: server.URL, Clock: c, Store: b.store, Faults: b.faults})
	if err != nil {
		t.Fatal(err)
	}
	e := f.(*entratest.Entra)
	serve(mux, e)
	register(t, b.store, current)
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	client, err := httpclient.New(httpclient.Options{RootCAs: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	a := credential(t, e)
	settings := fmt.Sprintf(`{"tenantId": %q, "graphUrl": %q, "loginUrl": %q, %s %s}`, entratest.TenantID, server.URL, server.URL, more, a.settings)
	p, err := adapter.New([]byte(settings), idp.Client{Name: "orders-web", ClientID: appID}, idp.Deps{
		HTTP:        client,
		Secret:      func(context.Context, string) (secret.Value, error) { return secret.New(a.stored), nil },
		WebIdentity: a.identity,
		Now:         c.Now,
		Sleep:       func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return subject{Provider: p, backend: b, entra: e}
}

// TestTheRotatorsAdapterConformsHere runs the production adapter against this Entra ID: what the one sends and reads is
// what the other takes and answers.
func TestTheRotatorsAdapterConformsHere(t *testing.T) {
	t.Parallel()
	for name, credential := range map[string]func(*testing.T, *entratest.Entra) admin{
		"with a client secret": withSecret, "with a certificate": withCertificate, "with a web identity": withWebIdentity,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
				s := newSubject(t, credential, "")
				return s.Provider, s.backend
			}})
		})
	}
}

func TestTheAdapterConformsAtARegistrationForPersonalAccounts(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		s := newSubject(t, withSecret, `"personalAccounts": true,`)
		s.entra.SetSignInAudience(appID, "AzureADandPersonalMicrosoftAccount")
		return s.Provider, s.backend
	}})
}

func TestTheFunctionsRoleIsAllTheCredentialThatIsNeeded(t *testing.T) {
	t.Parallel()
	s := newSubject(t, withSTS, "")
	made, err := s.Create(t.Context(), idp.CreateRequest{Tag: "v2"})
	if err != nil || !s.Accepts(made.Value) {
		t.Errorf("Create: %v", err)
	}
}

func TestTheAdapterFindsItsWayByObjectID(t *testing.T) {
	t.Parallel()
	s := newSubject(t, withSecret, `"applicationObjectId": "`+objectID+`",`)
	made, err := s.Create(t.Context(), idp.CreateRequest{Tag: "v2"})
	if err != nil || !s.Accepts(made.Value) {
		t.Fatalf("Create: %v", err)
	}
	if err := s.Remove(t.Context(), made.ID); err != nil || s.Accepts(made.Value) {
		t.Errorf("Remove: %v", err)
	}
}

func TestRefusalsOfTheTenantReachTheOperator(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*testing.T, subject)
		kind    failure.Kind
	}{
		"a policy against secrets":    {func(_ *testing.T, s subject) { s.entra.SetPolicy(entratest.Policy{NoSecrets: true}) }, failure.IdPRejected},
		"a policy against long lives": {func(_ *testing.T, s subject) { s.entra.SetPolicy(entratest.Policy{MaxLifetime: 90 * 24 * time.Hour}) }, failure.IdPRejected},
		"another owner": {func(t *testing.T, s subject) {
			if err := s.entra.RegisterRotator(entratest.Rotator{ClientID: entratest.RotatorID, Secret: s.entra.AdminToken(), NotOwned: []string{appID}}); err != nil {
				t.Fatal(err)
			}
		}, failure.IdPRejected},
		"other changes at the same time": {func(t *testing.T, s subject) {
			rule := fault.Rule{Service: "idp", Operation: "entra.addPassword", Mode: fault.Refuse, Status: 409, Code: "Directory_ConcurrencyViolation"}
			if _, err := s.faults.Add(rule); err != nil {
				t.Fatal(err)
			}
		}, failure.Throttled},
		"no access token": {func(t *testing.T, s subject) {
			if _, err := s.faults.Add(fault.Rule{Service: "idp", Operation: "entra.adminToken", Mode: fault.Refuse, Status: 429}); err != nil {
				t.Fatal(err)
			}
		}, failure.Throttled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t, withSecret, "")
			c.prepare(t, s)
			if _, err := s.Create(t.Context(), idp.CreateRequest{Tag: "v2"}); !failure.Is(err, c.kind) {
				t.Errorf("Create: %v (%s), want %s", err, failure.KindOf(err), c.kind)
			}
			if got := s.IDs(); len(got) != 1 {
				t.Errorf("there are %d secrets", len(got))
			}
		})
	}
}

func TestARemovalThatTheListHasNotHeardOfIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newSubject(t, withSecret, "")
	s.clock.Advance(time.Minute)
	s.entra.SetListDelay(20 * time.Second)
	if err := s.Remove(t.Context(), current); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), current); !failure.Is(err, failure.Unavailable) {
		t.Errorf("again, while the list lags behind: %v (%s), want %s", err, failure.KindOf(err), failure.Unavailable)
	}
	s.clock.Advance(20 * time.Second)
	if err := s.Remove(t.Context(), current); err != nil {
		t.Errorf("again, when the list knows: %v", err)
	}
}

func TestASecretWhoseReplyWasLostIsListedByItsTagOnceTheListKnows(t *testing.T) {
	t.Parallel()
	s := newSubject(t, withSecret, "")
	s.clock.Advance(time.Minute)
	s.entra.SetListDelay(20 * time.Second)
	s.Break(idptest.Create, idptest.LoseReply)
	if _, err := s.Create(t.Context(), idp.CreateRequest{Tag: "v2"}); !failure.Is(err, failure.Unavailable) {
		t.Fatalf("Create without a reply: %v", err)
	}
	for _, want := range []int{1, 2} {
		list, err := s.List(t.Context())
		if err != nil || len(list) != want || list[want-1].Tag != map[int]string{1: "", 2: "v2"}[want] {
			t.Fatalf("List is %+v, %v; want %d secrets", list, err, want)
		}
		s.clock.Advance(20 * time.Second)
	}
}
