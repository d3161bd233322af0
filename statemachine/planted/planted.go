// Package planted lets tests run on another definition than that of the repository: one with a fault in it.
package planted

import (
	"os"

	"alboidc.internal/statemachine"
)

// Variables are the variables of the environment that name a file to test in place of a definition.
func Variables() map[string]*string {
	return map[string]*string{"ROTATION_DEFINITION": &statemachine.Definition,
		"NOTIFIER_DEFINITION": &statemachine.Notifier, "FLEET_DEFINITION": &statemachine.Fleet}
}

// Definitions takes the definitions that the environment names. It is for a TestMain.
func Definitions() {
	for variable, definition := range Variables() {
		if file := os.Getenv(variable); file != "" {
			b, err := os.ReadFile(file)
			if err != nil {
				panic(err)
			}
			*definition = string(b)
		}
	}
}
