package statemachine_test

import (
	"os"
	"testing"

	"alboidc.internal/statemachine/planted"
)

func TestMain(m *testing.M) {
	planted.Definitions()
	os.Exit(m.Run())
}
