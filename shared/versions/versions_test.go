package versions_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

func wantKind(t *testing.T, err error, kind failure.Kind) {
	t.Helper()
	if !failure.Is(err, kind) {
		t.Fatalf("error %v, want one of kind %s", err, kind)
	}
}

func wantValue(t *testing.T, v secret.Value, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if v.Reveal() != want {
		t.Fatalf("value %q, want %q", v.Reveal(), want)
	}
}

func TestLabelsAreReadByVersion(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": b, "AWSPENDING": b, "AWSPREVIOUS": "a", "OTHER": "c"})
	got, err := f.store("").Labels(context.Background())
	if want := (versions.Labels{Current: b, Pending: b, Previous: "a"}); err != nil || got != want {
		t.Fatalf("labels %+v (%v), want %+v", got, err, want)
	}
}

func TestASecretMarkedForDeletionIsRefused(t *testing.T) {
	t.Parallel()
	f := newStored(t, nil)
	f.change(smtest.Deleted(created))
	_, err := f.store("").Labels(context.Background())
	wantKind(t, err, failure.Precondition)
}

func TestErrorsOfSecretsManagerGetTheirKind(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		status int
		code   string
		want   failure.Kind
	}{
		"throttled":                       {400, "ThrottlingException", failure.Throttled},
		"internal error":                  {500, "InternalServiceError", failure.Unavailable},
		"access denied":                   {400, "AccessDeniedException", failure.AccessDenied},
		"a KMS key that cannot be used":   {400, "DecryptionFailure", failure.AccessDenied},
		"no such secret":                  {400, "ResourceNotFoundException", failure.Precondition},
		"a secret that is to be deleted":  {400, "InvalidRequestException", failure.Precondition},
		"a request that we built wrongly": {400, "InvalidParameterException", failure.Internal},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newStored(t, nil)
			f.refuse("DescribeSecret", c.status, c.code)
			_, err := f.store("").Labels(context.Background())
			wantKind(t, err, c.want)
		})
	}
}

// read is the client secret in a version.
func read(ctx context.Context, s *versions.Store, version, key string) (secret.Value, error) {
	t, err := s.Text(ctx, version)
	if err != nil {
		return secret.Value{}, err
	}
	return t.Secret(key)
}

func TestAValueIsReadWhole(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": "a"})
	v, err := read(t.Context(), f.store(""), "a", "")
	wantValue(t, v, err, "secret of a")
}

func TestAValueThatIsNotVisibleYetIsReadAgain(t *testing.T) {
	t.Parallel()
	f := newStored(t, nil)
	f.late(2*time.Second, func() { f.has("a", "secret of a") })
	v, err := read(t.Context(), f.store(""), "a", "")
	wantValue(t, v, err, "secret of a")
	if f.slept == 0 {
		t.Error("read again without a pause")
	}
}

func TestAVersionThatIsReallyAbsentIsTold(t *testing.T) {
	t.Parallel()
	_, err := read(t.Context(), newStored(t, nil).store(""), "nope", "")
	if !errors.Is(err, versions.ErrNotFound) {
		t.Fatalf("error %v, want ErrNotFound", err)
	}
}

// A read that failed is no version that is gone: its secret would be made anew, or given up.
func TestAReadThatFailsSaysNothingAboutTheVersion(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": "a"})
	for code, want := range map[string]failure.Kind{"ThrottlingException": failure.Throttled,
		"AccessDeniedException": failure.AccessDenied} {
		f.refuse("GetSecretValue", 400, code)
		if _, err := f.store("").Text(t.Context(), "a"); !failure.Is(err, want) ||
			errors.Is(err, versions.ErrNotFound) {
			t.Errorf("a version that could not be read counts as gone: %v, want %s", err, want)
		}
		f.refuse("GetSecretValue", 400, code)
		if exists, err := f.store("").Exists(t.Context(), "nope"); exists || !failure.Is(err, want) {
			t.Errorf("a version that could not be looked for exists: %v (%v), want %s", exists, err, want)
		}
		f.refuse("GetSecretValue", 400, code)
		if is, err := f.store("").IsCurrent(t.Context(), "a"); is || !failure.Is(err, want) {
			t.Errorf("a version that could not be read is AWSCURRENT: %v (%v), want %s", is, err, want)
		}
		f.refuse("GetSecretValue", 400, code)
		if _, err := versions.Current(t.Context(), f, arn); !failure.Is(err, want) {
			t.Errorf("a secret that could not be read is %v, want %s", err, want)
		}
	}
}

