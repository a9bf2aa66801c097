package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/internal/pgtest"
)

const greeting = "Hello! An agent will answer you soon."

// The main job, with a person at curl as the agent.
func TestACustomerIsGreetedAndAnswered(t *testing.T) {
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			var args []string
			if store == "postgres" {
				args = []string{"-postgres", pgtest.Start(t)}
			}
			srv, url := emulator(t, linetest.Options{})
			d := start(t, t.TempDir(), lineEnv(srv, url), args...).firstToken()
			srv.SetWebhook(d.base + "/webhooks/line")

			mina := srv.User("Mina")
			mina.SendText("my secret question")
			first := delivered(t, srv, mina, 1)[0]
			require.Equal(t, greeting, first.Text)
			require.Equal(t, "reply", first.Route)

			d.call("POST", "/agent/agent-1/presence", `{"presence":"online"}`)
			d.wait(" offered ", 1)
			offer := d.list("/agent/agent-1/offers")[0]
			d.call("POST", "/offers/"+offer["id"].(string)+"/accept", `{"agent":"agent-1"}`)
			conversation := offer["item"].(string)
			d.call("POST", "/conversations/"+conversation+"/answer", `{"agent":"agent-1","text":"my secret answer"}`)
			require.Equal(t, "my secret answer", delivered(t, srv, mina, 2)[1].Text)
			d.call("POST", "/conversations/"+conversation+"/end", `{"agent":"agent-1","reason":"solved"}`)
			delivered(t, srv, mina, 3)
			require.Equal(t, "closed", d.call("GET", "/conversations/"+conversation, "")["conversation"].(map[string]any)["state"])
			require.Len(t, d.call("GET", "/conversations?state=closed", "")["conversations"], 1)
			require.Empty(t, d.list("/agent/agent-1/offers"))
			require.Len(t, d.list("/agents"), 3)
			invitation := d.call("GET", "/accounts/line/invitation?size=128", "")
			require.Equal(t, "https://line.me/R/ti/p/%40emulated", invitation["url"])
			require.NotEmpty(t, invitation["qr"])

			for _, line := range []string{"received ", "wrote ", "greeted ", "queued ", "offered ", "offer accepted",
				"assigned ", "answered ", "said goodbye", "sent "} {
				d.wait(" "+line, 1)
			}
			d.end()
			require.NotContains(t, d.out.String()+d.errs.String(), "secret", "what somebody wrote is never printed")
			require.NotContains(t, d.out.String()+d.errs.String(), srv.ChannelToken())
		})
	}
}

func TestASecondStartGoesOnWhereTheFirstStopped(t *testing.T) {
	srv, url := emulator(t, linetest.Options{})
	data := t.TempDir()
	d := start(t, data, lineEnv(srv, url)).firstToken()
	token := d.token
	srv.SetWebhook(d.base + "/webhooks/line")
	mina := srv.User("Mina")
	mina.SendText("first")
	delivered(t, srv, mina, 1)
	d.call("POST", "/agent/agent-2/presence", `{"presence":"online"}`)
	d.wait(" offered ", 1)
	d.end()

	mina.SendText("while nobody serves")
	// LINE gives the account a new secret, and the environment has it.
	srv.RotateSecret()
	d = start(t, data, lineEnv(srv, url))
	d.token = token
	srv.SetWebhook(d.base + "/webhooks/line")
	require.NotContains(t, d.out.String(), "shown this once")
	d.wait(" wrote ", 1)
	all := d.call("GET", "/conversations", "")["conversations"].([]any)
	require.Len(t, all, 1, "the same conversation goes on")
	offer := d.list("/agent/agent-2/offers")[0]
	d.call("POST", "/offers/"+offer["id"].(string)+"/accept", `{"agent":"agent-2"}`)
	d.call("POST", "/conversations/"+offer["item"].(string)+"/answer", `{"agent":"agent-2","text":"here I am"}`)
	require.Equal(t, "here I am", delivered(t, srv, mina, 2)[1].Text)
	require.Len(t, d.list("/agents"), 3, "nothing was made twice")
	d.end()

	// Without an environment the stored, sealed credentials go on.
	d = start(t, data, map[string]string{"LINE_API_BASE": url, "LINE_DATA_API_BASE": url})
	srv.SetWebhook(d.base + "/webhooks/line")
	mina.SendText("and again")
	d.wait(" wrote ", 1)
	d.end()
}

