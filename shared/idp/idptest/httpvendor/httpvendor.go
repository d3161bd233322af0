// Package httpvendor stands for a vendor with an HTTP API in the conformance suite of an adapter: Faults that a fake can have.
package httpvendor

import (
	"encoding/json"
	"net/http"
	"sync"

	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/facetest"
	"alboidc.internal/shared/secret"
)

// What package facetest has.
type (
	Exchange = facetest.Exchange
	Script   = facetest.Script
)

// What package facetest has.
var (
	Deps = facetest.Deps
	Play = facetest.Play
)

// Write answers with a body in JSON; without one if it is nil.
func Write(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// Faults are those in force at a fake vendor. It guards the fake's state too: Lock it to look at that. The zero value has
// no faults.
type Faults struct {
	sync.Mutex
	inForce map[idptest.Operation]idptest.Fault
}

// Slots are the secrets of one client at a fake vendor, the current one first, and the faults in force. It is an
// idptest.SlotVendor.
type Slots struct {
	Faults
	Secrets []string
}

// Live implements idptest.SlotVendor.
func (s *Slots) Live(string) []secret.Value {
	s.Lock()
	defer s.Unlock()
	var out []secret.Value
	for _, v := range s.Secrets {
		out = append(out, secret.New(v))
	}
	return out
}

// Break implements that of idptest.Backend.
func (f *Faults) Break(op idptest.Operation, fault idptest.Fault) {
	f.Lock()
	defer f.Unlock()
	if f.inForce == nil {
		f.inForce = map[idptest.Operation]idptest.Fault{}
	}
	f.inForce[op] = fault
}

// Handle applies a fault of any of the operations that are one request here, and answers with what effect returns. It
// locks f around effect.
func (f *Faults) Handle(effect func(r *http.Request) (status int, body any), ops ...idptest.Operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fault := f.of(ops)
		if fault.Before(w, r) {
			return
		}
		f.Lock()
		status, body := effect(r)
		f.Unlock()
		fault.After()
		Write(w, status, body)
	}
}

func (f *Faults) of(ops []idptest.Operation) idptest.Fault {
	f.Lock()
	defer f.Unlock()
	for _, op := range ops {
		if fault := f.inForce[op]; fault != "" && fault != idptest.None {
			return fault
		}
	}
	return idptest.None
}
