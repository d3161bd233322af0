package jsonata_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/jsonata"
)

func engine(t *testing.T, o jsonata.Options) *jsonata.Engine {
	t.Helper()
	path, err := jsonata.Find()
	if err != nil {
		t.Fatal(err)
	}
	e, err := jsonata.Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExpressionsGiveTheValuesThatStepFunctionsGives(t *testing.T) {
	t.Parallel()
	e := engine(t, jsonata.Options{Now: func() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }})
	bindings := map[string]json.RawMessage{
		"states": json.RawMessage(`{"input":{"b":1,"a":[{"n":2},{"n":3}],"big":9007199254740991,"half":0.5}}`),
		"x":      json.RawMessage(`{"z":1,"y":null}`),
	}
	for expression, want := range map[string]string{
		`$states.input`:                         `{"b":1,"a":[{"n":2},{"n":3}],"big":9007199254740991,"half":0.5}`,
		`$x`:                                    `{"z":1,"y":null}`,
		`$sum($states.input.a.n)`:               `5`,
		`$states.input.a[n=2]`:                  `{"n":2}`,
		`$states.input.a[n=2][]`:                `[{"n":2}]`,
		`[0]`:                                   `[0]`,
		`$x.y`:                                  `null`,
		`"é" & "\u2028"`:                        `"é` + "\u2028" + `"`,
		`$range(1,9,9)`:                         `1`,
		`$range(0,6,2)`:                         `[0,2,4,6]`,
		`$range(3,1,-1)`:                        `[3,2,1]`,
		`$partition([0],1)`:                     `[[0]]`,
		`$partition([1,2,3,4,5],2)`:             `[[1,2],[3,4],[5]]`,
		`$parse("-0")`:                          `0`,
		`$parse("{\"q\":[1]}").q`:               `[1]`,
		`$hash("abc", "SHA-1")`:                 `"a9993e364706816aba3e25717850c26c9cd0d89d"`,
		`$hash("abc", "MD5")`:                   `"900150983cd24fb0d6963f7d28e17f72"`,
		`$random(5) = $random(5)`:               `true`,
		`$now()`:                                `"2026-03-01T10:00:00.000Z"`,
		`$fromMillis($toMillis($now()) + 1000)`: `"2026-03-01T10:00:01.000Z"`,
		`$map([1,2,3], function($v){$v*2})`:     `[2,4,6]`,
		`$exists($states.input.missing)`:        `false`,
		`$states.input.half * 2`:                `1`,
		`$match("rule-17", /-(\d+)/).groups[0]`: `"17"`,
	} {
		got, err := e.Evaluate(expression, bindings)
		if err != nil || string(got) != want {
			t.Errorf("%s = %s, %v; want %s", expression, got, err, want)
		}
	}
}

func TestAPathGivesWhatTheLibraryGives(t *testing.T) {
	t.Parallel()
	e := engine(t, jsonata.Options{})
	for _, value := range []string{`{"b":1}`, `{}`, `[]`, `[1]`, `[[1]]`, `[{"b":1}]`, `[{"b":1},{"b":[2,3]}]`,
		`{"b":[7]}`, `{"b":[]}`, `{"b":{"c":{"x":"y"}}}`, `{"b":null}`,
		`null`, `"text"`, `1e3`, `-0`, `1.50`, `12345678901234567890`, `true`, `false`, `""`,
		`{"length":3,"constructor":4}`, `{"10":1,"9":2,"a":3}`, `"\u003c\u2028é"`} {
		bindings := map[string]json.RawMessage{"a": json.RawMessage(value),
			"sum": json.RawMessage(`"not the function"`)}
		for _, path := range []string{"$a", "$a.b", "$a.b.c", "$a.length", "$a.constructor", "$a.toString", "$a.and",
			"$a.null", "$sum", "$count", "$nothing", "$_"} {
			got, gotErr := e.Evaluate(path, bindings)
			want, wantErr := e.Evaluate("("+path+")", bindings) // not a path
			if string(got) != string(want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
				t.Errorf("%s where a is %s: %s, %v; the library gives %s, %v", path, value, got, gotErr, want, wantErr)
			}
		}
	}
}

