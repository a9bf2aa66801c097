package linetest_test

import (
	"net/http/httptest"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/internal/browsertest"
)

// TestMain ends the browser after the tests.
func TestMain(m *testing.M) { os.Exit(browsertest.Run(m)) }

// The page plays the customer's phone: what is typed becomes a webhook, what
// the account sends appears, and markup in it stays text.
func TestThePageIsAPhone(t *testing.T) {
	ctx := browsertest.Open(t)
	srv := linetest.New(linetest.Options{})
	t.Cleanup(srv.Close)
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)

	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(web.URL),
		stands("friend"), // the page puts its first customer's name into the field once it knows it
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
