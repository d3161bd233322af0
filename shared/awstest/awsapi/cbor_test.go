package awsapi

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

func TestCBORRequestReadsAsTheJSONThatMeansTheSame(t *testing.T) {
	t.Parallel()
	body := cbor.Encode(cbor.Map{"Id": cbor.String("m1"), "Period": cbor.Uint(60), "Low": cbor.NegInt(5),
		"Threshold":  cbor.Float64(1.5),
		"ReturnData": cbor.Bool(true), "Start": &cbor.Tag{ID: 1, Value: cbor.Uint(1772359200)},
		"List": cbor.List{cbor.String("a"), &cbor.Nil{}}})
	got, err := jsonFromCBOR(body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Id":"m1","List":["a",null],"Low":-5,"Period":60,"ReturnData":true,"Start":1772359200,"Threshold":1.5}`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCBORRequestThatIsNotValidIsRefused(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{
		"cut off":         {0xa1, 0x61},
		"an unknown tag":  cbor.Encode(cbor.Map{"x": &cbor.Tag{ID: 7, Value: cbor.Uint(1)}}),
		"not a number":    cbor.Encode(cbor.Map{"x": cbor.Float64(math.NaN())}),
		"a number's list": cbor.Encode(cbor.List{cbor.Float64(math.Inf(1))}),
	} {
		if got, err := jsonFromCBOR(body); err == nil {
			t.Errorf("%s: accepted as %s", name, got)
		}
	}
}

func TestCBORAnswerFollowsTheJSONTagsAndMarksInstants(t *testing.T) {
	t.Parallel()
	type inner struct {
		Name string `json:"Name"`
	}
	v := struct {
		inner
		At    Timestamp          `json:"At"`
		Never Timestamp          `json:"Never,omitzero"`
		Empty []string           `json:"Empty,omitempty"`
		N     int                `json:"N"`
		P     *float64           `json:"P"`
		M     map[string]float64 `json:"M"`
	}{inner: inner{"x"}, At: Timestamp{time.UnixMilli(1500)}, N: -3, M: map[string]float64{"a": 2}}
	b, err := marshalCBOR(v)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := cbor.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	m := decoded.(cbor.Map)
	at, err := cbor.AsTime(m["At"])
	if err != nil || at.UnixMilli() != 1500 {
		t.Errorf("At is %v, %v", m["At"], err)
	}
	if _, ok := m["P"].(*cbor.Nil); !ok || m["Name"] != cbor.String("x") || m["N"] != cbor.NegInt(3) || len(m) != 5 {
		t.Errorf("encoded %v", m)
	}
}

func TestTimestampIsANumberOfSecondsWithThreeDecimals(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(Timestamp{time.UnixMilli(1772359200123)})
	if err != nil || string(b) != "1772359200.123" {
		t.Fatalf("%s %v", b, err)
	}
	var back Timestamp
	if err := json.Unmarshal(b, &back); err != nil || back.UnixMilli() != 1772359200123 {
		t.Errorf("%v %v", back, err)
	}
	if err := json.Unmarshal([]byte(`"2026-03-01"`), &back); err == nil {
		t.Error("a text was accepted")
	}
}
