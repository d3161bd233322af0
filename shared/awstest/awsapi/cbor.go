package awsapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// epochTag marks a CBOR number as an instant (RFC 8949, section 3.4.2); Smithy RPC v2 CBOR sends timestamps so.
const epochTag = 1

// jsonFromCBOR rewrites a CBOR request as the JSON request that means the same, so that a service reads one form.
func jsonFromCBOR(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, Errorf("SerializationException", "the request is not valid CBOR: %v", err)
	}
	plain, err := plainFromCBOR(v)
	if err != nil {
		return nil, Errorf("SerializationException", "the request is not valid: %v", err)
	}
	out, err := json.Marshal(plain)
	if err != nil {
		return nil, Errorf("SerializationException", "the request is not valid: %v", err)
	}
	return out, nil
}

func plainFromCBOR(v cbor.Value) (any, error) {
	switch v := v.(type) {
	case cbor.Uint:
		return uint64(v), nil
	case cbor.NegInt:
		return -int64(v), nil //nolint:gosec // no parameter of a service here is near the limits of int64
	case cbor.Float32:
		return float64(v), nil
	case cbor.Float64:
		return float64(v), nil
	case cbor.String:
		return string(v), nil
	case cbor.Slice:
		return []byte(v), nil
	case cbor.Bool:
		return bool(v), nil
	case *cbor.Nil, *cbor.Undefined:
		return nil, nil
	case *cbor.Tag:
		if v.ID != epochTag {
			return nil, fmt.Errorf("CBOR tag %d is not known", v.ID)
		}
		return plainFromCBOR(v.Value)
	case cbor.List:
		out := make([]any, 0, len(v))
		for _, e := range v {
			p, err := plainFromCBOR(e)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
		return out, nil
	case cbor.Map:
		out := make(map[string]any, len(v))
		for k, e := range v {
			p, err := plainFromCBOR(e)
			if err != nil {
				return nil, err
			}
			out[k] = p
		}
		return out, nil
	default:
		return nil, fmt.Errorf("CBOR type %T is not known", v)
	}
}

// marshalCBOR encodes a result by its json tags. encoding/json cannot be the detour here: it would lose which numbers
// are instants.
func marshalCBOR(result any) ([]byte, error) {
	if result == nil {
		return cbor.Encode(cbor.Map{}), nil
	}
	v, err := cborFrom(reflect.ValueOf(result))
	if err != nil {
		return nil, err
	}
	return cbor.Encode(v), nil
}

func cborFrom(v reflect.Value) (cbor.Value, error) {
	if v.IsValid() && v.CanInterface() {
		if t, ok := v.Interface().(Timestamp); ok {
			return &cbor.Tag{ID: epochTag, Value: cbor.Float64(t.seconds())}, nil
		}
	}
	switch v.Kind() {
	case reflect.Invalid:
		return &cbor.Nil{}, nil
	case reflect.Pointer, reflect.Interface:
		return cborFrom(v.Elem())
	case reflect.String:
		return cbor.String(v.String()), nil
	case reflect.Bool:
		return cbor.Bool(v.Bool()), nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		if v.Int() < 0 {
			return cbor.NegInt(uint64(-v.Int())), nil
		}
		return cbor.Uint(uint64(v.Int())), nil
	case reflect.Float64:
		return cbor.Float64(v.Float()), nil
	case reflect.Slice:
		out := make(cbor.List, v.Len())
		for i := range v.Len() {
			e, err := cborFrom(v.Index(i))
			if err != nil {
				return nil, err
			}
			out[i] = e
		}
		return out, nil
	case reflect.Map:
		return cborFromMap(v)
	case reflect.Struct:
		return cborFromStruct(v)
	default:
		return nil, fmt.Errorf("a %s cannot be encoded as CBOR", v.Type())
	}
}

func cborFromMap(v reflect.Value) (cbor.Value, error) {
	out := cbor.Map{}
	for _, k := range v.MapKeys() {
		e, err := cborFrom(v.MapIndex(k))
		if err != nil {
			return nil, err
		}
		out[k.String()] = e
	}
	return out, nil
}

func cborFromStruct(v reflect.Value) (cbor.Map, error) {
	out := cbor.Map{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			embedded, err := cborFromStruct(v.Field(i))
			if err != nil {
				return nil, err
			}
			maps.Copy(out, embedded)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			return nil, fmt.Errorf("field %s of %s has no json name", f.Name, v.Type())
		}
		if strings.Contains(options, "omit") && emptyValue(v.Field(i)) {
			continue
		}
		e, err := cborFrom(v.Field(i))
		if err != nil {
			return nil, err
		}
		out[name] = e
	}
	return out, nil
}

// emptyValue is what both omitempty and omitzero leave out, for the kinds of field that answers have.
func emptyValue(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	default:
		return v.IsZero()
	}
}
