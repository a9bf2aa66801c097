package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/postgres"
)

// What nobody means, in each place of a path, a query and a form of each route, is
// refused in words, by an administrator's console too: no answer is cut off, none
// says that the program failed. What a database cannot keep is tried on one.
func TestWhatNobodyMeansIsRefused(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		hostileWalk(newWorldOn(t, memory.New(memory.Options{})), "-1", "9223372036854775808", "../../etc/passwd",
			`{"$ne":""}`, "\r\nSet-Cookie: x=1", "", strings.Repeat("가", 700))
	})
	t.Run("postgres", func(t *testing.T) {
		db, err := postgres.Open(t.Context(), postgres.Options{DSN: pgtest.Start(t)})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		hostileWalk(newWorldOn(t, db), "a\x00b", "\xff\xfe")
	})
}

func hostileWalk(w *world, values ...string) {
	w.line.User("Mina").SendText("hello")
	c := w.conversationOf("Mina")
	d, err := w.eng.Conversation(w.t.Context(), w.host, c.ID)
	require.NoError(w.t, err)
	made, err := w.eng.OpenTicket(w.t.Context(), w.host, sangdam.OpenTicket{Desk: "support", Title: "x"})
	require.NoError(w.t, err)
	all := tries(c.ID, string(d.Messages[0].ID), string(c.Contact), "none", string(made.Ticket), "none")
	admin := w.client("admin")
	ask := func(method, path, form string) {
		w.t.Helper()
		resp := admin.do(method, path, form)
		require.Less(w.t, resp.StatusCode, 500, "%s %s %s", method, path, form)
		require.NoError(w.t, resp.Body.Close())
	}
	for _, r := range w.page.Routes() {
		if r.Path == "/events" {
			continue // TestTheStreamEndsWithTheSession
		}
		it := all[r.Method+" "+r.Path]
		base, query, _ := strings.Cut(it.path, "?")
		for _, v := range values {
			for i, part := range strings.Split(r.Path, "/") {
				if path := strings.Split(base, "/"); strings.HasPrefix(part, "{") && part != "{$}" {
					path[i] = url.PathEscape(v)
					ask(r.Method, strings.Join(path, "/")+"?"+query, it.form)
				}
			}
			for _, q := range replaced(w.t, query, v) {
				ask(r.Method, base+"?"+q, it.form)
			}
			for _, form := range replaced(w.t, it.form, v) {
				ask(r.Method, it.path, form)
			}
		}
		if r.Method == http.MethodPost && r.Path != "/files" {
			ask(r.Method, it.path, "%zz=1&;;&=")
		}
	}
}

// replaced is the form once for each of its members, with the value in its place.
func replaced(t *testing.T, form, value string) (out []string) {
	all, err := url.ParseQuery(form)
	require.NoError(t, err)
	for name := range all {
		other, _ := url.ParseQuery(form)
		other.Set(name, value)
		out = append(out, other.Encode())
	}
	return out
}
