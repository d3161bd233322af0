package runtime

import (
	"fmt"
	"reflect"
	"strings"
)

// Objects that exist in the kernel and their proxies. A proxy embeds the proxies of its base types, and a method that
// comes from one of those is called with the embedded part as receiver; so each part's address leads to the object.
// Nothing is ever removed: an app's objects live as long as its kernel, and this also keeps the addresses in use.
type objects struct {
	proxy map[string]any     // object's reference in the kernel to its proxy
	ref   map[uintptr]string // address of a proxy, or of a part of it, to the reference
}

func newObjects() *objects { return &objects{map[string]any{}, map[uintptr]string{}} }

// anonymous stands for an object whose JavaScript class is private and implements nothing that the bindings know.
type anonymous struct {
	_ byte // so that two have different addresses
}

// IsAnonymousProxy reports whether v is an object of which only the identity is known.
func IsAnonymousProxy(v any) bool {
	_, ok := v.(*anonymous)
	return ok
}

// add remembers the proxy of an object.
func (o *objects) add(ref string, proxy any) {
	o.proxy[ref] = proxy
	o.addParts(ref, reflect.ValueOf(proxy))
}

func (o *objects) addParts(ref string, pointer reflect.Value) {
	if pointer.Kind() != reflect.Pointer || pointer.IsNil() || pointer.Elem().Kind() != reflect.Struct {
		return
	}
	o.ref[pointer.Pointer()] = ref
	v := pointer.Elem()
	for i := range v.NumField() {
		if !v.Type().Field(i).Anonymous {
			continue
		}
		if f := v.Field(i); f.Kind() == reflect.Interface {
			o.addParts(ref, f.Elem())
		} else {
			o.addParts(ref, f.Addr())
		}
	}
}

// of returns the reference of a proxy's object.
func (o *objects) of(proxy any) (string, bool) {
	v := reflect.ValueOf(proxy)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return "", false
	}
	ref, ok := o.ref[v.Pointer()]
	return ref, ok
}

// find returns the proxy for an object as a value of type want, making it when there is none of that type. interfaces
// are the ones that the kernel says the object implements.
func (o *objects) find(ref string, interfaces []FQN, want reflect.Type) (any, error) {
	if p, ok := o.proxy[ref]; ok && reflect.TypeOf(p).AssignableTo(want) {
		return p, nil
	}
	class, _, _ := strings.Cut(ref, "@")
	for _, fqn := range append([]FQN{FQN(class)}, interfaces...) {
		if maker, ok := makers[fqn]; ok {
			if p := maker(); reflect.TypeOf(p).AssignableTo(want) {
				o.add(ref, p)
				return p, nil
			}
		}
	}
	if maker, ok := proxies[want]; ok {
		p := maker()
		o.add(ref, p)
		return p, nil
	}
	if want == anyType {
		p := &anonymous{}
		o.add(ref, p)
		return p, nil
	}
	return nil, fmt.Errorf("object %s cannot be a %s", ref, want)
}
