package statemachine

import (
	"strings"
	"testing"
)

func TestEverySentenceIsOfAStateAndFitsALine(t *testing.T) {
	t.Parallel()
	for state, sentence := range sentences {
		if !strings.Contains(Definition, `"`+state+`": {`) {
			t.Errorf("there is no state %s", state)
		}
		if len(state) > 20 || len(sentence) > 70 {
			t.Errorf("%s: %q is too long for the demo's columns", state, sentence)
		}
	}
}
