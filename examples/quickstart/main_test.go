package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

func TestALINEMessageIsAnswered(t *testing.T) {
	srv := linetest.New(linetest.Options{Redeliveries: 100, RedeliverAfter: 20 * time.Millisecond})
	t.Cleanup(srv.Close)
	api := httptest.NewServer(srv)
	t.Cleanup(api.Close)
	env := map[string]string{"LINE_CHANNEL_ID": srv.ChannelID(), "LINE_CHANNEL_SECRET": srv.ChannelSecret(),
		"LINE_CHANNEL_TOKEN": srv.ChannelToken(),
		"LINE_API_BASE":      api.URL, "LINE_DATA_API_BASE": api.URL}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv.SetWebhook("http://" + ln.Addr().String() + "/webhooks/line")

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, ln, func(name string) string { return env[name] }) }()

	mina := srv.User("Customer")
	waiting, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	mina.SendText("Do you have this in blue?")
	require.NoError(t, srv.WaitDelivered(waiting, mina, 2), "has %v", mina.Texts())
	require.Equal(t, []string{"Hello! One moment, please.", "This is Mina. How can I help?"}, mina.Texts())
	mina.SendText("And in red?")
	require.NoError(t, srv.WaitDelivered(waiting, mina, 3), "has %v", mina.Texts())
	require.Equal(t, "This is Mina. How can I help?", mina.Texts()[2])

	stop()
	require.ErrorIs(t, <-done, http.ErrServerClosed)
}

func TestMissingCredentialsAreNamed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	err = run(t.Context(), ln, func(string) string { return "" })
	require.ErrorContains(t, err, "LINE_CHANNEL_ID is not set")
}
