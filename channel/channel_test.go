package channel_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
)

// However a secret is printed, it is not there.
func TestASecretRedactsItself(t *testing.T) {
	s := channel.NewSecret("hunter2")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).
		Info("x", "secret", s, "account", channel.Account{Secrets: map[string]channel.Secret{"token": s}})
	raw, err := json.Marshal(map[string]any{"s": s, "a": channel.Account{Name: "n", Secrets: map[string]channel.Secret{"token": s}}})
	require.NoError(t, err)
	for _, shown := range []string{s.String(), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s),
		fmt.Sprintf("%+v %#v", struct{ S channel.Secret }{s}, &s), log.String(), string(raw)} {
		require.NotContains(t, shown, "hunter2")
	}
	require.Equal(t, "hunter2", s.Reveal())
	require.True(t, channel.Secret{}.Empty())
}

func TestAnAttemptIsRepeatableForItsTime(t *testing.T) {
	planned := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := channel.Attempt{PlannedAt: planned, IdempotentFor: time.Hour}
	require.True(t, at.Repeatable(planned.Add(59*time.Minute)))
	require.False(t, at.Repeatable(planned.Add(time.Hour)))
	at.IdempotentFor = 0
	require.False(t, at.Repeatable(planned), "a route without a key never is")
}

func TestUserScopes(t *testing.T) {
	own := channel.Account{ID: "a1"}
	require.NotEqual(t, own.UserScope(), channel.Account{ID: "a2"}.UserScope(),
		"an account without a scope shares its customers with nobody")
	require.Equal(t, channel.Account{ID: "a1", Scope: "p"}.UserScope(), channel.Account{ID: "a2", Scope: "p"}.UserScope())
}

func TestErrorsKeepTheirKind(t *testing.T) {
	refused := error(&channel.ReceiveError{Status: 401, Detail: "the signature does not match"})
	require.ErrorIs(t, refused, channel.ErrInvalid)
	var send *channel.SendError
	require.True(t, errors.As(fmt.Errorf("wrapped: %w", &channel.SendError{Disposition: channel.Permanent, Reason: channel.ReasonQuota}),
		&send))
	require.Equal(t, channel.ReasonQuota, send.Reason)
}
