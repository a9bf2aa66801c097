package console_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/trigger"
)

// Nothing of an action is lost when its trigger is saved from the page: what has
// no field stands as JSON, also what cannot be read while it is mended.
func TestAnActionLosesNothingOnThePage(t *testing.T) {
	w := newWorld(t)
	raw := `{"text":{"ko":"하나\n둘","th":"สาม"}}`
	_, err := w.eng.SaveTrigger(t.Context(), w.host,
		sangdam.SaveTrigger{Trigger: trigger.Trigger{ID: "t", Title: "Waits", Subject: "ticket",
			After:   &trigger.After{Since: "created", For: 90 * time.Second},
			Actions: []trigger.Action{{Kind: "note", Params: json.RawMessage(raw)}, trigger.Do("priority", map[string]int{"value": 0})}}})
	require.NoError(t, err)
	page := func(resp *http.Response) string {
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(body)
	}
	body := page(w.client("admin").do(http.MethodGet, "/triggers/t", ""))
	require.Contains(t, body, `name="action.0.text.th"`)
	require.Contains(t, body, `name="after.for" value="90"`)
	form := url.Values{"version": {"1"}, "title": {"Waits"}, "condition.mode": {"rows"}, "action.row": {"1", "0"},
		"action.0.kind": {"note"}, "action.0.text.ko": {"하나\r\n둘"}, "action.0.text.th": {"สาม"}, "action.1.kind": {"priority"},
		"action.1.value": {"0"}, "after.since": {"created"}, "after.for": {"90"}, "after.unit": {"seconds"}}
	post := func() (*http.Response, string) {
		resp := w.client("admin").do(http.MethodPost, "/triggers/t", form.Encode())
		return resp, page(resp)
	}
	form.Set("action.0.more", `{"later": `)
	resp, body := post()
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Contains(t, body, `{&#34;later&#34;: `, "what was typed stays")
	form.Set("action.0.more", `{"later": true}`)
	resp, body = post()
	require.Equal(t, http.StatusBadRequest, resp.StatusCode, "the library knows no such parameter")
	require.Contains(t, body, "&#34;later&#34;: true")
	form.Del("action.0.more")
	resp, body = post()
	require.Equal(t, http.StatusSeeOther, resp.StatusCode, body)
	list, err := w.eng.Triggers(t.Context(), w.host, "ticket")
	require.NoError(t, err)
	saved := list.Triggers[0]
	require.Equal(t, 90*time.Second, saved.After.For)
	require.JSONEq(t, `{"value":0}`, string(saved.Actions[0].Params))
	require.JSONEq(t, raw, string(saved.Actions[1].Params))
}