func TestDrainingLetsWhatIsUnderWayEnd(t *testing.T) {
	srv, url := emulator(t, linetest.Options{})
	data := t.TempDir()
	d := start(t, data, lineEnv(srv, url)).firstToken()
	token := d.token
	srv.SetWebhook(d.base + "/webhooks/line")
	srv.AddFault(linetest.Fault{Endpoint: "reply", Kind: linetest.FaultDelay, Nth: 1, Delay: 500 * time.Millisecond})
	mina := srv.User("Mina")
	mina.SendText("hello")
	delivered(t, srv, mina, 1) // accepted; the answer to us is still on its way
	d.end()

	srv.ClearFaults()
	d = start(t, data, lineEnv(srv, url))
	d.token = token
	all := d.call("GET", "/conversations", "")["conversations"].([]any)
	detail := d.call("GET", "/conversations/"+all[0].(map[string]any)["id"].(string), "")
	messages := detail["messages"].([]any)
	require.Equal(t, "sent", messages[1].(map[string]any)["status"], "its outcome was recorded before the end")
	d.end()
	require.Len(t, mina.Received(), 1)
}

func TestTheEchoAgentsAnswerInOrderAndSayGoodbye(t *testing.T) {
	srv, url := emulator(t, linetest.Options{})
	d := start(t, t.TempDir(), lineEnv(srv, url), "-auto")
	srv.SetWebhook(d.base + "/webhooks/line")
	mina := srv.User("Mina")
	mina.SendText("one")
	mina.SendText("two")
	delivered(t, srv, mina, 3)
	mina.SendText("good bye")
	delivered(t, srv, mina, 5)
	require.Equal(t, []string{greeting, "Echo: one", "Echo: two", "Echo: good bye", "The conversation has ended. Thank you."}, mina.Texts())
	d.end()
}

// Health says that there is something, and no more; there is no page of figures,
// of debugging or of first set-up.
func TestHealthAndReadiness(t *testing.T) {
	d := start(t, t.TempDir(), nil)
	for _, path := range []string{"/healthz", "/readyz"} {
		status, body := d.request(http.MethodGet, path, "", nil)
		require.Equal(t, http.StatusOK, status, path)
		require.Less(t, len(body), 10, path)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/vars", "/setup", "/install"} {
		status, _ := d.request(http.MethodGet, path, "", nil)
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusNotFound}, status, path)
	}
	status, _ := d.request(http.MethodPost, "/webhooks/line", "{}", nil)
	require.Equal(t, http.StatusNotFound, status, "no LINE account")
	d.end()
}

