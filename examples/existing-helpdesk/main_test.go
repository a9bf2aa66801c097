package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/notify/webhook"
	"github.com/sangdam/sangdam/store/memory"
)

// inside serves requests by a handler of this process.
type inside struct{ h func() http.Handler }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	i.h().ServeHTTP(w, r)
	return w.Result(), nil
}

// Customers write before, during and after an outage of the ticket system: each
// message is in a ticket, once, and whoever's ticket is solved is told once.
func TestAnOutageOfTheTicketSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var desk *team
		here := inside{func() http.Handler { return desk.Handler() }}
		phone := linetest.New(linetest.Options{WebhookClient: &http.Client{Transport: here}, Redeliveries: 5})
		defer phone.Close()
		adapter, err := line.New(line.Options{APIBase: "https://api.line.test", DataAPIBase: "https://api.line.test",
			HTTPClient: &http.Client{Transport: phone.Transport()}})
		require.NoError(t, err)
		db := memory.New(memory.Options{})
		env := map[string]string{"LINE_CHANNEL_ID": phone.ChannelID(), "LINE_CHANNEL_SECRET": phone.ChannelSecret(),
			"LINE_CHANNEL_TOKEN": phone.ChannelToken()}
		desk, err = newTeam(t.Context(), parts{db: db, adapter: adapter, hooks: webhook.New(webhook.Options{Transport: here}),
			client: &http.Client{Transport: here}, base: "https://shop.example", env: func(name string) string { return env[name] }})
		require.NoError(t, err)
		phone.SetWebhook("https://shop.example/webhooks/line")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- desk.eng.Run(ctx) }()
		pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		pass(time.Second)

		want := 0
		write := func(round string) {
			for _, name := range []string{"Jun", "Mina", "Sora"} {
				phone.User(name).SendText(fmt.Sprint(round, " of ", name))
				want++
				pass(10 * time.Second)
			}
		}
		write("first")
		desk.service.Down(true)
		write("second")
		write("third")
		pass(20 * time.Minute)
		require.Len(t, said(desk.service), 3, "nothing reaches a system that is down")
		desk.service.Down(false)
		pass(time.Hour)
		write("fourth")
		pass(time.Minute)

		texts := said(desk.service)
		require.Len(t, texts, want, "nothing is lost and nothing is there twice")
		for _, name := range []string{"Jun", "Mina", "Sora"} {
			require.Equal(t, []string{"first of " + name, "second of " + name, "third of " + name, "fourth of " + name},
				of(texts, name), "in order")
		}
		require.Len(t, desk.service.Tickets(), 3)

		for range 2 { // the service says it twice
			res := httptest.NewRecorder()
			desk.Handler().ServeHTTP(res, httptest.NewRequest(http.MethodPost, "/service/tickets/1/solve", http.NoBody))
			require.Equal(t, http.StatusOK, res.Code)
		}
		pass(time.Second)
		require.Equal(t, []string{"Ticket 1 is solved. Thank you for your patience!"}, phone.User("Jun").Texts())
		stop()
		require.NoError(t, <-ended)
		require.NoError(t, db.Close())
	})
}

// said lists what all tickets hold.
func said(s *TicketService) (out []string) {
	for _, t := range s.Tickets() {
		out = append(append(out, t.Title), t.Notes...)
	}
	return out
}

func of(texts []string, name string) (out []string) {
	for _, t := range texts {
		if len(t) > len(name) && t[len(t)-len(name):] == name {
			out = append(out, t)
		}
	}
	return out
}

// Whoever does not know the secret makes no ticket.
func TestRequestsThatAreNotSigned(t *testing.T) {
	b := &bridge{secret: webhook.NewSecret()}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hook", http.NoBody))
	require.Equal(t, http.StatusUnauthorized, w.Code)
}
