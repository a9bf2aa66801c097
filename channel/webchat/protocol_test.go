package webchat_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// TestAWidgetMountedWrongSaysHow: a host that leaves its path on the request gets the
// remedy and not a bare "not found".
func TestAWidgetMountedWrongSaysHow(t *testing.T) {
	s := openShop(t)
	h := webchat.NewHandler(s.eng.Visitor(), webchat.Options{})
	for _, path := range []string{"/chat/widget.js", "/chat/assets/1/widget.css", "/chat/v1/token"} {
		rw := httptest.NewRecorder()
		h.ServeHTTP(rw, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusNotFound, rw.Code, path)
		require.Contains(t, rw.Body.String(), "http.StripPrefix", path)
	}
	for _, path := range []string{"/widget.js", "/v1/nobody"} {
		rw := httptest.NewRecorder()
		h.ServeHTTP(rw, httptest.NewRequest(http.MethodGet, path, nil))
		require.NotContains(t, rw.Body.String(), "http.StripPrefix", path)
	}
	for _, path := range []string{"/widget.js", "/assets/1/widget.css"} {
		rw := httptest.NewRecorder()
		h.ServeHTTP(rw, httptest.NewRequest(http.MethodPost, path, nil))
		require.Equal(t, http.StatusMethodNotAllowed, rw.Code, path)
	}
	rw := httptest.NewRecorder()
	h.ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "/assets/widget.css", nil))
	require.NotContains(t, rw.Body.String(), "http.StripPrefix", "it is mounted right, and there is no such file")
}

func TestAVisitorTalksWithTheDesk(t *testing.T) {
	s := openShop(t)
	s.online(routing.Online)
	c := s.client()
	status, cfg := c.call("GET", "?lang=ko", nil)
	require.Equal(t, 200, status)
	require.Equal(t, "Support", cfg["title"])
	require.Equal(t, map[string]any{"open": true, "agents": true}, cfg["available"])
	require.Equal(t, "대화 내용이 저장됩니다.", cfg["consent"].(map[string]any)["text"])

	c = s.visitor()
	events, stop := c.listen("?page=page-0001", "")
	defer stop()
	key := newKey()
	for range 3 { // a client that never saw the answer repeats
		status, m := c.call("POST", "messages", map[string]any{"key": key, "text": "Do you have this in blue?"})
		require.Equal(t, 201, status)
		require.Equal(t, key, m["key"])
	}
	var st sse // the state is as new as it may be, and may come before the messages
	hers := func(e sse) bool {
		if e.event == "state" && e.data["agent"] == "Mina" {
			st = e
		}
		return st.event != ""
	}
	beside := func(fits func(sse) bool) func(sse) bool { return func(e sse) bool { hers(e); return fits(e) } }
	await(t, events, "the own message", beside(text("Do you have this in blue?")))
	require.Equal(t, "127.0.0.1", s.conversations()[0].Attributes["ip"])
	await(t, events, "the greeting", beside(text("Hello!")))
	if st.event == "" {
		await(t, events, "Mina", hers)
	}
	require.Equal(t, true, st.data["open"])
	require.NoError(t, s.eng.ShowTyping(t.Context(), mina, s.mine(), time.Second))
	await(t, events, "her writing", kind("typing"))
	require.NoError(t, s.eng.MarkRead(t.Context(), mina, s.mine()))
	await(t, events, "that she has read", func(e sse) bool { return e.event == "state" && e.data["read"] == 2.0 })
	s.answers(channel.Text("Yes!"))
	answer := await(t, events, "the answer", text("Yes!"))
	require.Equal(t, "Mina", answer.data["author"])

	status, _ = c.call("POST", "read", map[string]any{"conversation": answer.data["conversation"], "seq": answer.data["seq"]})
	require.Equal(t, 204, status)
	d, err := s.eng.Conversation(t.Context(), host, s.mine())
	require.NoError(t, err)
	require.Equal(t, conversation.StatusRead, d.Messages[len(d.Messages)-1].Status)
	status, _ = c.call("POST", "typing", map[string]any{})
	require.Equal(t, 204, status)

	status, _ = c.call("POST", "rating", map[string]any{"key": newKey(), "score": 5})
	require.Equal(t, 400, status, "it has not ended")
	status, _ = c.call("POST", "end", map[string]any{"key": newKey()})
	require.Equal(t, 204, status)
	await(t, events, "the end", func(e sse) bool { return e.event == "state" && e.data["ended_by"] == "customer" })
	status, _ = c.call("POST", "rating", map[string]any{"key": newKey(), "score": 4, "comment": "quick"})
	require.Equal(t, 204, status)
	status, _ = c.call("POST", "rating", map[string]any{"key": newKey(), "score": 1})
	require.Equal(t, 409, status, "once")
	require.Equal(t, []string{"Do you have this in blue?", "Hello!", "Yes!"}, c.texts())
}

