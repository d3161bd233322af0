//go:build browser

package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var (
	chromium = flag.String("chromium", "", "the browser")
	built    = flag.String("built", "", "folder of what make build and make rotator have built")
	pictures = flag.String("pictures", "", "folder for screenshots, of a stack with people who log in")
)

// patience is how long a rotation may take on a slow machine.
const patience = 4 * time.Minute

// session is a browser with a console of a running local stack.
type session struct {
	*testing.T
	ctx                 context.Context
	console, shop, away string // URLs
	endpoint            string

	mu      sync.Mutex
	foreign []string // requests to other servers than the console's
	errors  []string // what the browser complains of
	strict  bool     // the page is the console's
}

// start starts the stack, the console and the browser.
func start(t *testing.T) *session {
	t.Helper()
	if *chromium == "" || *built == "" {
		t.Fatal("-chromium and -built must be given: make browser does")
	}
	s := &session{T: t}
	s.serve()
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(chromedp.ExecPath(*chromium),
		chromedp.NoSandbox, chromedp.IgnoreCertErrors))
	t.Cleanup(cancel)
	s.ctx = ctx
	if err := chromedp.Listen(ctx, s.hear); err != nil {
		t.Fatal(err)
	}
	go func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			s.mu.Lock()
			// what a load balancer's page lacks, its icon, may be told of later
			ours := strings.HasPrefix(m.URL, s.origin()) || m.URL == "" && s.strict
			if ours && (m.IsException() || m.Type == "error") {
				s.errors = append(s.errors, m.String()+" "+m.URL)
			}
			s.mu.Unlock()
		}
	}()
	s.look("light", 1320)
	return s
}

// serve runs the demo's program as make local does, or with people as make demo WEB=1 does.
func (s *session) serve() {
	s.Helper()
	root, err := filepath.Abs("../../../..")
	if err != nil {
		s.Fatal(err)
	}
	args := []string{"-functions", filepath.Join(*built, "functions/local"), "-rotator", filepath.Join(*built,
		"bin/rotator"),
		"-address", "127.0.0.1:0"}
	if *pictures == "" {
		args = append(args, "-serve")
	}
	cmd := exec.CommandContext(s.Context(), filepath.Join(*built, "bin/demo"), args...)
	cmd.Dir = root
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = cmd.Wait() })
	url := regexp.MustCompile(`https?://[^\s']+`)
	for lines := bufio.NewScanner(out); s.console == "" && lines.Scan(); {
		for _, u := range url.FindAllString(lines.Text(), -1) {
			switch {
			case strings.Contains(u, "?token="):
				s.console = u
			case strings.Contains(u, "//shop.localhost"):
				s.shop = u
			case strings.Contains(u, "//partners.localhost"):
				s.away = u
			case strings.HasSuffix(u, "/_local/faults"):
				s.endpoint = u
			}
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if s.console == "" {
		s.Fatal("the local stack did not tell of its console")
	}
}

// origin is the console's.
func (s *session) origin() string {
	origin, _, _ := strings.Cut(s.console, "?")
	return origin
}

// hear notes requests that the console's pages make to other servers.
func (s *session) hear(event any) {
	if r, ok := event.(*network.EventRequestWillBeSent); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		if strings.HasPrefix(r.DocumentURL, s.origin()) && !strings.HasPrefix(r.Request.URL, s.origin()) {
			s.foreign = append(s.foreign, r.Request.URL)
		}
	}
}

// do carries out steps, each of which must be possible within a while.
func (s *session) do(steps ...chromedp.Action[chromedp.Void]) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		s.Fatalf("%v\n%s", err, s.text())
	}
}

func evaluate[T any](s *session, expression string) T {
	s.Helper()
	got, err := chromedp.Run(s.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		s.Fatalf("%s: %v", expression, err)
	}
	return got
}

// words are what a loaded page has to read, below its address.
const words = `document.readyState === "complete" ? document.location + "\n" + document.body.innerText : ""`

func (s *session) text() string {
	text, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](words))
	if err != nil {
		return err.Error()
	}
	return text
}

// change waits until the page has other words, and returns them. Of a page that is left meanwhile it returns the error.
func (s *session) change(ctx context.Context, from string) string {
	s.Helper()
	seen, err := json.Marshal(from)
	if err != nil {
		s.Fatal(err)
	}
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(`new Promise((tell) => {
  const look = () => {
    const now = %s;
    if (now === %s) return;
    observer.disconnect();
    tell(now);
  };
  const observer = new MutationObserver(look);
  observer.observe(document, {attributes: true, characterData: true, childList: true, subtree: true});
  addEventListener("load", look);
  look();
})`, words, seen), chromedp.EvalAwaitPromise))
	if err != nil {
		return err.Error()
	}
	return text
}

// await waits until the page, which follows what happens by itself, has a text.
func (s *session) await(form string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	is := regexp.MustCompile(form)
	for text := s.text(); !is.MatchString(text); text = s.change(ctx, text) {
		if ctx.Err() != nil {
			s.Fatalf("there is no %s in:\n%s", form, s.text())
		}
	}
}

