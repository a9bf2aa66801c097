// Package browsertest lends tests a real browser: Chromium without a window.
//
// One browser serves all tests of a program, since starting one takes seconds
// and, about once in a hundred times, fails: some builds of Chromium die at
// their start. So a start is tried again, and each test gets a browser context
// of its own, with its own cookies and storage, as if it were a browser of its
// own. A program that uses the package calls [Run] in its TestMain.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	starts  = 5               // how often a start is tried
	minutes = 4 * time.Minute // how long a test may keep its browser context
)

// shared is the browser of this program.
var shared struct {
	sync.Mutex
	ctx  context.Context
	stop func()
}

// Run runs the tests and ends the browser after them. It returns the code for
// [os.Exit].
func Run(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.stop != nil {
		shared.stop()
	}
	return code
}

// Open returns a tab in a browser context of its own, that is without anything
// another test has left. Tabs made from it with [chromedp.NewContext] share its
// cookies and storage. It ends with the test, or after four minutes. Where no
// Chromium is installed the test is skipped, but fails if CI is set.
func Open(t testing.TB) context.Context {
	t.Helper()
	path := find()
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium: install it, the pages must be tested here")
		}
		t.Skip("no chromium on this machine")
	}
	var failed error
	for range starts {
		tab, err := open(t, path)
		if err == nil {
			return tab
		}
		failed = errors.Join(failed, err)
	}
	t.Fatalf("no browser in %d starts: %v", starts, failed)
	return nil
}

func find() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// open makes a tab in the browser there is. If that fails the browser is given
// up, so that the next call starts another.
func open(t testing.TB, path string) (context.Context, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.ctx == nil {
		if err := start(path); err != nil {
			return nil, err
		}
	}
	bounded, cut := context.WithTimeout(shared.ctx, minutes)
	tab, closeTab := chromedp.NewContext(bounded, chromedp.WithNewBrowserContext())
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil {
		closeTab()
		cut()
		shared.stop()
		shared.ctx, shared.stop = nil, nil
		return nil, fmt.Errorf("open a tab: %w", err)
	}
	t.Cleanup(cut)
	t.Cleanup(closeTab)
	return tab, nil
}

// start starts a browser for all tests; the caller holds the lock.
func start(path string) error {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(1100, 800), chromedp.WSURLReadTimeout(time.Minute))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, cancel := chromedp.NewContext(alloc)
	if err := chromedp.Do(browser); err != nil {
		cancel()
		stop()
		return fmt.Errorf("start %s: %w", path, err)
	}
	shared.ctx, shared.stop = browser, func() { cancel(); stop() }
	return nil
}
