package channel_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

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

func TestUserScopes(t *testing.T) {
	own := channel.Account{ID: "a1"}
	require.NotEqual(t, own.UserScope(), channel.Account{ID: "a2"}.UserScope(),
		"an account without a scope shares its customers with nobody")
	require.Equal(t, channel.Account{ID: "a1", Scope: "p"}.UserScope(), channel.Account{ID: "a2", Scope: "p"}.UserScope())
}
