package console_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// What stands for something else than itself, such as the code of a language or
// of an action, is written out in the reader's words.
func TestCodesAreWrittenOut(t *testing.T) {
	w := newWorld(t)
	_, err := w.eng.SaveTrigger(t.Context(), w.host, sangdam.SaveTrigger{Trigger: trigger.Trigger{ID: "t", Title: "Lamps",
		Subject: "ticket", Active: true, Actions: []trigger.Action{trigger.Do(action.Tag, action.TagParams{Add: []string{"lamp"}}),
			trigger.Do(action.Priority, action.PriorityParams{})}}})
	require.NoError(t, err)
	c := w.client("admin")
	c.header = http.Header{"Accept-Language": {"ko"}}
	page := func(path string) string {
		body, err := io.ReadAll(c.do(http.MethodGet, path, "").Body)
		require.NoError(t, err)
		return string(body)
	}
	list := page("/triggers?subject=ticket")
	require.Contains(t, list, "<td>태그, 우선순위 정하기</td>")
	require.Contains(t, list, `<span class="state state-active">켜짐</span>`, "a state, not what a button does")
	for path, label := range map[string]string{
		"/replies/new": "<label class=\"wide\">한국어<textarea", "/setup/notice": "<label class=\"wide\">日本語<textarea",
		"/setup/desks/new": "<label>English<textarea", "/setup/tickets": "(한국어)<input",
		"/setup": ">日本語</option>", "/macros/new?subject=ticket": "<label>日本語<textarea"} {
		require.Contains(t, page(path), label, path)
	}
}

// The form of a new account keeps no key, and does not say that it does.
func TestANewAccountHasNoKeyThatIsKept(t *testing.T) {
	w := newWorld(t)
	w.chat()
	body, err := io.ReadAll(w.client("admin").do(http.MethodGet, "/setup/accounts/new?kind=webchat", "").Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `name="identity_key" type="password" autocomplete="new-password" placeholder=""`)
}
