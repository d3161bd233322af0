package awsapi

import "sync"

// Operations are what a service does, by the names of its API. Each is called with the service's lock held.
type Operations[S any] map[string]func(S, *Call) (any, error)

// Handle carries out a call of s. An operation that is not there is refused by name.
func (o Operations[S]) Handle(s S, lock sync.Locker, call *Call) (any, error) {
	operation, ok := o[call.Operation]
	if !ok {
		return nil, NotImplemented(call)
	}
	lock.Lock()
	defer lock.Unlock()
	return operation(s, call)
}
