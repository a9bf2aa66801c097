package main

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/notify/mail/mailtest"
)

// A conversation on LINE, an inquiry form and a Go call each open a ticket; the
// rule for new tickets gives them to the agents in turn and mails the team.
func TestThreeWaysToATicket(t *testing.T) {
	mails := mailtest.New(mailtest.Options{})
	t.Cleanup(mails.Close)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = mails.Serve(ln) }()
	srv, url := emulator(t, linetest.Options{})
	env := lineEnv(srv, url)
	env["SMTP_SERVER"], env["SMTP_FROM"], env["TEAM_MAIL"] = ln.Addr().String(), "help@shop.example", "team@shop.example"
	data := t.TempDir()
	d := start(t, data, env, "-public-url", "https://desk.example.com").firstToken()
	srv.SetWebhook(d.base + "/webhooks/line")

	srv.User("Mina").SendText("my lamp is broken")
	d.wait(" wrote ", 1)
	conversation := d.call("GET", "/conversations", "")["conversations"].([]any)[0].(map[string]any)["id"].(string)
	d.call("POST", "/agent/agent-1/presence", `{"presence":"online"}`)
	d.wait(" offered ", 1)
	d.call("POST", "/offers/"+d.list("/agent/agent-1/offers")[0]["id"].(string)+"/accept", `{"agent":"agent-1"}`)
	d.call("POST", "/conversations/"+conversation+"/ticket", `{"agent":"agent-1","title":"Lamp of Mina"}`)
	d.call("POST", "/inquiries", `{"title":"Where is my order?","text":"A-17","name":"Kim","email":"kim@example.com","consent":true}`)
	d.call("POST", "/tickets", `{"title":"Returned by the carrier","text":"B-4"}`)

	got := waitForMails(t, mails, 3)
	require.Equal(t, []string{"[ticket 1] Lamp of Mina", "[ticket 2] Where is my order?", "[ticket 3] Returned by the carrier"},
		subjects(got))
	for _, m := range got {
		require.Equal(t, []string{"team@shop.example"}, m.To)
		require.Contains(t, m.Text, "https://desk.example.com/console/tickets/")
	}
	var agents, channels []string
	for _, one := range d.call("GET", "/tickets", "")["tickets"].([]any) {
		ticket := one.(map[string]any)
		agents, channels = append(agents, ticket["agent"].(string)), append(channels, ticket["channel"].(string))
		require.Equal(t, "in_progress", ticket["state"])
	}
	require.Equal(t, []string{"agent-1", "agent-2", "agent-1"}, agents)
	require.Equal(t, []string{"chat", "web", "api"}, channels)
	status, raw := d.request("POST", "/inquiries", `{"title":"x","text":"x","email":"kim@example.com"}`, map[string][]string{})
	require.Equal(t, 400, status, "%s: without consent nothing is taken", raw)
	token := d.token
	d.end()

	d = start(t, data, env)
	d.token = token
	d.call("POST", "/tickets", `{"title":"After the second start"}`)
	require.Len(t, waitForMails(t, mails, 4), 4, "the rule is there once")
	d.end()
}

// waitForMails waits until there are n mails, sorted by subject.
func waitForMails(t *testing.T, s *mailtest.Server, n int) []mailtest.Mail {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.Mails()) >= n }, patience, 10*time.Millisecond)
	list := s.Mails()
	slices.SortFunc(list, func(a, b mailtest.Mail) int { return strings.Compare(a.Subject, b.Subject) })
	return list
}

func subjects(list []mailtest.Mail) (out []string) {
	for _, m := range list {
		out = append(out, m.Subject)
	}
	return out
}

func TestMailOptionsBelongTogether(t *testing.T) {
	for _, env := range []map[string]string{{"SMTP_SERVER": "a:25"}, {"SMTP_FROM": "a@b.example"},
		{"SMTP_SERVER": "a", "SMTP_FROM": "a@b.example", "TEAM_MAIL": "c@d.example"}} {
		_, err := parseMail(func(name string) string { return env[name] })
		require.ErrorContains(t, err, "SMTP_SERVER")
	}
}