// Whatever breaks, a stream that is taken up brings everything once.
func TestAStreamIsTakenUpAnywhere(t *testing.T) {
	s := openShop(t)
	s.online(routing.Online)
	c := s.visitor()
	var got []string
	last := ""
	follow := func(want string) {
		events, stop := c.listen("", last)
		defer stop()
		await(t, events, want, func(e sse) bool {
			if e.event != "message" {
				return false
			}
			last = e.id
			got = append(got, e.data["text"].(string))
			return got[len(got)-1] == want
		})
	}
	c.says("one")
	follow("Hello!")
	s.answers(channel.Text("two")) // while nobody listens
	follow("two")
	s.restart()
	s.online(routing.Online)
	s.answers(channel.Text("three"))
	follow("three")
	second, err := sangdam.New(s.cfg) // another process on the same data
	require.NoError(t, err)
	other := http.StripPrefix("/webchat", webchat.NewHandler(second.Visitor(), webchat.Options{}))
	s.handler.Store(&other)
	s.answers(channel.Text("four"))
	follow("four")
	require.Equal(t, []string{"one", "Hello!", "two", "three", "four"}, got)
}

// Readers who are stuck cost the others nothing: neither other visitors nor the
// same one's other page.
func TestAStuckReaderCostsTheOthersNothing(t *testing.T) {
	s := openShop(t, withLimits(webchat.Limits{Messages: 10_000, VisitorRequests: 10_000, StreamsPerVisitor: 10}))
	a, b := s.visitor(), s.visitor()
	for range 3 { // they ask, and read not a byte
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.web.URL, "http://"))
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(1024))
		require.NoError(t, a.request("GET", "events", nil).Write(conn))
	}
	events, stop := a.listen("", "")
	defer stop()
	others, stopOthers := b.listen("", "")
	defer stopOthers()
	await(t, events, "availability", kind("available"))
	await(t, others, "availability", kind("available"))
	long := strings.Repeat("가", 9_000)
	for i := range 200 { // 5 MB: more than any system keeps for a reader
		a.says(fmt.Sprint(i, long))
		await(t, events, "the own message", text(fmt.Sprint(i, long)))
	}
	b.says("and I?")
	await(t, others, "the other's message", text("and I?"))
}

func TestAStreamEndsWithTheEngine(t *testing.T) {
	s := openShop(t)
	c := s.visitor()
	events, stop := c.listen("", "")
	defer stop()
	await(t, events, "availability", kind("available"))
	s.halt()
	for range events { // it ends
	}
	status, _ := c.call("GET", "events", nil)
	require.Equal(t, 503, status)
	s.start()
}

func TestAvailabilityIsToldWhileThePageIsOpen(t *testing.T) {
	s := openShop(t)
	events, stop := s.client().listen("", "") // before any consent
	defer stop()
	agents := func(want bool) {
		await(t, events, "availability", func(e sse) bool { return e.event == "available" && e.data["agents"] == want })
	}
	agents(false)
	s.online(routing.Online)
	agents(true)
	s.online(routing.Offline)
	agents(false)
}

