// Package runtime is what the generated bindings of jsii modules call: it creates objects, and calls methods, in the
// kernel, a Node.js process that runs the original JavaScript. See README.md for what is left out. The bindings'
// functions return no errors, so a failure is a panic that names the call.
package runtime

import (
	"fmt"
	"reflect"
)

// FQN is a type's full name in jsii: aws-cdk-lib.aws_lambda.Function.
type FQN string

// Member is a method or property of a type. Bindings register them for overrides in Go, which are not supported.
type Member interface{ member() }

// MemberMethod is a method's two names.
type MemberMethod struct{ JsiiMethod, GoMethod string }

// MemberProperty is a property's two names.
type MemberProperty struct{ JsiiProperty, GoGetter string }

func (MemberMethod) member()   {}
func (MemberProperty) member() {}

// The types of all bindings in the program, filled by their init functions before main runs and only read after that.
var (
	makers  = map[FQN]func() any{}          // classes and interfaces: makes the proxy
	names   = map[reflect.Type]FQN{}        // Go type to its name
	structs = map[FQN]reflect.Type{}        // structs (passed by value)
	enums   = map[FQN]map[string]any{}      // enums: member to Go value
	proxies = map[reflect.Type]func() any{} // classes and interfaces by their Go interface
)

// RegisterClass makes a class known. maker returns a pointer to its proxy.
func RegisterClass(fqn FQN, class reflect.Type, _ []Member, maker func() any) {
	makers[fqn], proxies[class], names[class] = maker, maker, fqn
}

// RegisterInterface makes an interface known. maker returns a pointer to its proxy.
func RegisterInterface(fqn FQN, iface reflect.Type, _ []Member, maker func() any) {
	makers[fqn], proxies[iface], names[iface] = maker, maker, fqn
}

// RegisterStruct makes a struct known.
func RegisterStruct(fqn FQN, t reflect.Type) { structs[fqn], names[t] = t, fqn }

// RegisterEnum makes an enum known: its members' names, and their Go values.
func RegisterEnum(fqn FQN, t reflect.Type, members map[string]any) {
	enums[fqn], names[t] = members, fqn
}

// InitJsiiProxy fills an embedded part of a proxy: a field of an interface type gets the proxy of that type, a struct's
// own embedded fields are filled the same way. What is filled stays.
func InitJsiiProxy(part any) { fill(reflect.ValueOf(part).Elem()) }

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			return
		}
		maker, ok := proxies[v.Type()]
		if !ok {
			panic(fmt.Sprintf("jsii: %s is not a type of the bindings", v.Type()))
		}
		v.Set(reflect.ValueOf(maker()))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Anonymous && v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	}
}
