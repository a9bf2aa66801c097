package adapter_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

func TestAnAttemptIsRepeatableForItsTime(t *testing.T) {
	planned := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := adapter.Attempt{PlannedAt: planned, IdempotentFor: time.Hour}
	require.True(t, at.Repeatable(planned.Add(59*time.Minute)))
	require.False(t, at.Repeatable(planned.Add(time.Hour)))
	at.IdempotentFor = 0
	require.False(t, at.Repeatable(planned), "a route without a key never is")
}

func TestErrorsKeepTheirKind(t *testing.T) {
	refused := error(&adapter.ReceiveError{Status: 401, Detail: "the signature does not match"})
	require.ErrorIs(t, refused, adapter.ErrInvalid)
	var send *adapter.SendError
	require.True(t, errors.As(fmt.Errorf("wrapped: %w", &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonQuota}),
		&send))
	require.Equal(t, channel.ReasonQuota, send.Reason)
}

func TestWhichChoicesAChannelHas(t *testing.T) {
	none, plain := adapter.Capabilities{}, adapter.Capabilities{Choices: adapter.Full}
	own := adapter.Capabilities{Choices: adapter.Full, ChoiceKinds: []channel.ChoiceKind{channel.ChoiceDate}}
	require.False(t, none.Chooses(channel.ChoiceMessage))
	require.True(t, plain.Chooses(channel.ChoiceURI))
	require.False(t, plain.Chooses(channel.ChoiceDate))
	require.True(t, own.Chooses(channel.ChoiceDate))
	require.False(t, own.Chooses(channel.ChoiceMessage))
}
