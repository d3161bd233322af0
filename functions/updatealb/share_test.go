package updatealb

import (
	"testing"
	"time"
)

func TestEveryTargetHasAShareOfTheTime(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]time.Duration{59 * time.Second: 3 * time.Second,
		5 * time.Second: 500 * time.Millisecond, 0: 0} {
		if got := shareOf(left, 9); got != want {
			t.Errorf("of %s each of nine targets has %s, must %s", left, got, want)
		}
	}
}
