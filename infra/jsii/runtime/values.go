package runtime

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// The kernel's spelling of values that JSON does not have (jsii specification, "The jsii kernel API").
const (
	tokenRef        = "$jsii.byref"
	tokenInterfaces = "$jsii.interfaces"
	tokenEnum       = "$jsii.enum"
	tokenStruct     = "$jsii.struct"
	tokenMap        = "$jsii.map"
	tokenDate       = "$jsii.date"
)

var (
	anyType  = reflect.TypeFor[any]()
	timeType = reflect.TypeFor[time.Time]()
)

// encode spells a Go value for the kernel; nil pointers, interfaces, slices and maps, and empty enums, are absent values.
func (o *objects) encode(value any) (any, error) {
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return nil, nil
	}
	if ref, ok := o.of(value); ok {
		return map[string]any{tokenRef: ref}, nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil, nil
		}
		if v.Elem().Kind() == reflect.Struct && v.Elem().Type() != timeType && names[v.Elem().Type()] == "" {
			return nil, fmt.Errorf("%T is not an object of the kernel; implementing or overriding a jsii type in Go is not supported", value)
		}
		return o.encode(v.Elem().Interface())
	case reflect.Slice:
		return o.encodeList(v)
	case reflect.Map:
		return o.encodeMap(v)
	case reflect.Struct:
		return o.encodeStruct(v)
	case reflect.String:
		if fqn, ok := names[v.Type()]; ok {
			if v.String() == "" { // an optional enum is no pointer in the bindings
				return nil, nil
			}
			return map[string]any{tokenEnum: string(fqn) + "/" + v.String()}, nil
		}
		return v.String(), nil
	case reflect.Bool, reflect.Float64, reflect.Int, reflect.Int64, reflect.Int32:
		return value, nil
	}
	return nil, fmt.Errorf("a value of type %T cannot be passed to the kernel", value)
}

func (o *objects) encodeList(v reflect.Value) (any, error) {
	if v.IsNil() {
		return nil, nil
	}
	list := make([]any, v.Len())
	for i := range list {
		var err error
		if list[i], err = o.encode(v.Index(i).Interface()); err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return list, nil
}

func (o *objects) encodeMap(v reflect.Value) (any, error) {
	if v.IsNil() {
		return nil, nil
	}
	if v.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("a %s cannot be passed to the kernel: its keys are not strings", v.Type())
	}
	m := map[string]any{}
	for _, k := range v.MapKeys() {
		e, err := o.encode(v.MapIndex(k).Interface())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		m[k.String()] = e
	}
	return map[string]any{tokenMap: m}, nil
}

func (o *objects) encodeStruct(v reflect.Value) (any, error) {
	if v.Type() == timeType {
		return map[string]any{tokenDate: v.Interface().(time.Time).Format(time.RFC3339Nano)}, nil
	}
	fqn, ok := names[v.Type()]
	if !ok {
		return nil, fmt.Errorf("%s is not a type of the bindings", v.Type())
	}
	data := map[string]any{}
	for i := range v.NumField() {
		name := jsonName(v.Type().Field(i))
		e, err := o.encode(v.Field(i).Interface())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if e != nil {
			data[name] = e
		}
	}
	return map[string]any{tokenStruct: map[string]any{"fqn": string(fqn), "data": data}}, nil
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// decode puts a value from the kernel into v, a settable Go value; get reads a property of an object.
func (o *objects) decode(value any, v reflect.Value, get func(ref, property string) (any, error)) error {
	if value == nil {
		v.SetZero()
		return nil
	}
	if m, ok := value.(map[string]any); ok {
		return o.decodeObject(m, v, get)
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := o.decode(value, p.Elem(), get); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			break
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i, x := range list {
			if err := o.decode(x, v.Index(i), get); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	case reflect.Interface:
		return o.decodeAny(value, v, get)
	case reflect.String, reflect.Bool, reflect.Float64:
		if x := reflect.ValueOf(value); x.Kind() == v.Kind() {
			v.Set(x.Convert(v.Type()))
			return nil
		}
	}
	return fmt.Errorf("the kernel returned a %T where a %s is expected", value, v.Type())
}

// decodeAny keeps JSON's own values as they are; objects inside a list become proxies.
func (o *objects) decodeAny(value any, v reflect.Value, get func(ref, property string) (any, error)) error {
	if list, ok := value.([]any); ok {
		out := make([]any, len(list))
		for i, x := range list {
			if err := o.decode(x, reflect.ValueOf(&out[i]).Elem(), get); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		value = out
	}
	x := reflect.ValueOf(value)
	if !x.Type().AssignableTo(v.Type()) {
		return fmt.Errorf("the kernel returned a %T where a %s is expected", value, v.Type())
	}
	v.Set(x)
	return nil
}

// decodeObject decodes a JSON object: one of the kernel's tokens, or a map.
func (o *objects) decodeObject(m map[string]any, v reflect.Value, get func(ref, property string) (any, error)) error {
	if v.Kind() == reflect.Pointer {
		p := reflect.New(v.Type().Elem())
		if err := o.decodeObject(m, p.Elem(), get); err != nil {
			return err
		}
		v.Set(p)
		return nil
	}
	if ref, ok := m[tokenRef].(string); ok {
		return o.decodeRef(ref, m, v, get)
	}
	if name, ok := m[tokenEnum].(string); ok {
		return decodeEnum(name, v)
	}
	if s, ok := m[tokenDate].(string); ok {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return err
		}
		return o.decodeAny(t, v, get)
	}
	if inner, ok := m[tokenMap].(map[string]any); ok {
		m = inner
	}
	return o.decodeMap(m, v, get)
}

func (o *objects) decodeRef(ref string, m map[string]any, v reflect.Value, get func(ref, property string) (any, error)) error {
	if v.Kind() == reflect.Struct { // a struct comes by reference too; its fields are read one by one
		for i := range v.NumField() {
			name := jsonName(v.Type().Field(i))
			x, err := get(ref, name)
			if err == nil {
				err = o.decode(x, v.Field(i), get)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	var interfaces []FQN
	list, _ := m[tokenInterfaces].([]any)
	for _, x := range list {
		if s, ok := x.(string); ok {
			interfaces = append(interfaces, FQN(s))
		}
	}
	p, err := o.find(ref, interfaces, v.Type())
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(p))
	return nil
}

func decodeEnum(name string, v reflect.Value) error {
	fqn, member, _ := strings.Cut(name, "/")
	value, ok := enums[FQN(fqn)][member]
	if !ok || !reflect.TypeOf(value).AssignableTo(v.Type()) {
		return fmt.Errorf("the kernel returned %s where a %s is expected", name, v.Type())
	}
	v.Set(reflect.ValueOf(value))
	return nil
}

func (o *objects) decodeMap(m map[string]any, v reflect.Value, get func(ref, property string) (any, error)) error {
	t := v.Type()
	if t == anyType {
		t = reflect.TypeFor[map[string]any]()
	}
	if t.Kind() != reflect.Map {
		return fmt.Errorf("the kernel returned a map where a %s is expected", t)
	}
	out := reflect.MakeMapWithSize(t, len(m))
	for k, x := range m {
		e := reflect.New(t.Elem()).Elem()
		if err := o.decode(x, e, get); err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		out.SetMapIndex(reflect.ValueOf(k).Convert(t.Key()), e)
	}
	v.Set(out)
	return nil
}