func TestExpressionsWithoutAValueAreUndefined(t *testing.T) {
	t.Parallel()
	e := engine(t, jsonata.Options{})
	for _, expression := range []string{`$states.input.missing`, `$nosuchvariable`, `$`, `$$`} {
		if _, err := e.Evaluate(expression, nil); !errors.Is(err, jsonata.ErrUndefined) {
			t.Errorf("%s: %v", expression, err)
		}
	}
}

func TestFailuresCarryTheCodeOfJSONata(t *testing.T) {
	t.Parallel()
	e := engine(t, jsonata.Options{})
	for expression, code := range map[string]string{
		`$nosuchfunction()`:    "T1006",
		`$eval("1")`:           "T1006", // Step Functions removed $eval
		`1 + "a"`:              "T2002",
		`$range(1,10,0)`:       "D3001",
		`$range(1,1001,1)`:     "D2014",
		`$partition([1],0)`:    "D3001",
		`$hash("a","CRC")`:     "D3001",
		`$parse("{")`:          "D3001",
		`$partition("a","b")`:  "T0410",
		`{"f": function(){1}}`: "D1004",
		`$sum`:                 "D1004",
		`$random("x")`:         "T0410",
		`1/0`:                  "D1001",
	} {
		_, err := e.Evaluate(expression, nil)
		var je *jsonata.Error
		if !errors.As(err, &je) || je.Code != code {
			t.Errorf("%s: %v; want code %s", expression, err, code)
		}
	}
}

func TestCheckReportsSyntaxErrorsOnly(t *testing.T) {
	t.Parallel()
	e := engine(t, jsonata.Options{})
	if err := e.Check(`$nosuchfunction($states.input)`); err != nil {
		t.Error(err)
	}
	var je *jsonata.Error
	if err := e.Check(`$states.input.(`); !errors.As(err, &je) || !strings.HasPrefix(je.Code, "S0") {
		t.Errorf("got %v", err)
	}
}

func TestAnExpressionThatRunsTooLongIsStoppedAndTheEngineGoesOn(t *testing.T) {
	t.Parallel()
	e := engine(t, jsonata.Options{TimeLimit: time.Second})
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) + 1 { // one more than run at once
		wg.Go(func() {
			if _, err := e.Evaluate(`($f := function($n){$f($n+1)}; $f(0))`, nil); !errors.Is(err,
				jsonata.ErrTimeLimit) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if v, err := e.Evaluate(`1+1`, nil); err != nil || string(v) != "2" {
		t.Fatalf("afterwards: %s %v", v, err)
	}
}

func TestRandomnessComesFromTheOptions(t *testing.T) {
	t.Parallel()
	e := engine(t, jsonata.Options{Uint64: func() uint64 { return 1 << 63 }})
	if v, err := e.Evaluate(`$random()`, nil); err != nil || string(v) != "0.5" {
		t.Errorf("$random() = %s, %v", v, err)
	}
	v, err := e.Evaluate(`$uuid()`, nil)
	if err != nil ||
		!regexp.MustCompile(`^"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"$`).Match(v) {
		t.Errorf("$uuid() = %s, %v", v, err)
	}
}

func TestEnginesShareRuntimesButNotTheirOptions(t *testing.T) {
	t.Parallel()
	for _, year := range []int{2026, 2031} {
		e := engine(t, jsonata.Options{Now: func() time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) },
			Uint64: func() uint64 { return uint64(year) << 40 }})
		for expression, want := range map[string]string{
			`$substring($now(), 0, 4)`:         fmt.Sprintf(`"%d"`, year),
			`$round($random() * $power(2,24))`: fmt.Sprint(year),
		} {
			if v, err := e.Evaluate(expression, nil); err != nil || string(v) != want {
				t.Errorf("%s = %s, %v; want %s", expression, v, err, want)
			}
		}
	}
}

func TestAnEngineServesManyGoroutines(t *testing.T) {
	t.Parallel()
	e := engine(t, jsonata.Options{})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			v, err := e.Evaluate(`$states.input + 1`, map[string]json.RawMessage{"states": fmt.Appendf(nil,
				`{"input":%d}`, i)})
			if err != nil || string(v) != fmt.Sprint(i+1) {
				t.Errorf("%d: %s %v", i, v, err)
			}
		})
	}
	wg.Wait()
}

func TestFindSaysHowToInstallTheLibrary(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := jsonata.Find(); err == nil || !strings.Contains(err.Error(), "npm ci") {
		t.Fatalf("got %v", err)
	}
}
