package linetest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

func TestPhonesKeepTheNewest(t *testing.T) {
	s, _ := start(t, linetest.Options{KeepReceived: 3})
	u, all := s.User("Mina"), []string{}
	for i := range 10 {
		text := fmt.Sprint("message ", i)
		all = append(all, text)
		code, _, _ := push(t, s, u.ID(), text)
		require.Equal(t, 200, code)
		require.Equal(t, all[max(0, len(all)-3):], u.Texts())
		require.NoError(t, s.WaitDelivered(t.Context(), u, i+1), "the others count too")
	}
	require.Equal(t, 7, u.Received()[0].Number)
	for after, want := range map[int]int{0: 3, 6: 3, 7: 3, 8: 2, 9: 1, 10: 0, 99: 0} {
		code, body := control(t, s, "GET", fmt.Sprintf("users/Mina/received?after=%d", after), "")
		require.Equal(t, 200, code)
		var got []linetest.Delivered
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		require.Len(t, got, want, after)
		if want > 0 {
			require.Equal(t, 9, got[want-1].Number)
			require.Equal(t, max(after, 7), got[0].Number)
		}
	}
	_, body := control(t, s, "GET", "users", "")
	require.Contains(t, body, `"received":10`)
}

func TestOnlyTheNewestMessagesAreKnown(t *testing.T) {
	s, _ := start(t, linetest.Options{KeepMessages: 2})
	u := s.User("Mina")
	var ids []string
	for i := range 4 {
		ids = append(ids, u.Send(linetest.Image("image/png", []byte{byte(i)})).MessageID)
	}
	for i, id := range ids {
		code, _, _ := api(t, s, http.MethodGet, "/v2/bot/message/"+id+"/content", "")
		require.Equal(t, i >= 2, code == 200, "message %d: %d", i, code)
		_, err := u.Unsend(id)
		require.Equal(t, i >= 2, err == nil, "message %d: %v", i, err)
	}
}

func TestWithoutALimitEverythingIsKept(t *testing.T) {
	s, _ := start(t, linetest.Options{})
	u := s.User("Mina")
	first := u.Send(linetest.Image("image/png", []byte("x"))).MessageID
	for i := range 1500 {
		u.SendText("hello")
		code, _, _ := push(t, s, u.ID(), fmt.Sprint(i))
		require.Equal(t, 200, code)
	}
	require.Len(t, u.Received(), 1500)
	code, _, _ := api(t, s, http.MethodGet, "/v2/bot/message/"+first+"/content", "")
	require.Equal(t, 200, code)
}

func TestARefusedContentNeedsTheMessageItBlames(t *testing.T) {
	s, _ := start(t, linetest.Options{})
	u := s.User("Mina")
	s.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultContent, Message: 1, Nth: 1})
	code, _, _ := push(t, s, u.ID(), "alone")
	require.Equal(t, 200, code)
	code, body, _ := api(t, s, "POST", "/v2/bot/message/push",
		`{"to":"`+u.ID()+`","messages":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`)
	require.Equal(t, 400, code)
	require.Contains(t, body, "messages[1].text")
	require.Equal(t, []string{"alone"}, u.Texts())
}
