package dynamodb_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/dynamodb"
	"alboidc.internal/shared/clock"
)

// The SDK cannot send these, but hand-written JSON, such as a state machine's arguments, can.
func TestMalformedAttributeValuesAreRefusedWithoutRepeatingThem(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	srv := httptest.NewServer(awsapi.NewServer(c, nil, dynamodb.New(c)))
	t.Cleanup(srv.Close)
	for value, tc := range map[string]struct{ code, text string }{
		`{}`:                                 {"ValidationException", "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		`null`:                               {"ValidationException", "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		`{"S":"canary","N":"1"}`:             {"ValidationException", "Supplied AttributeValue has more than one datatypes set"},
		`{"X":"canary"}`:                     {"ValidationException", "unknown datatype X"},
		`"canary"`:                           {"SerializationException", "not of the type"},
		`{"S":5}`:                            {"SerializationException", "not of the type"},
		`{"S":null}`:                         {"SerializationException", "not of the type"},
		`{"N":5}`:                            {"SerializationException", "not of the type"},
		`{"B":"canary!"}`:                    {"SerializationException", "not of the type"},
		`{"BOOL":"canary"}`:                  {"SerializationException", "not of the type"},
		`{"SS":"canary"}`:                    {"SerializationException", "not of the type"},
		`{"M":{"x":{"L":[{"N":"canary"}]}}}`: {"ValidationException", "cannot be converted to a numeric value"},
		`{"L":[{"NS":["1","canary"]}]}`:      {"ValidationException", "cannot be converted to a numeric value"},
	} {
		req, err := http.NewRequest(http.MethodPost, srv.URL, strings.NewReader(`{"TableName":"table","Item":{"v":`+value+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", "DynamoDB_20120810.PutItem")
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260301/eu-central-1/dynamodb/aws4_request")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Code    string `json:"__type"`
			Message string `json:"message"`
		}
		err = json.NewDecoder(res.Body).Decode(&body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusBadRequest || body.Code != tc.code || !strings.Contains(body.Message, tc.text) {
			t.Errorf("%s: %d %+v (%v)", value, res.StatusCode, body, err)
		}
		if strings.Contains(body.Message, "canary") {
			t.Errorf("%s: the error repeats the value", value)
		}
	}
}
