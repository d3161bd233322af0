package guarantees_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var seeds = flag.String("seeds", "", "which random histories to live: how many, or a range like 17-17")

var whole = flag.Bool("whole", false, "tell each history as it is, without looking for a shorter one that fails")

// seedsInShort is how many go test lives without -seeds.
const seedsInShort = 8

// chosenSeeds reads -seeds.
func chosenSeeds(text string) (from, to uint64, err error) {
	if text == "" {
		return 1, seedsInShort, nil
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		first, last = "1", first
	}
	if from, err = strconv.ParseUint(first, 10, 32); err == nil {
		to, err = strconv.ParseUint(last, 10, 32)
	}
	if err != nil || from > to || from == 0 {
		return 0, 0, fmt.Errorf("-seeds=%s: must be a number of seeds (200), or a range of them (17-17)", text)
	}
	return from, to, nil
}

// tally counts what happened in many lives.
type tally struct {
	mu                sync.Mutex
	lives, executions int
	planned, took     int // disturbances
	calm              int // lives in which none happened
	events, ends      map[string]int
}

func (c *tally) add(r *telling) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lives++
	c.executions += len(r.executions)
	c.took += r.took
	for _, chapter := range r.life.chapters {
		for _, e := range chapter.events {
			if !e.kind.harmless && !e.given {
				c.planned++
			}
		}
	}
	if r.took == 0 {
		c.calm++
	}
	for k, n := range r.counts {
		c.events[k] += n
	}
	for k, n := range r.ends {
		c.ends[k] += n
	}
}

func (c *tally) String() string {
	rows := func(m map[string]int) (out string) {
		for _, k := range slices.SortedFunc(maps.Keys(m), func(a, b string) int { return m[b] - m[a] }) {
			out += fmt.Sprintf("\n  %5d  %s", m[k], k)
		}
		return out
	}
	return fmt.Sprintf("%d histories, %d executions; of %d disturbances %d happened, in %d histories none:%s\n"+
		"executions ended as:%s", c.lives, c.executions, c.planned, c.took, c.calm, rows(c.events), rows(c.ends))
}

func TestRandomHistories(t *testing.T) {
	t.Parallel()
	from, to, err := chosenSeeds(*seeds)
	if err != nil {
		t.Fatal(err)
	}
	sum := &tally{events: map[string]int{}, ends: map[string]int{}}
	t.Cleanup(func() { t.Log(sum) })
	for seed := from; seed <= to; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			l := newLife(seed)
			r := live(t, l)
			sum.add(r)
			if !r.rec.failed() {
				if *whole {
					t.Logf("%s\n%s", l, strings.Join(r.story, "\n"))
				}
				return
			}
			// In which order things happen at the same instant of the virtual clock is the machine's choice. A broken
			// guarantee counts all the same; how an execution ended must happen again.
			stuck := r.failure() == "stuck"
			broken := slices.ContainsFunc(r.rec.failures, func(f string) bool { return strings.HasPrefix(f, "G") })
			if !stuck && !broken && !live(t, l).rec.failed() {
				t.Logf("ended otherwise when it was lived again; the first time:\n%s\n%s",
					strings.Join(r.rec.failures, "\n"), strings.Join(r.story, "\n"))
				return
			}
			if *whole || stuck {
				t.Fatalf("%s\n%s", strings.Join(r.rec.failures, "\n"), strings.Join(r.story, "\n"))
			}
			t.Log("failed; looking for what it takes")
			short, told := shrink(t, l, r)
			t.Errorf("%s\n\nwhat happened:\n  %s\n\nshows it still:\n%s\n\nwhat happened:\n  %s\n\nmake prove "+
				"SEEDS=%d-%d",
				strings.Join(r.rec.failures, "\n"), strings.Join(r.story, "\n  "), short,
				strings.Join(append(told.story, told.rec.failures...), "\n  "), seed, seed)
		})
	}
}

// shrink leaves out of a life that fails what it fails without.
func shrink(t *testing.T, l life, r *telling) (life, *telling) {
	t.Helper()
	for smaller := true; smaller; {
		smaller = false
		for _, s := range shorter(l) {
			told := live(t, s)
			if told.failure() != r.failure() {
				continue
			}
			l, r, smaller = s, told, true
			break
		}
	}
	return l, r
}

// failure is what kind of failure a life has.
func (r *telling) failure() string {
	if !r.rec.failed() {
		return ""
	}
	word, _, _ := strings.Cut(r.rec.failures[0], " ")
	return strings.TrimSuffix(word, ":")
}

// shorter are the lives with one thing less.
func shorter(l life) (out []life) {
	for i, c := range l.chapters {
		if len(l.chapters) > 1 {
			s := l
			s.chapters = slices.Delete(slices.Clone(l.chapters), i, i+1)
			out = append(out, s)
		}
		for j := range c.events {
			s := l
			s.chapters = slices.Clone(l.chapters)
			s.chapters[i].events = slices.Delete(slices.Clone(c.events), j, j+1)
			out = append(out, s)
		}
	}
	return out
}
