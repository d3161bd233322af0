package runtime

import (
	"fmt"
	"os"
	"reflect"
	"sync"
)

// session is the kernel and the objects in it. One call at a time: the kernel's protocol has no more.
type session struct {
	mu      sync.Mutex
	kernel  *kernel
	objects *objects
	loaded  map[string]bool
}

var the = &session{objects: newObjects(), loaded: map[string]bool{}}

// must panics when a call failed: the bindings' functions have no error to return. what names the call.
func must(err error, what string, args ...any) {
	if err != nil {
		panic(fmt.Sprintf("jsii: "+what+": %v", append(args, err)...))
	}
}

// request sends a request; the kernel is started when it does not run. The caller holds the lock.
func (s *session) request(request map[string]any, result any) error {
	if s.kernel == nil {
		k, err := open()
		if err != nil {
			return err
		}
		s.kernel = k
	}
	return s.kernel.call(request, result)
}

// Close ends the kernel, if it runs. Proxies made before are of no use after it.
func Close() {
	the.mu.Lock()
	defer the.mu.Unlock()
	if the.kernel == nil {
		return
	}
	err := the.kernel.stop()
	the.kernel, the.objects, the.loaded = nil, newObjects(), map[string]bool{}
	must(err, "Close")
}

// Load puts an npm package, given as the bytes of its tarball, into the kernel; once is enough, again does nothing.
func Load(name, version string, tarball []byte) {
	the.mu.Lock()
	defer the.mu.Unlock()
	if the.loaded[name] {
		return
	}
	must(the.load(name, version, tarball), "Load %s %s", name, version)
	the.loaded[name] = true
}

func (s *session) load(name, version string, tarball []byte) error {
	f, err := os.CreateTemp("", "jsii-*.tgz")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err := f.Write(tarball); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return s.request(map[string]any{"api": "load", "name": name, "version": version, "tarball": f.Name()}, nil)
}

// Create creates an object of a class in the kernel; proxy, a pointer to a generated proxy, stands for it from then on.
func Create(fqn FQN, args []any, proxy any) {
	the.mu.Lock()
	defer the.mu.Unlock()
	must(the.create(fqn, args, proxy), "Create %s", fqn)
}

func (s *session) create(fqn FQN, args []any, proxy any) error {
	maker, ok := makers[fqn]
	if !ok {
		return fmt.Errorf("not a class of the bindings")
	}
	if own := maker(); reflect.TypeOf(own) != reflect.TypeOf(proxy) {
		return fmt.Errorf("%T is not the generated proxy %T; overriding a class in Go is not supported", proxy, own)
	}
	list, err := s.encodeArgs(args)
	if err != nil {
		return err
	}
	var created map[string]any
	if err := s.request(map[string]any{"api": "create", "fqn": string(fqn), "args": list, "overrides": []any{}}, &created); err != nil {
		return err
	}
	ref, ok := created[tokenRef].(string)
	if !ok {
		return fmt.Errorf("the kernel returned no reference")
	}
	InitJsiiProxy(proxy)
	s.objects.add(ref, proxy)
	return nil
}

func (s *session) encodeArgs(args []any) ([]any, error) {
	list := make([]any, len(args))
	for i, a := range args {
		var err error
		if list[i], err = s.objects.encode(a); err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return list, nil
}

// ask sends a request about an object, or about a class when object is nil, and decodes the member key of the answer into
// result, a pointer.
func (s *session) ask(object any, request map[string]any, key string, result any) error {
	if object != nil {
		ref, ok := s.objects.of(object)
		if !ok {
			return fmt.Errorf("%T is not an object of the kernel", object)
		}
		request["objref"] = map[string]any{tokenRef: ref}
	}
	var answer map[string]any
	if err := s.request(request, &answer); err != nil || result == nil {
		return err
	}
	return s.objects.decode(answer[key], reflect.ValueOf(result).Elem(), s.get)
}

// get reads a property of an object by its reference.
func (s *session) get(ref, property string) (any, error) {
	var answer map[string]any
	err := s.request(map[string]any{"api": "get", "objref": map[string]any{tokenRef: ref}, "property": property}, &answer)
	return answer["value"], err
}

// Get reads a property into result, a pointer.
func Get(object any, property string, result any) {
	the.mu.Lock()
	defer the.mu.Unlock()
	must(the.ask(object, map[string]any{"api": "get", "property": property}, "value", result), "Get %T.%s", object, property)
}

// Set writes a property.
func Set(object any, property string, value any) {
	the.mu.Lock()
	defer the.mu.Unlock()
	v, err := the.objects.encode(value)
	if err == nil {
		err = the.ask(object, map[string]any{"api": "set", "property": property, "value": v}, "", nil)
	}
	must(err, "Set %T.%s", object, property)
}

// Invoke calls a method and puts what it returns into result, a pointer.
func Invoke(object any, method string, args []any, result any) {
	the.mu.Lock()
	defer the.mu.Unlock()
	list, err := the.encodeArgs(args)
	if err == nil {
		err = the.ask(object, map[string]any{"api": "invoke", "method": method, "args": list}, "result", result)
	}
	must(err, "Invoke %T.%s", object, method)
}

// InvokeVoid calls a method that returns nothing.
func InvokeVoid(object any, method string, args []any) { Invoke(object, method, args, nil) }

// StaticInvoke calls a static method and puts what it returns into result, a pointer.
func StaticInvoke(fqn FQN, method string, args []any, result any) {
	the.mu.Lock()
	defer the.mu.Unlock()
	list, err := the.encodeArgs(args)
	if err == nil {
		err = the.ask(nil, map[string]any{"api": "sinvoke", "fqn": string(fqn), "method": method, "args": list}, "result", result)
	}
	must(err, "StaticInvoke %s.%s", fqn, method)
}

// StaticInvokeVoid calls a static method that returns nothing.
func StaticInvokeVoid(fqn FQN, method string, args []any) { StaticInvoke(fqn, method, args, nil) }

// StaticGet reads a static property into result, a pointer.
func StaticGet(fqn FQN, property string, result any) {
	the.mu.Lock()
	defer the.mu.Unlock()
	must(the.ask(nil, map[string]any{"api": "sget", "fqn": string(fqn), "property": property}, "value", result), "StaticGet %s.%s", fqn, property)
}

// StaticSet writes a static property.
func StaticSet(fqn FQN, property string, value any) {
	the.mu.Lock()
	defer the.mu.Unlock()
	v, err := the.objects.encode(value)
	if err == nil {
		err = the.request(map[string]any{"api": "sset", "fqn": string(fqn), "property": property, "value": v}, nil)
	}
	must(err, "StaticSet %s.%s", fqn, property)
}

// ValidateStruct reports a required field that is missing in a struct, or in a struct inside it. path names the struct in
// the error.
func ValidateStruct(v any, path func() string) error { return validate(reflect.ValueOf(v), path) }

func validate(v reflect.Value, path func() string) error {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || structs[names[v.Type()]] == nil {
		return nil
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		at := func() string { return path() + "." + jsonName(f) }
		switch x := v.Field(i); x.Kind() {
		case reflect.Pointer, reflect.Interface:
			if x.IsNil() && f.Tag.Get("field") == "required" {
				return fmt.Errorf("%s is required", at())
			}
			if err := validate(x, at); err != nil {
				return err
			}
		}
	}
	return nil
}
