package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The administrator invites an agent, who chooses a password by the link, once,
// and signs in with it from then on.
func TestAnInvitedAgentJoins(t *testing.T) {
	d := start(t, t.TempDir(), nil)
	password := regexp.MustCompile(`shown this once: (\S+)`).FindStringSubmatch(d.wait("sign in as admin; the password, ", 1))
	require.Len(t, password, 2)
	browser := func() *http.Client {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	read := func(r *http.Response) string {
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return string(b)
	}
	admin, agent := browser(), browser()
	require.Equal(t, http.StatusSeeOther, post(t, admin, d.base+"/sign-in",
		url.Values{"name": {"admin"}, "password": {password[1]}}).StatusCode)
	page := read(post(t, admin, d.base+"/console/setup/agents/agent-1/invite", nil))
	link := regexp.MustCompile(`http://[^<"]+/join\?token=(\w+)`).FindStringSubmatch(page)
	require.Len(t, link, 2, page)
	got, err := agent.Get(link[0])
	require.NoError(t, err)
	require.Contains(t, read(got), "agent-1")
	_ = got.Body.Close()
	short := post(t, agent, d.base+"/join", url.Values{"token": {link[1]}, "password": {"short"}, "again": {"short"}})
	require.Equal(t, http.StatusBadRequest, short.StatusCode)
	other := post(t, agent, d.base+"/join", url.Values{"token": {link[1]}, "password": {"a long password"}, "again": {"another password"}})
	require.Equal(t, http.StatusBadRequest, other.StatusCode)
	chosen := url.Values{"token": {link[1]}, "password": {"a long password"}, "again": {"a long password"}}
	require.Equal(t, http.StatusSeeOther, post(t, agent, d.base+"/join", chosen).StatusCode)
	require.Equal(t, http.StatusNotFound, post(t, browser(), d.base+"/join", chosen).StatusCode, "it works once")
	page2, err := agent.Get(d.base + "/console/me")
	require.NoError(t, err)
	require.Contains(t, read(page2), "Agent 1")
	_ = page2.Body.Close()
	again := browser()
	require.Equal(t, http.StatusSeeOther, post(t, again, d.base+"/sign-in",
		url.Values{"name": {"agent-1"}, "password": {"a long password"}}).StatusCode)
	require.Equal(t, http.StatusNotFound, post(t, again, d.base+"/join", url.Values{"token": {"nothing"}}).StatusCode)
	d.end()
}
