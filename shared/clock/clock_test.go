package clock_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/clock"
)

func start() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }

func TestVirtualClockSleepsSevenDaysAtOnce(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start())
	done := make(chan error)
	c.Go(func() { done <- c.Sleep(context.Background(), 7*24*time.Hour) })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := c.Now().Sub(start()); got != 7*24*time.Hour {
		t.Fatalf("moved %s", got)
	}
}

func TestVirtualClockWakesSleepersInOrder(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start())
	var mu sync.Mutex
	var got []int
	done := make(chan struct{})
	c.Go(func() {
		var wg sync.WaitGroup
		for _, n := range []int{3, 1, 2} {
			wg.Add(1)
			c.Go(func() {
				defer wg.Done()
				_ = c.Sleep(context.Background(), time.Duration(n)*time.Minute)
				mu.Lock()
				got = append(got, n)
				mu.Unlock()
			})
		}
		c.Idle(wg.Wait)
		close(done)
	})
	<-done
	if len(got) != 3 || got[0] != 1 || got[1] != 2 || got[2] != 3 {
		t.Fatalf("woke in order %v", got)
	}
}

func TestVirtualClockDoesNotMoveWhileSomebodyIsBusy(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start())
	release, slept := make(chan struct{}), make(chan struct{})
	c.Go(func() { <-release })
	c.Go(func() { _ = c.Sleep(context.Background(), time.Hour); close(slept) })
	select {
	case <-slept:
		t.Fatal("the clock moved although a goroutine was busy")
	default:
	}
	if !c.Now().Equal(start()) {
		t.Fatal("the clock moved although a goroutine was busy")
	}
	close(release)
	<-slept
}

func TestVirtualClockMovesForAServerThatSleeps(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start())
	done := make(chan struct{})
	c.Go(func() {
		answer := make(chan struct{})
		go func() { _ = c.Sleep(context.Background(), time.Second); close(answer) }()
		<-answer
		close(done)
	})
	<-done
	if got := c.Now().Sub(start()); got != time.Second {
		t.Fatalf("moved %s", got)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]clock.Clock{"real": clock.Real{}, "virtual": clock.NewVirtual(start())} {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := c.Sleep(ctx, time.Hour); err == nil {
			t.Errorf("%s: slept on a context that had ended", name)
		}
	}
}

// Whoever ends the context of a sleeper may fall asleep before the sleeper has seen it.
func TestVirtualClockDoesNotMoveForAContextThatEnded(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start())
	ctx, cancel := context.WithCancel(context.Background())
	asleep := make(chan struct{})
	done := make(chan error)
	c.Go(func() {
		c.Go(func() {
			done <- c.Sleep(telling{unseen{ctx}, sync.OnceFunc(func() { close(asleep) })}, time.Hour)
		})
		<-asleep
		cancel()
	})
	if err := <-done; err == nil {
		t.Error("slept on a context that had ended")
	}
	if got := c.Now().Sub(start()); got != 0 {
		t.Errorf("moved %s", got)
	}
}

// unseen is a context whose end nobody has noticed yet.
type unseen struct{ context.Context }

func (unseen) Done() <-chan struct{} { return nil }

// A client with two requests under way: the second server falls asleep while the clock moves for the first.
func TestVirtualClockMovesForWhoFallsAsleepMeanwhile(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start())
	moving, asleep := make(chan struct{}), make(chan struct{})
	var once sync.Once
	c.OnMove(func(time.Time) {
		once.Do(func() {
			close(moving)
			<-asleep
		})
	})
	done := make(chan struct{})
	c.Go(func() {
		defer close(done)
		var servers sync.WaitGroup
		servers.Go(func() { _ = c.Sleep(context.Background(), time.Second) })
		servers.Go(func() {
			<-moving
			_ = c.Sleep(telling{context.Background(), sync.OnceFunc(func() { close(asleep) })}, time.Minute)
		})
		servers.Wait()
	})
	<-done
	if got := c.Now().Sub(start()); got < time.Minute {
		t.Fatalf("moved %s", got)
	}
}

// telling tells when it is waited for.
type telling struct {
	context.Context
	waited func()
}

func (t telling) Done() <-chan struct{} { t.waited(); return t.Context.Done() }