func (s *session) click(id string) { s.Helper(); s.do(chromedp.Click(chromedp.CSS(id))) }

// open opens a page of the console.
func (s *session) open(path string) {
	s.Helper()
	s.mu.Lock()
	s.strict = true
	s.mu.Unlock()
	s.do(chromedp.Navigate(s.console))
	if path != "" {
		s.click(path)
		s.await(`(?s)/clients/.*Past executions`) // on the page that was left these words are, too
	}
}

// look sets the colour scheme and the width.
func (s *session) look(scheme string, width int64) {
	s.Helper()
	s.do(chromedp.EmulateViewport(width, 1000))
	if _, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
		s.Fatal(err)
	}
}

// press moves the focus by the Tab key to an element, as who has no mouse does, and presses Enter.
func (s *session) press(id string) {
	s.Helper()
	for range 60 {
		s.do(chromedp.KeyEvent(kb.Tab))
		if evaluate[string](s, "document.activeElement.id || document.activeElement.textContent.trim()") == id {
			if !evaluate[bool](s, "parseFloat(getComputedStyle(document.activeElement).outlineWidth) > 1") {
				s.Errorf("%s does not show that it has the focus", id)
			}
			s.do(chromedp.KeyEvent(kb.Enter))
			return
		}
	}
	s.Fatalf("the Tab key does not lead to %s in:\n%s", id, s.text())
}

// picture takes one, if pictures are wanted.
func (s *session) picture(name string) {
	s.Helper()
	if *pictures == "" {
		return
	}
	png, err := chromedp.Run(s.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o600)
	}
	if err != nil {
		s.Error(err)
	}
}

// login logs in through a load balancer of the local stack, as a user does.
func (s *session) login(url string) {
	s.Helper()
	s.mu.Lock()
	s.strict = false
	s.mu.Unlock()
	s.do(chromedp.Navigate("about:blank")) // without its cookie the console refuses its page
	if _, err := chromedp.Call(s.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		s.Fatal(err)
	}
	s.do(chromedp.Navigate(url), chromedp.SendKeys(chromedp.CSS("input[name=username]"), "ada"),
		chromedp.SendKeys(chromedp.CSS("input[name=password]"), "ada-password"),
		chromedp.Submit(chromedp.CSS("input[name=password]")))
	s.await(`ada@example\.com`)
}

// fault makes calls fail, or with "" ends that.
func (s *session) fault(rule string) {
	s.Helper()
	method := http.MethodPost
	if rule == "" {
		method = http.MethodDelete
	}
	r, err := http.NewRequestWithContext(s.Context(), method, s.endpoint, strings.NewReader(rule))
	if err != nil {
		s.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.Fatalf("setting a fault: %v, %v", answer, err)
	}
	_ = answer.Body.Close()
}

func TestTheConsoleInABrowser(t *testing.T) {
	s := start(t)
	if *pictures != "" {
		s.takePictures()
		return
	}
	s.open("")
	s.await(`orders-web\s+okta\s+Ready not rotated yet`)
	s.login(s.shop)

	s.rotateByMouse()
	s.rollBackByKeyboard()
	s.leakByMouse()

	s.login(s.away)
	s.open("")
	s.await(`orders-web\s+okta\s+Ready rotated .* ago`)
	s.await(`logins worked, 0 failed\.`)
	s.checkLooks()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.foreign) > 0 || len(s.errors) > 0 {
		s.Errorf("requests to others: %v; the browser complains: %v", s.foreign, s.errors)
	}
}

// rotateByMouse opens, leaves and opens the dialog, and follows the rotation without loading the page again.
func (s *session) rotateByMouse() {
	s.Helper()
	s.open("#client-orders-web")
	s.click("#open-rotate")
	if focus := evaluate[bool](s, "document.querySelector('#rotate-dialog').contains(document.activeElement)"); !focus {
		s.Error("the dialog has not got the focus")
	}
	s.do(chromedp.KeyEvent(kb.Escape))
	if got := evaluate[string](s, "document.activeElement.id"); got != "open-rotate" {
		s.Errorf("after Escape the focus is at %q", got)
	}
	s.click("#open-rotate")
	s.do(chromedp.SendKeys(chromedp.CSS("#rotate-reason"), `<img src=x onerror=alert(1)> by mouse`),
		chromedp.Click(chromedp.CSS("#rotate-dialog button.primary")))
	s.await(`is running, for`)
	evaluate[bool](s, "window.same = true")
	s.await(`AWSPENDING`)
	s.do(chromedp.WaitVisible(chromedp.CSS("g.node.running")))
	s.await(`ended as SUCCEEDED`)
	s.await(`because: <img src=x onerror=alert\(1\)> by mouse`)
	if !evaluate[bool](s, "window.same === true") {
		s.Error("the page was loaded again")
	}
	if got := evaluate[string](s, "document.querySelector('#news').textContent"); !strings.Contains(got, "SUCCEEDED") {
		s.Errorf("a screen reader is told %q", got)
	}
	if got := evaluate[int](s, "document.querySelectorAll('#targets td .role.new').length"); got != 15 {
		s.Errorf("%d of 5 rules and their 2 nodes each have the new secret, want 15", got)
	}
	if got := evaluate[string](s, "document.querySelector('.secret.new').innerText"); !strings.Contains(got,
		"AWSCURRENT") ||
		!strings.Contains(got, "active") {
		s.Errorf("the new secret is shown as %q", got)
	}
}

