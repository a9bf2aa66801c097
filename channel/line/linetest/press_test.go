package linetest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

// offer pushes a text with quick replies.
func offer(t *testing.T, s *linetest.Server, u *linetest.User, actions ...string) {
	t.Helper()
	var items []string
	for _, a := range actions {
		items = append(items, `{"type":"action","action":`+a+`}`)
	}
	pushMessage(t, s, u.ID(), `{"type":"text","text":"choose","quickReply":{"items":[`+strings.Join(items, ",")+`]}}`)
}

// lastEvent is the newest event that the account was sent.
func lastEvent(t *testing.T, s *linetest.Server) map[string]any {
	t.Helper()
	require.NoError(t, s.WaitIdle(t.Context()))
	hooks := s.Webhooks()
	var body struct{ Events []map[string]any }
	require.NoError(t, json.Unmarshal(hooks[len(hooks)-1].Body, &body))
	return body.Events[len(body.Events)-1]
}

func TestEveryQuickReplyCanBePressed(t *testing.T) {
	s := linetest.New(linetest.Options{Now: func() time.Time { return time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC) }})
	t.Cleanup(s.Close)
	s.SetWebhook("http://127.0.0.1:1/")
	u := s.User("Mina")
	press := func(action string, with linetest.Answer) map[string]any {
		offer(t, s, u, action)
		choices := u.Choices()
		_, err := u.Press(choices[len(choices)-1].Label, with)
		require.NoError(t, err, action)
		return lastEvent(t, s)
	}
	e := press(`{"type":"message","label":"Yes","text":"yes, please"}`, linetest.Answer{})
	require.Equal(t, "yes, please", e["message"].(map[string]any)["text"])
	e = press(`{"type":"postback","label":"Buy","data":"buy=1","displayText":"I buy it"}`, linetest.Answer{})
	require.Equal(t, map[string]any{"data": "buy=1"}, e["postback"])
	e = press(`{"type":"datetimepicker","label":"When","data":"d","mode":"date","initial":"2026-03-05","min":"2026-03-01",`+
		`"max":"2026-03-31"}`, linetest.Answer{})
	require.Equal(t, map[string]any{"data": "d", "params": map[string]any{"date": "2026-03-05"}}, e["postback"])
	e = press(`{"type":"datetimepicker","label":"When","data":"d","mode":"datetime"}`, linetest.Answer{Picked: "2026-04-01T09:00"})
	require.Equal(t, map[string]any{"datetime": "2026-04-01T09:00"}, e["postback"].(map[string]any)["params"])
	e = press(`{"type":"datetimepicker","label":"When","data":"d","mode":"time"}`, linetest.Answer{})
	require.Equal(t, map[string]any{"time": "10:30"}, e["postback"].(map[string]any)["params"])
	e = press(`{"type":"location","label":"Where"}`, linetest.Answer{Sends: linetest.Location("Home", "Seoul", 37.5, 127)})
	require.Equal(t, "Home", e["message"].(map[string]any)["title"])
	for _, kind := range []string{"camera", "cameraRoll"} {
		e = press(`{"type":"`+kind+`","label":"Photo"}`, linetest.Answer{})
		require.Equal(t, "image", e["message"].(map[string]any)["type"])
	}
	before := len(s.Webhooks())
	press(`{"type":"clipboard","label":"Copy","clipboardText":"CODE-7"}`, linetest.Answer{})
	press(`{"type":"uri","label":"Open","uri":"https://shop.example/"}`, linetest.Answer{})
	require.Equal(t, "CODE-7", u.Clipboard())
	require.Len(t, s.Webhooks(), before, "nothing is sent by these")
}

func TestQuickRepliesGoWithTheNextMessage(t *testing.T) {
	s := linetest.New(linetest.Options{})
	t.Cleanup(s.Close)
	u := s.User("Mina")
	offer(t, s, u, `{"type":"datetimepicker","label":"When","data":"d","mode":"date","max":"2026-03-31"}`)
	_, err := u.Press("When", linetest.Answer{Picked: "2026-04-01"})
	require.ErrorContains(t, err, "cannot be picked")
	u.Unfollow()
	_, err = u.Press("When", linetest.Answer{Picked: "2026-03-01"})
	require.ErrorContains(t, err, "blocked")
	u.Follow()
	u.SendText("something else")
	_, err = u.Press("When", linetest.Answer{Picked: "2026-03-01"})
	require.ErrorContains(t, err, "nothing to press")
	pushMessage(t, s, u.ID(), `{"type":"template","altText":"a","template":{"type":"buttons","text":"t","actions":[{"type":"postback",`+
		`"label":"Stays","data":"x"}]}}`)
	pushMessage(t, s, u.ID(), `{"type":"flex","altText":"a","contents":{"type":"bubble","footer":{"type":"box","layout":"vertical",
		"contents":[{"type":"button","action":{"type":"message","label":"In flex","text":"f"}}]}}}`)
	_, err = u.Press("Stays", linetest.Answer{})
	require.NoError(t, err)
	_, err = u.Press("In flex", linetest.Answer{})
	require.NoError(t, err)
}

// LINE refuses these, and so does the emulator.
func TestBadActionsAreRefused(t *testing.T) {
	s := linetest.New(linetest.Options{})
	t.Cleanup(s.Close)
	u := s.User("Mina")
	for name, action := range map[string]string{
		"picker without mode":    `{"type":"datetimepicker","label":"l","data":"d"}`,
		"picker out of order":    `{"type":"datetimepicker","label":"l","data":"d","mode":"date","min":"2026-03-02","max":"2026-03-01"}`,
		"picker of another form": `{"type":"datetimepicker","label":"l","data":"d","mode":"time","initial":"2026-03-02"}`,
		"picker before 1900":     `{"type":"datetimepicker","label":"l","data":"d","mode":"date","min":"1899-12-31"}`,
		"copying nothing":        `{"type":"clipboard","label":"l"}`,
		"camera without label":   `{"type":"camera"}`,
	} {
		status, _, _ := api(t, s, "POST", "/v2/bot/message/push", fmt.Sprintf(
			`{"to":%q,"messages":[{"type":"text","text":"x","quickReply":{"items":[{"type":"action","action":%s}]}}]}`, u.ID(), action))
		require.Equal(t, http.StatusBadRequest, status, name)
	}
	status, body, _ := api(t, s, "POST", "/v2/bot/message/push", fmt.Sprintf(
		`{"to":%q,"messages":[{"type":"template","altText":"a","template":{"type":"buttons","text":"t","actions":[{"type":"camera",`+
			`"label":"l"}]}}]}`, u.ID()))
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "quick replies only")
}
