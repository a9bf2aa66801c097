package webchat_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// minaAtWork answers a customer by the script: an offer to the first words, a
// word at the file. Connections break meanwhile.
func (s *shop) minaAtWork() {
	t := s.t
	c := s.mine()
	offer := channel.Text("네, 있습니다. 어느 크기로 드릴까요?")
	offer.Choices = []channel.Choice{{Label: "M", Kind: "message", Text: "M으로 주세요"}, {Label: "L", Kind: "message", Text: "L로 주세요"},
		{Label: "치수표", Kind: "uri", URI: "https://shop.example/sizes"}}
	require.NoError(t, s.eng.MarkRead(t.Context(), mina, c))
	s.answers(offer)
	has := func(kind channel.ContentKind) func() bool {
		return func() bool {
			_ = s.eng.ShowTyping(t.Context(), mina, c, time.Second) // until it ends
			d, err := s.eng.Conversation(t.Context(), host, c)
			require.NoError(t, err)
			for _, m := range d.Messages {
				if m.Direction == conversation.Inbound && m.Content.Kind == kind {
					return true
				}
			}
			return false
		}
	}
	require.Eventually(t, has(channel.KindFile), 40*time.Second, 200*time.Millisecond)
	s.web.CloseClientConnections()
	_, err := s.eng.Answer(t.Context(), mina, sangdam.Answer{Conversation: c, Content: channel.Text("펠트 모자 한 개 담아 두었습니다.")})
	require.NoError(t, err)
	s.web.CloseClientConnections()
}

// A client in another language that was written from PROTOCOL.md alone goes
// through the script that the widget goes through.
func TestAClientInAnotherLanguage(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no python3: install it, the protocol must be tested here")
		}
		t.Skip("no python3 on this machine")
	}
	raw, err := os.ReadFile("testdata/client.py")
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(string(raw), "\n"), 200)
	s := openShop(t)
	s.online(routing.Online)
	out, said := make(chan string, 1), &strings.Builder{}
	cmd := exec.CommandContext(t.Context(), python, "testdata/client.py", s.web.URL+"/webchat", s.acct.Token)
	cmd.Stderr = said
	go func() {
		raw, _ := cmd.Output() // what went wrong is in stderr
		out <- string(raw)
	}()
	s.minaAtWork()
	var lines []string
	for line := range strings.Lines(<-out) {
		var text string
		require.NoError(t, json.Unmarshal([]byte(line), &text))
		lines = append(lines, text)
	}
	require.Equal(t, []string{"me: 이 모자 파란색 있나요?", "desk: 안녕하세요!", "desk: 네, 있습니다. 어느 크기로 드릴까요?", "me: M으로 주세요", "me: file",
		"desk: 펠트 모자 한 개 담아 두었습니다."}, lines, said.String())
	r := s.conversations()[0].Rating
	require.NotNil(t, r)
	require.Equal(t, 4, r.Score)
}
