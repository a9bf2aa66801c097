package console_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
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

// The list is the order in which triggers run, and it is changed there; who looks
// at an older list is told, and nothing moves.
func TestTriggersAreMovedInTheList(t *testing.T) {
	w := newWorld(t)
	for _, id := range []trigger.ID{"a", "b", "c"} {
		_, err := w.eng.SaveTrigger(t.Context(), w.host, sangdam.SaveTrigger{Trigger: trigger.Trigger{ID: id, Title: "Rule " + string(id),
			Subject: "ticket", Actions: []trigger.Action{trigger.Do("tag", map[string][]string{"add": {string(id)}})}}})
		require.NoError(t, err)
	}
	admin := w.client("admin")
	order := func() string {
		list, err := w.eng.Triggers(t.Context(), w.host, "ticket")
		require.NoError(t, err)
		var ids []string
		for _, one := range list.Triggers {
			ids = append(ids, string(one.ID))
		}
		body := bodyOf(t, admin.do(http.MethodGet, "/triggers?subject=ticket", ""))
		at := -1
		for _, id := range ids {
			row := strings.Index(body, `<tr id="t-`+id+`">`)
			require.Greater(t, row, at, "the page shows them in their order")
			at = row
		}
		return strings.Join(ids, "")
	}
	version := func() string {
		_, after, ok := strings.Cut(bodyOf(t, admin.do(http.MethodGet, "/triggers?subject=ticket", "")), `name="version" value="`)
		require.True(t, ok)
		v, _, _ := strings.Cut(after, `"`)
		return v
	}
	move := func(id, to, version string) int {
		form := url.Values{"subject": {"ticket"}, "to": {to}, "version": {version}}
		return admin.do(http.MethodPost, "/triggers/"+id+"/move", form.Encode()).StatusCode
	}
	require.Equal(t, "abc", order())
	old := version()
	require.Equal(t, http.StatusSeeOther, move("c", "up", old))
	require.Equal(t, "acb", order())
	require.Equal(t, http.StatusConflict, move("c", "up", old), "the list is another now")
	require.Equal(t, http.StatusSeeOther, move("a", "down", version()))
	require.Equal(t, "cab", order())
	for _, bad := range [][2]string{{"c", "up"}, {"b", "down"}, {"none", "up"}, {"a", "sideways"}} {
		require.Equal(t, http.StatusNotFound, move(bad[0], bad[1], version()), bad)
	}
	require.Equal(t, "cab", order())
}

// A trigger's page has its run log, earlier entries too, why it did not apply
// while somebody asks for that, and what the lint says; the list says that as well.
func TestATriggersPageHasItsRunLogAndTheLint(t *testing.T) {
	w := newWorld(t)
	save := func(id trigger.ID, tags string, when ...condition.Clause) {
		_, err := w.eng.SaveTrigger(t.Context(), w.host, sangdam.SaveTrigger{Trigger: trigger.Trigger{ID: id, Title: "Rule",
			Subject: "ticket", Active: true, When: condition.Condition{All: when},
			Actions: []trigger.Action{trigger.Do("tag", map[string][]string{tags: {"lamp"}})}}})
		require.NoError(t, err)
	}
	save("lamps", "add", condition.Clause{Field: "title", Op: condition.Contains, Value: "lamp"})
	open := func(title string) {
		_, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Desk: "support", Title: title})
		require.NoError(t, err)
	}
	admin := w.client("admin")
	page := func(path string) string { return bodyOf(t, admin.do(http.MethodGet, path, "")) }
	log := func(path string) (ran, missed int) {
		_, section, found := strings.Cut(page(path), `id="runs"`)
		require.True(t, found)
		return strings.Count(section, ">ran<"), strings.Count(section, ">did not apply<")
	}
	open("a chair")
	for range 51 {
		open("a lamp")
	}
	w.eventually("all are in the log", func() bool {
		page, err := w.eng.TriggerRuns(t.Context(), w.host, sangdam.TriggerRunFilter{Trigger: "lamps"}, "", 200)
		require.NoError(t, err)
		return len(page.Runs) >= 51
	})
	ran, missed := log("/triggers/lamps")
	require.Equal(t, [2]int{50, 0}, [2]int{ran, missed})
	_, more, found := strings.Cut(page("/triggers/lamps"), `<a class="more" href="/desk`)
	require.True(t, found)
	more, _, _ = strings.Cut(more, "#runs")
	ran, _ = log(more)
	require.Equal(t, 1, ran, "the first of all")

	trace := func(on string) {
		resp := admin.do(http.MethodPost, "/triggers/lamps/trace", url.Values{"on": {on}}.Encode())
		require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	}
	trace("1")
	require.Contains(t, page("/triggers/lamps"), `id="traced"`)
	open("another chair")
	w.eventually("a miss is in the log", func() bool { _, missed := log("/triggers/lamps"); return missed == 1 })
	require.Contains(t, page("/triggers/lamps"), "title contains", "with its reason")
	trace("")
	require.NotContains(t, page("/triggers/lamps"), `id="traced"`)

	save("zealous", "remove")
	list, err := w.eng.Triggers(t.Context(), w.host, "ticket")
	require.NoError(t, err)
	require.NotEmpty(t, list.Findings)
	f := list.Findings[0]
	for _, path := range []string{"/triggers?subject=ticket", "/triggers/" + string(f.Trigger)} {
		require.Contains(t, page(path), "Rule may fire in one event and set", path)
		admin.header.Set("Accept-Language", "ko")
		require.Contains(t, page(path), "Rule: Rule와(과) 한 이벤트에서 함께 실행되어", path)
		admin.header.Set("Accept-Language", "en")
	}
}
