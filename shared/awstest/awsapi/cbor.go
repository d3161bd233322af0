package awsapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// epochTag marks a CBOR number as an instant (RFC 8949, section 3.4.2); Smithy RPC v2 CBOR sends timestamps so.
const epochTag = 1

// these options are valid
var requests, _ = cbor.DecOptions{DefaultMapType: reflect.TypeFor[map[string]any]()}.DecMode()

// jsonFromCBOR rewrites a CBOR request as the JSON request that means the same, so that a service reads one form.
func jsonFromCBOR(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	var v any
	err := requests.Unmarshal(body, &v)
	if err == nil {
		v, err = plain(v)
	}
	var out []byte
	if err == nil {
		out, err = json.Marshal(v)
	}
	if err != nil {
		return nil, Errorf("SerializationException", "the request is not valid CBOR: %v", err)
	}
	return out, nil
}

// plain is a decoded value with instants as AWS JSON has them.
func plain(v any) (_ any, err error) {
	switch v := v.(type) {
	case time.Time:
		return Timestamp{v}, nil
	case cbor.Tag:
		return nil, fmt.Errorf("tag %d is not known", v.Number)
	case []any:
		for i := range v {
			if v[i], err = plain(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = plain(v[name]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// marshalCBOR encodes a result by its json tags. encoding/json cannot be the detour here: it would lose which numbers
// are instants.
func marshalCBOR(result any) ([]byte, error) {
	if result == nil {
		result = struct{}{}
	}
	return cbor.Marshal(result)
}

// MarshalCBOR implements cbor.Marshaler.
func (t Timestamp) MarshalCBOR() ([]byte, error) {
	return cbor.Marshal(cbor.Tag{Number: epochTag, Content: t.seconds()})
}