func TestTheTokenIsStoredHashedAndCanBeRenewed(t *testing.T) {
	data := t.TempDir()
	d := start(t, data, nil).firstToken()
	old := d.token
	d.end()
	for _, name := range []string{"sangdam.db", "sangdam.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(data, name))
		if !os.IsNotExist(err) {
			require.NoError(t, err)
			require.NotContains(t, string(raw), old)
		}
	}
	info, err := os.Stat(filepath.Join(data, "keys.json"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	d = start(t, data, nil, "-new-token").firstToken()
	require.NotEqual(t, old, d.token)
	d.call("GET", "/status", "")
	d.token = old
	status, _ := d.request(http.MethodGet, "/status", "", nil)
	require.Equal(t, http.StatusUnauthorized, status)
	d.end()
}

func TestTheJSONInterfaceRefuses(t *testing.T) {
	d := start(t, t.TempDir(), nil).firstToken()
	cases := []struct {
		name, method, path, body string
		header                   http.Header
		want                     int
	}{
		{"no token", "GET", "/status", "", http.Header{"Authorization": nil}, 401},
		{"another token", "GET", "/status", "", http.Header{"Authorization": {"Bearer nonsense"}}, 401},
		{"another scheme", "GET", "/status", "", http.Header{"Authorization": {"Basic " + d.token}}, 401},
		{"passed on by a proxy", "GET", "/status", "", http.Header{"X-Forwarded-For": {"203.0.113.9"}}, 403},
		{"a foreign name that leads here", "GET", "/status", "", http.Header{"Host": {"evil.example"}}, 403},
		{"from another site's page", "POST", "/agent/agent-1/presence", `{"presence":"online"}`,
			http.Header{"Origin": {"https://evil.example"},
				"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"a form", "POST", "/agent/agent-1/presence", `{"presence":"online"}`, http.Header{"Content-Type": {"text/plain"}}, 415},
		{"an unknown field", "POST", "/agent/agent-1/presence", `{"presence":"online","role":"administrator"}`, nil, 400},
		{"two values", "POST", "/agent/agent-1/presence", `{"presence":"online"} {}`, nil, 400},
		{"no JSON", "POST", "/agent/agent-1/presence", `presence`, nil, 400},
		{"a large body", "POST", "/agent/agent-1/presence", `{"presence":"` + strings.Repeat("x", maxBody) + `"}`, nil, 413},
		{"an unknown presence", "POST", "/agent/agent-1/presence", `{"presence":"asleep"}`, nil, 400},
		{"an unknown agent", "POST", "/agent/nobody/presence", `{"presence":"online"}`, nil, 404},
		{"an unknown agent's offers", "GET", "/agent/nobody/offers", "", nil, 404},
		{"an unknown offer", "POST", "/offers/none/accept", `{"agent":"agent-1"}`, nil, 404},
		{"an unknown conversation", "GET", "/conversations/none", "", nil, 404},
		{"an answer to one", "POST", "/conversations/none/answer", `{"agent":"agent-1","text":"hi"}`, nil, 404},
		{"a page that is none", "GET", "/conversations?page=nonsense", "", nil, 400},
		{"an unknown path", "GET", "/nothing", "", nil, 404},
		{"another method", "DELETE", "/conversations", "", nil, 405},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			status, body := d.request(c.method, c.path, c.body, c.header)
			require.Equal(t, c.want, status, "%s", body)
		})
	}
	d.end()
}

func TestAnIdempotencyKeyMakesACommandRepeatable(t *testing.T) {
	srv, url := emulator(t, linetest.Options{})
	d := start(t, t.TempDir(), lineEnv(srv, url)).firstToken()
	srv.SetWebhook(d.base + "/webhooks/line")
	mina := srv.User("Mina")
	mina.SendText("hello")
	d.call("POST", "/agent/agent-1/presence", `{"presence":"online"}`)
	d.wait(" offered ", 1)
	offer := d.list("/agent/agent-1/offers")[0]
	d.call("POST", "/offers/"+offer["id"].(string)+"/accept", `{"agent":"agent-1"}`)
	path := "/conversations/" + offer["item"].(string) + "/answer"
	key := http.Header{"Idempotency-Key": {"k1"}}
	_, first := d.request("POST", path, `{"agent":"agent-1","text":"once"}`, key)
	_, again := d.request("POST", path, `{"agent":"agent-1","text":"once"}`, key)
	require.JSONEq(t, string(first), string(again))
	status, _ := d.request("POST", path, `{"agent":"agent-1","text":"something else"}`, key)
	require.Equal(t, http.StatusConflict, status)
	status, _ = d.request("POST", path, `{"agent":"agent-2","text":"not mine"}`, nil)
	require.Equal(t, http.StatusForbidden, status)
	delivered(t, srv, mina, 2)
	d.end()
	require.Equal(t, []string{greeting, "once"}, mina.Texts())
}

// As a process of its own: signals, exit codes and what goes where.
func TestTheProcessEndsWith0OnSIGTERMAnd1OnErrors(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	data := t.TempDir()
	out, errs := newLines(), newLines()
	cmd := exec.Command(self, "-addr", "127.0.0.1:0", "-data", data)
	cmd.Env = append(os.Environ(), "HELPDESK_AS_PROGRAM=1")
	cmd.Stdout, cmd.Stderr = out, errs
	require.NoError(t, cmd.Start())
	exited := make(chan struct{})
	go func() { err = cmd.Wait(); close(exited) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
	require.NotEmpty(t, out.find("serving on ", 1, exited), "%s", errs)

	second := exec.Command(self, "-addr", "127.0.0.1:0", "-data", data)
	second.Env = cmd.Env
	refused, errSecond := second.CombinedOutput()
	require.Error(t, errSecond)
	require.Equal(t, 1, second.ProcessState.ExitCode())
	require.Equal(t, 1, strings.Count(string(refused), "\n"), "one clear line: %s", refused)
	require.Contains(t, string(refused), "in use by process")

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	<-exited
	require.NoError(t, err, "%s", errs)
	require.Empty(t, errs.String())

	help := exec.Command(self, "-h")
	help.Env = cmd.Env
	text, err := help.CombinedOutput()
	require.NoError(t, err)
	require.Contains(t, string(text), "LINE_CHANNEL_SECRET")
}

func TestConversationsAreJSON(t *testing.T) {
	d := start(t, t.TempDir(), nil).firstToken()
	status, raw := d.request(http.MethodGet, "/conversations", "", nil)
	require.Equal(t, http.StatusOK, status)
	require.True(t, json.Valid(raw))
	require.Equal(t, status200, d.call("GET", "/status", ""))
	d.end()
}

var status200 = map[string]any{"outgoing": 0.0, "waiting": 0.0, "unread": 0.0, "quarantined": 0.0}

// Processes of one database that start at the same moment, as after a deploy,
// all come up, with the LINE account that each of them brings up to date.
func TestSeveralStartAtOnce(t *testing.T) {
	dsn, data := pgtest.Start(t), t.TempDir()
	env := map[string]string{"LINE_CHANNEL_ID": "1234567890", "LINE_CHANNEL_SECRET": "0123456789abcdef0123456789abcdef",
		"LINE_CHANNEL_TOKEN": "a-token-of-some-length"}
	var all []*desk
	for n := range 4 {
		all = append(all, begin(t, data, env, "-postgres", dsn, "-node", fmt.Sprint("n", n)))
	}
	for _, d := range all {
		require.NotEmpty(t, d.out.find("serving on ", 1, d.done), "%v\n%s", d.err, d.errs)
	}
}