func TestAFileGoesToTheDeskAndBack(t *testing.T) {
	s := openShop(t)
	s.online(routing.Online)
	c := s.visitor()
	picture, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ" +
		"AAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
	require.NoError(t, err)
	c.header.Set("X-File-Name", "..%2F%ED%95%98%EB%8A%98.png")
	status, up := c.call("POST", "files", picture)
	require.Equal(t, 201, status, up)
	require.Equal(t, "하늘.png", up["name"])
	status, m := c.call("POST", "messages", map[string]any{"key": newKey(), "file": up["file"], "text": "look"})
	require.Equal(t, 201, status, m)
	require.Equal(t, "image", m["kind"])
	status, got, h := c.do(c.request("GET", "files/"+m["id"].(string), nil))
	require.Equal(t, 200, status)
	require.Equal(t, string(picture), got["raw"])
	require.Equal(t, "image/png", h.Get("Content-Type"))
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	d, err := s.eng.Conversation(t.Context(), host, s.mine())
	require.NoError(t, err)
	require.NotEmpty(t, d.Messages[0].Content.Media.Blob)
}

func TestAChoiceIsWhatWasOffered(t *testing.T) {
	s := openShop(t)
	s.online(routing.Online)
	c := s.visitor()
	c.says("hi")
	offer := channel.Text("Which one?")
	offer.Choices = []channel.Choice{{Label: "Blue", Kind: "message", Text: "The blue one"},
		{Label: "Red", Kind: "postback", Data: "secret-data"},
		{Label: "Look", Kind: "uri", URI: "https://shop.example/"}}
	s.answers(offer)
	s.answers(channel.Content{Kind: channel.KindCard, Cards: []channel.Card{{Title: "Hat", Text: "Felt",
		Choices: []channel.Choice{{Label: "Buy", Kind: "postback", Data: "buy-hat"}}}}})
	_, body := c.call("GET", "messages", nil)
	all := body["messages"].([]any)
	asked, cards := all[2].(map[string]any), all[3].(map[string]any)
	require.NotContains(t, body, "secret-data")
	press := func(m map[string]any, choice map[string]any) (int, map[string]any) {
		choice["message"] = m["id"]
		return c.call("POST", "messages", map[string]any{"key": newKey(), "choice": choice})
	}
	status, said := press(asked, map[string]any{"index": 0})
	require.Equal(t, 201, status, said)
	require.Equal(t, "The blue one", said["text"])
	status, said = press(asked, map[string]any{"index": 1})
	require.Equal(t, 201, status)
	require.Equal(t, "Red", said["text"])
	status, _ = press(cards, map[string]any{"index": 0, "card": 0})
	require.Equal(t, 201, status)
	for _, bad := range []map[string]any{{"index": 2}, {"index": 3}, {"index": -1}, {"index": 0, "card": 0},
		{"index": 0, "data": "forged"}} {
		status, _ = press(asked, bad)
		require.Equal(t, 400, status, "%v", bad)
	}
	d, err := s.eng.Conversation(t.Context(), host, s.mine())
	require.NoError(t, err)
	require.Equal(t, "buy-hat", d.Messages[len(d.Messages)-1].Content.Postback.Data)
}

func TestClosingTheWindowEndsALiveChat(t *testing.T) {
	s := openShop(t, withSettings(func(set *webchat.Settings) { set.GraceSeconds = 1 }))
	s.online(routing.Online)
	c := s.visitor()
	state := func() conversation.State { return s.conversations()[0].State }
	c.says("hi")
	s.mine()
	events, stop := c.listen("?page=page-0001", "")
	await(t, events, "the state", kind("state"))
	status, _ := c.call("POST", "leave", map[string]any{"page": "page-0001"})
	require.Equal(t, 204, status)
	stop()
	events, stop = c.listen("?page=page-0002", "") // a reload
	await(t, events, "the state", kind("state"))
	require.Eventually(t, func() bool { return s.conversations()[0].Left == nil }, 5*time.Second, 10*time.Millisecond)
	stop() // a network that is lost says nothing
	require.Never(t, func() bool { return state() != conversation.StateActive }, 2*time.Second, 100*time.Millisecond)
	status, _ = c.call("POST", "leave", map[string]any{"page": "page-0002"})
	require.Equal(t, 204, status)
	require.Eventually(t, func() bool { return state() == conversation.StateWrapUp }, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, "customer_left", s.conversations()[0].EndReason)
}

