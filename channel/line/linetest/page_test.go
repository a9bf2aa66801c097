package linetest_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

// browser starts a headless chromium. Without one the test is skipped, but not
// in continuous integration.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium: install it, the page must be tested here")
		}
		t.Skip("no chromium on this machine")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(900, 760), chromedp.WSURLReadTimeout(time.Minute))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	bounded, cut := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cut)
	return bounded
}

// The page plays the customer's phone: what is typed becomes a webhook, what
// the account sends appears, and markup in it stays text.
func TestThePageIsAPhone(t *testing.T) {
	ctx := browser(t)
	srv := linetest.New(linetest.Options{})
	t.Cleanup(srv.Close)
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)

	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(web.URL),
		chromedp.WaitVisible(chromedp.CSS("#text")),
		chromedp.SetValue(chromedp.CSS("#name"), "민아"),
		chromedp.Click(chromedp.CSS("#who button")),
		chromedp.WaitVisible(chromedp.CSS(`#say[data-customer="민아"]`)),
		chromedp.SendKeys(chromedp.CSS("#text"), "주문한 옷이 작아요. 환불 되나요?"),
		chromedp.Click(chromedp.CSS("#send:enabled")),
		chromedp.WaitVisible(chromedp.CSS("li.mine")),
	))
	u := srv.User("민아")
	status, _, _ := push(t, srv, u.ID(), `<img src=x onerror="document.title='owned'">네, 됩니다.`)
	require.Equal(t, 200, status)
	require.NoError(t, chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS("li.theirs"))))
	body, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("#chat")))
	require.NoError(t, err)
	require.Contains(t, body, "환불 되나요?")
	require.Contains(t, body, "네, 됩니다.")
	require.Contains(t, body, "<img", "markup is shown as text")
	title, err := chromedp.Run(ctx, chromedp.Title())
	require.NoError(t, err)
	require.NotContains(t, title, "owned")
	trouble, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("#trouble"), chromedp.NodeReady))
	require.NoError(t, err)
	require.Empty(t, trouble)
}