// What a version holds never changes, and is kept; where a label is does, and is not.
func TestAVersionSaysWhetherItIsCurrentAtThatMoment(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": "a", "AWSPENDING": b})
	f.has("a", "secret of a", "AWSCURRENT")
	f.has(b, "secret of b", "AWSPENDING")
	s := f.store("")
	is := func(version string, want bool) {
		t.Helper()
		if got, err := s.IsCurrent(t.Context(), version); err != nil || got != want {
			t.Errorf("version %s is AWSCURRENT: %v (%v)", version, got, err)
		}
	}
	is("a", true)
	is(b, false)
	is("nope", false)
	f.change(smtest.Label("AWSCURRENT", b))
	is("a", false)
	is(b, true)
	if f.slept != 0 {
		t.Error("it waited for a version that is not there")
	}
	f.refuse("GetSecretValue", 400, "ThrottlingException")
	v, err := s.Text(t.Context(), b)
	if err != nil || !v.Fits("") {
		t.Errorf("the text was read again (%v)", err)
	}
}

func TestWaitingForAValueEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := read(ctx, newStored(t, nil).store(""), "nope", "")
	wantKind(t, err, failure.Unavailable)
}

func TestAMemberOfAJSONObjectIsTheClientSecret(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		stored, want string
		refusal      string
	}{
		"text":                           {`{"user":"u","clientSecret":"a<&\"b"}`, `a<&"b`, ""},
		"a missing member":               {`{"user":"CANARY"}`, "", `no member "clientSecret"`},
		"a member that is not text":      {`{"clientSecret":12345}`, "", "is not text"},
		"a member that is null":          {`{"clientSecret":null}`, "", "is not text"},
		"an empty member":                {`{"clientSecret":""}`, "", "holds no client secret"},
		"a value that is not JSON":       {`CANARY`, "", "not a JSON object"},
		"a JSON value that is no object": {`null`, "", "not a JSON object"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newStored(t, nil)
			f.has("a", c.stored)
			v, err := read(t.Context(), f.store(""), "a", "clientSecret")
			if c.refusal == "" {
				wantValue(t, v, err, c.want)
				return
			}
			wantKind(t, err, failure.Precondition)
			if !strings.Contains(err.Error(), c.refusal) || strings.Contains(err.Error(), "CANARY") {
				t.Fatalf("text %q, want %q and no part of the value", err, c.refusal)
			}
		})
	}
}

func TestABinaryValueIsRefused(t *testing.T) {
	t.Parallel()
	f := newStored(t, nil)
	f.binary(b, "secret")
	_, err := read(t.Context(), f.store(""), b, "")
	wantKind(t, err, failure.Precondition)
}

func TestAnEmptyValueIsRefused(t *testing.T) {
	t.Parallel()
	f := newStored(t, nil)
	f.has("a", "")
	_, err := read(t.Context(), f.store(""), "a", "")
	wantKind(t, err, failure.Precondition)
}

func TestStoringMakesAPendingVersionAndLeavesTheCurrentOne(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": "a", "AWSPENDING": "stray"})
	if err := f.store("").PutPending(context.Background(), b, secret.New("new"), "a"); err != nil {
		t.Fatal(err)
	}
	if f.labels()["AWSCURRENT"] != "a" || f.labels()["AWSPENDING"] != b || f.values()[b] != "new" {
		t.Fatalf("labels %v", f.labels())
	}
}

