package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/telemetry"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestMetricsAreInTheEmbeddedMetricFormat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		put  func(*telemetry.Metrics) error
		want string
	}{
		{"a rotation's outcome", func(m *telemetry.Metrics) error {
			return m.RotationEnded("orders-web", telemetry.RolledBack)
		},
			`{"Rotations":1,"client":"orders-web","outcome":"rolled-back","_aws":{"Timestamp":1795348800000,"CloudWatchMetrics":[
			{"Namespace":"AlbOidcRotator","Dimensions":[["client","outcome"]],"Metrics":[{"Name":"Rotations","Unit":"Count"}]}]}}`},
		{"a rotation's duration", func(m *telemetry.Metrics) error {
			return m.RotationTook("orders-web", 25*time.Hour)
		},
			`{"RotationDuration":90000,"client":"orders-web","_aws":{"Timestamp":1795348800000,"CloudWatchMetrics":[
			{"Namespace":"AlbOidcRotator","Dimensions":[["client"]],"Metrics":[{"Name":"RotationDuration","Unit":"Seconds"}]}]}}`},
		{"a step's duration", func(m *telemetry.Metrics) error {
			return m.StepTook("orders-web", "SetSecret", 1500*time.Microsecond)
		},
			`{"StepDuration":1.5,"client":"orders-web","state":"SetSecret","_aws":{"Timestamp":1795348800000,"CloudWatchMetrics":[
			{"Namespace":"AlbOidcRotator","Dimensions":[["client","state"]],"Metrics":[{"Name":"StepDuration","Unit":"Milliseconds"}]}]}}`},
		{"a secret's age", func(m *telemetry.Metrics) error { return m.SecretAge("orders-web", 36*time.Hour) },
			`{"SecretAge":129600,"client":"orders-web","_aws":{"Timestamp":1795348800000,"CloudWatchMetrics":[
			{"Namespace":"AlbOidcRotator","Dimensions":[["client"]],"Metrics":[{"Name":"SecretAge","Unit":"Seconds"}]}]}}`},
		{"how long the lock is held", func(m *telemetry.Metrics) error { return m.LockHeld("orders-web", time.Minute) },
			`{"LockHeld":60,"client":"orders-web","_aws":{"Timestamp":1795348800000,"CloudWatchMetrics":[
			{"Namespace":"AlbOidcRotator","Dimensions":[["client"]],"Metrics":[{"Name":"LockHeld","Unit":"Seconds"}]}]}}`},
		{"a refused secret", func(m *telemetry.Metrics) error { return m.SecretRefused("orders-web", true) },
			`{"SecretRefused":1,"client":"orders-web","_aws":{"Timestamp":1795348800000,"CloudWatchMetrics":[
			{"Namespace":"AlbOidcRotator","Dimensions":[["client"]],"Metrics":[{"Name":"SecretRefused","Unit":"Count"}]}]}}`},
		{"an accepted secret", func(m *telemetry.Metrics) error { return m.SecretRefused("orders-web", false) },
			`{"SecretRefused":0,"client":"orders-web","_aws":{"Timestamp":1795348800000,"CloudWatchMetrics":[
			{"Namespace":"AlbOidcRotator","Dimensions":[["client"]],"Metrics":[{"Name":"SecretRefused","Unit":"Count"}]}]}}`},
		{"when the secret ends", func(m *telemetry.Metrics) error {
			return m.SecretEndsIn("orders-web", 7*24*time.Hour)
		},
			`{"SecretEndsIn":604800,"client":"orders-web","_aws":{"Timestamp":1795348800000,"CloudWatchMetrics":[
			{"Namespace":"AlbOidcRotator","Dimensions":[["client"]],"Metrics":[{"Name":"SecretEndsIn","Unit":"Seconds"}]}]}}`},
		{"a login's latency", func(m *telemetry.Metrics) error { return m.LoginTook("orders-web", 2*time.Second) },
			`{"LoginLatency":2000,"client":"orders-web","_aws":{"Timestamp":1795348800000,"CloudWatchMetrics":[
			{"Namespace":"AlbOidcRotator","Dimensions":[["client"]],"Metrics":[{"Name":"LoginLatency","Unit":"Milliseconds"}]}]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			if err := c.put(telemetry.NewMetrics(&buf, func() time.Time { return noon })); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(buf.String(), "}\n") || strings.Count(buf.String(), "\n") != 1 {
				t.Errorf("not one line: %q", buf.String())
			}
			if got, want := decoded(t, buf.String()), decoded(t, c.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func decoded(t *testing.T, s string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v: %s", err, s)
	}
	return v
}

func TestAMeasurementThatCloudWatchWouldDropIsAnError(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	m := telemetry.NewMetrics(&buf, func() time.Time { return noon })
	for name, err := range map[string]error{
		"no client":   m.SecretAge("", time.Hour),
		"no state":    m.StepTook("orders-web", "", time.Second),
		"long client": m.LoginTook(strings.Repeat("x", 1025), time.Second),
	} {
		if err == nil || buf.Len() != 0 {
			t.Errorf("%s: error %v, written %q", name, err, buf.String())
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("broken pipe")

func TestAWriteThatFailsIsReported(t *testing.T) {
	t.Parallel()
	err := telemetry.NewMetrics(brokenPipe{}, func() time.Time { return noon }).SecretAge("orders-web", time.Hour)
	if !errors.Is(err, errBroken) {
		t.Errorf("error is %v", err)
	}
}