func TestAMemberIsTheSameEverywhere(t *testing.T) {
	s := openShop(t)
	c := s.visitor()
	c.says("before the log-in")
	status, session := c.call("POST", "session", map[string]any{"identity": s.identity(nil), "consent": "2026-01"})
	require.Equal(t, 200, status)
	require.Equal(t, true, session["identified"])
	c.token = session["token"].(string)
	phone := s.client()
	_, session = phone.call("POST", "session", map[string]any{"identity": s.identity(nil)})
	require.Equal(t, true, session["identified"], "it has agreed already, elsewhere")
	phone.token = session["token"].(string)
	phone.says("on the phone")
	require.Equal(t, []string{"before the log-in", "Hello!", "on the phone"}, c.texts())
	require.Len(t, s.conversations(), 1)
	contact, _, err := s.eng.Contact(t.Context(), host, s.conversations()[0].Contact)
	require.NoError(t, err)
	require.Equal(t, "Kim Mina", contact.Name)
	require.Equal(t, "u-17", contact.Attributes["customer_id"])
}

// The host's own server speaks for its members.
func TestTheHostsServerSpeaksForAMember(t *testing.T) {
	s := openShop(t)
	body := []byte(`{"events":[{"id":"e1","type":"message","subject":"u-17","name":"Mina","at":"2026-03-02T09:00:00Z","text":"from the ` +
		`app"}]}`)
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.web.URL+"/webhooks/"+s.acct.Token,
			strings.NewReader(string(body)))
		require.NoError(t, err)
		req.Header.Set(webchat.SignatureHeader, webchat.Sign(s.visitorKey, body))
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 200, resp.StatusCode)
	}
	c := s.client()
	_, session := c.call("POST", "session", map[string]any{"identity": s.identity(nil), "consent": "2026-01"})
	c.token = session["token"].(string)
	require.Eventually(t, func() bool { return len(c.texts()) == 2 }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, []string{"from the app", "Hello!"}, c.texts())
}

func TestMembersOnly(t *testing.T) {
	s := openShop(t, withSettings(func(set *webchat.Settings) { set.MembersOnly = true }))
	c := s.client()
	status, body := c.call("POST", "session", map[string]any{"consent": "2026-01"})
	require.Equal(t, 403, status)
	require.Equal(t, "members_only", body["error"])
	forged := s.identity(func(m jwt.MapClaims) { m["aud"] = "another" })
	status, _ = c.call("POST", "session", map[string]any{"consent": "2026-01", "identity": forged})
	require.Equal(t, 403, status)
	status, _ = c.call("POST", "session", map[string]any{"consent": "2026-01", "identity": s.identity(nil)})
	require.Equal(t, 200, status)
}

// Agents see where a conversation began, without what the address told in
// confidence.
func TestTheEntryPointIsKept(t *testing.T) {
	s := openShop(t)
	c := s.visitor()
	c.header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36")
	status, _ := c.call("POST", "messages", map[string]any{"key": newKey(), "text": "hi",
		"entry": "https://user:pw@shop.example/hats?token=secret#x"})
	require.Equal(t, 201, status)
	require.Equal(t, map[string]string{"entry": "https://shop.example/hats", "device": "Chrome, Android", "ip": "127.0.0.1"},
		s.conversations()[0].Attributes)
	status, _ = s.visitor().call("POST", "messages", map[string]any{"key": newKey(), "text": "hi", "entry": "javascript:alert(1)"})
	require.Equal(t, 201, status)
	require.NotContains(t, s.conversations()[0].Attributes, "entry")
}

func TestTheSnippetIsOneLine(t *testing.T) {
	acct := channel.Account{Token: `a"><script>`, Settings: []byte(`{"no_consent":true,"color":"#123456"}`)}
	require.Equal(t,
		`<script async src="/webchat/widget.js" data-account="a&#34;&gt;&lt;script&gt;" data-lang="ko" data-color="#123456"></script>`,
		webchat.Snippet("/webchat/", acct, "ko"))
}