func TestStoringAsCurrentMovesTheLabels(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ has, key, template, want string }{
		"plain": {"old", "", "a", "new"},
		"with what else is in it": {`{"n":1.50,"clientSecret":"old"}`, "clientSecret", "a",
			`{"clientSecret":"new","n":1.50}`},
		"alone, if nothing was carried": {"old", "clientSecret", "", `{"clientSecret":"new"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newStored(t, map[string]string{"AWSCURRENT": "a", "AWSPENDING": "stray"})
			f.has("a", c.has)
			for range 2 { // a repeat, too
				if err := f.store(c.key).PutCurrent(context.Background(), b, secret.New("new"),
					c.template); err != nil {
					t.Fatal(err)
				}
				if l := f.labels(); l["AWSCURRENT"] != b || l["AWSPREVIOUS"] != "a" || l["AWSPENDING"] != "stray" ||
					f.values()[b] != c.want {
					t.Fatalf("labels %v, value %s", l, f.values()[b])
				}
			}
		})
	}
}

func TestStoringTheSameAgainIsSuccess(t *testing.T) {
	t.Parallel()
	f := newStored(t, nil)
	f.has("a", `{"z":1,"clientSecret":"old","a":{"n":1.50}}`)
	for range 2 {
		if err := f.store("clientSecret").PutPending(context.Background(), b, secret.New("new"), "a"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStoringAfterALostReplyIsSuccess(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": "a"})
	f.lose("PutSecretValue", 1)
	err := f.store("").PutPending(context.Background(), b, secret.New("new"), "a")
	wantKind(t, err, failure.Unavailable)
	if err := f.store("").PutPending(context.Background(), b, secret.New("new"), "a"); err != nil {
		t.Fatal(err)
	}
}

func TestAVersionWithAnotherValueIsTold(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSPENDING": b})
	err := f.store("").PutPending(context.Background(), b, secret.New("another"), "a")
	if !errors.Is(err, versions.ErrExists) {
		t.Fatalf("error %v, want ErrExists", err)
	}
	if f.values()[b] != "secret of b" {
		t.Fatal("the value changed")
	}
}

func TestStoringAgainIsRefusedIfTheLabelHasLeftTheVersion(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": "a", "AWSPENDING": "stray"})
	f.has(b, "new")
	err := f.store("").PutPending(context.Background(), b, secret.New("new"), "a")
	wantKind(t, err, failure.Precondition)
}

func TestStoringAgainAfterThePromotionIsSuccess(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": b, "AWSPREVIOUS": "a"})
	if err := f.store("").PutPending(context.Background(), b, secret.New("secret of b"), "a"); err != nil {
		t.Fatal(err)
	}
}

func TestAnEmptySecretIsNeverStored(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": "a"})
	err := f.store("").PutPending(context.Background(), b, secret.Value{}, "a")
	wantKind(t, err, failure.Internal)
	if _, ok := f.values()[b]; ok {
		t.Fatal("it was stored")
	}
}

func TestTheOtherMembersAreCarriedOver(t *testing.T) {
	t.Parallel()
	f := newStored(t, nil)
	f.has("a",
		`{"z":1,"clientSecret":"old","url":"https://x/?a=1&b=<2>","big":12345678901234567890,"list":[1, {"k":null}]}`)
	if err := f.store("clientSecret").PutPending(context.Background(), b, secret.New("n<e>w"), "a"); err != nil {
		t.Fatal(err)
	}
	var old, stored map[string]json.RawMessage
	if err := json.Unmarshal([]byte(f.values()["a"]), &old); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(f.values()[b]), &stored); err != nil {
		t.Fatal(err)
	}
	for k, v := range old {
		want := strings.ReplaceAll(string(v), " ", "")
		if k == "clientSecret" {
			want = `"n<e>w"`
		}
		if got := string(stored[k]); got != want {
			t.Errorf("member %s is %s, want %s", k, got, want)
		}
	}
	if len(stored) != len(old) {
		t.Errorf("%d members, want %d", len(stored), len(old))
	}
}

func TestStoringWithAJSONKeyNeedsTheTemplate(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": "a"}) // its value is not JSON
	err := f.store("clientSecret").PutPending(context.Background(), b, secret.New("new"), "a")
	wantKind(t, err, failure.Precondition)
	if strings.Contains(err.Error(), "secret of a") {
		t.Fatalf("text %q shows the value", err)
	}
	err = f.store("clientSecret").PutPending(context.Background(), b, secret.New("new"), "gone")
	if !errors.Is(err, versions.ErrNotFound) {
		t.Fatalf("error %v, want ErrNotFound", err)
	}
}

func TestTheCurrentValueOfAnotherSecretIsReadWhole(t *testing.T) {
	t.Parallel()
	f := newStored(t, map[string]string{"AWSCURRENT": b, "AWSPENDING": "c"})
	v, err := versions.Current(context.Background(), f, arn)
	wantValue(t, v, err, "secret of b")
	f.binary("dddddddddddddddddddddddddddddddd", "secret")
	_, err = versions.Current(context.Background(), f, arn)
	wantKind(t, err, failure.Precondition)
	_, err = versions.Current(context.Background(), newStored(t, nil), arn)
	wantKind(t, err, failure.Precondition)
}

func TestAVersionTellsWhenItWasStored(t *testing.T) {
	t.Parallel()
	f := newStored(t, nil)
	f.late(time.Second, func() { f.has("v1", "secret") }) // what was written a moment ago may be missing
	if text, err := f.store("").Text(t.Context(), "v1"); err != nil || !text.Created.Equal(created) {
		t.Errorf("stored at %s: %v", text.Created, err)
	}
}