// rollBackByKeyboard rotates without a mouse while AWSCURRENT cannot be moved.
func (s *session) rollBackByKeyboard() {
	s.Helper()
	s.fault(
		`{"service": "secretsmanager", "operation": "UpdateSecretVersionStage", "match": "AWSCURRENT", "mode": "refuse",
		"status": 403, "code": "AccessDeniedException"}`)
	s.open("")
	s.press("client-orders-web")
	s.await("Past executions")
	s.press("open-rotate")
	s.do(chromedp.KeyEvent("by keyboard"))
	s.press("Rotate it")
	s.await(`ended as RolledBack`)
	s.fault("")
	for state, class := range map[string]string{"PromoteSecret": "failed", "RestoreTargets": "done",
		"FinishSecret": "todo"} {
		if n := evaluate[int](s, fmt.Sprintf("document.querySelectorAll('g.node.%s[aria-label^=\"%s:\"]').length",
			class, state)); n != 1 {
			s.Errorf("%s is not drawn as %s", state, class)
		}
	}
	s.press("to-client")
	s.await(`Degraded the last rotation was rolled back`)
}

// leakByMouse needs a reason.
func (s *session) leakByMouse() {
	s.Helper()
	s.open("#client-orders-web")
	s.click("#open-leak")
	s.click("#leak-dialog button.danger")
	if !evaluate[bool](s, "document.querySelector('#leak-dialog').open") {
		s.Fatal("a leak needs no reason")
	}
	s.do(chromedp.SendKeys(chromedp.CSS("#leak-reason"),
		"INC-1"), chromedp.Click(chromedp.CSS("#leak-dialog button.danger")))
	s.await(`emergency, because: INC-1`)
	s.await(`ended as SUCCEEDED`)
	s.await(`the identity provider refuses it`)
}

// checkLooks reads the pages in both colour schemes, wide and narrow.
func (s *session) checkLooks() {
	s.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1320, 360} {
			s.look(scheme, width)
			for _, page := range []string{"", "#client-orders-web"} {
				s.open(page)
				where := fmt.Sprintf("%s, %d px, %q", scheme, width, page)
				if got := evaluate[int](s, "document.documentElement.scrollWidth"); got > int(width) {
					s.Errorf("%s: the page is %d px wide", where, got)
				}
				for _, weak := range evaluate[[]string](s, contrast) {
					s.Errorf("%s: too little contrast: %s", where, weak)
				}
				for _, nameless := range evaluate[[]string](s, names) {
					s.Errorf("%s: without a name: %s", where, nameless)
				}
			}
		}
	}
}

// contrast lists texts that stand out from what is behind them by less than 4.5 to 1 (WCAG 2.2, 1.4.3).
const contrast = `(() => {
  const rgb = (c) => (c.match(/[\d.]+/g) || []).map(Number);
  const linear = (v) => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (e) => {
    if (e.closest("g.node")) return rgb(getComputedStyle(e.closest("g.node").querySelector("rect")).fill);
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest("noscript, title, .unseen, dialog:not([open])")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(rgb(e.closest("svg") ? style.fill : style.color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(ratio.toFixed(2) + " " + e.className + " " + e.textContent.trim().slice(0, 40));
  }
  return weak.slice(0, 5);
})()`

// names lists what can be used and has no name, and parts that are no landmark and have no heading.
const names = `[...document.querySelectorAll("a, button, input:not([type=hidden]), [role=group], section, nav, svg, dialog")].filter((e) =>
  !(e.textContent.trim() && e.matches("a, button")) && !e.getAttribute("aria-label") &&
  !document.getElementById(e.getAttribute("aria-labelledby"))?.textContent.trim() &&
  !(e.id && document.querySelector("label[for=" + e.id + "]"))).map((e) => e.outerHTML.slice(0, 120))`

// takePictures follows the rotation that make demo WEB=1 shows, for the documentation.
func (s *session) takePictures() {
	s.Helper()
	s.look("light", 1280)
	s.open("#client-orders-web")
	s.await(`in GracePeriod`)
	s.picture("console")
	s.look("dark", 390)
	s.picture("console-narrow-dark")
	s.await(`ended as SUCCEEDED`)
	s.look("light", 1280)
	s.open("")
	s.picture("console-clients")
}
