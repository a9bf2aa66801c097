package sangdam

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
)

// Whoever reads the log finds the line of a host's code that panicked, and no word
// of the value, which may be a customer's.
func TestTheLogSaysWhereForeignCodePanicked(t *testing.T) {
	var log bytes.Buffer
	g := &guard{log: slog.New(slog.NewTextHandler(&log, nil))}
	broken := func(context.Context) (int, error) { panic("a customer's words") }
	calls := map[string]func() error{
		"inline": func() error {
			_, err := inline(g, "bot asker", "inline", func() (int, error) { return broken(t.Context()) })
			return err
		},
		"bounded": func() error {
			_, err := bounded(t.Context(), g, "bot asker", "bounded", time.Minute, broken)
			return err
		},
		"Close": func() (err error) {
			defer guardedReader{g: g}.recovered("Close", &err)
			_, err = broken(t.Context())
			return err
		},
	}
	for name, call := range calls {
		log.Reset()
		require.ErrorIs(t, call(), errPanicked, name)
		require.Contains(t, log.String(), "guard_where_test.go:", name)
		require.Contains(t, log.String(), "call="+name)
		require.NotContains(t, log.String(), "customer")
	}
}

// The library's own work says it too.
func TestAPieceOfWorkSaysWhereItPanicked(t *testing.T) {
	err := safely(func() error { panic(errors.New("a customer's words")) })
	require.ErrorIs(t, err, errs.Invalid)
	require.ErrorContains(t, err, "guard_where_test.go:")
	require.NotContains(t, err.Error(), "customer")
}

// A call that ran out of time says that, and is no internal error.
func TestACallThatTookTooLongSaysSo(t *testing.T) {
	g := &guard{log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := bounded(ctx, g, "bot asker", "Next", time.Minute, func(ctx context.Context) (int, error) { return 0, ctx.Err() })
	require.EqualError(t, err, "sangdam: bot asker: Next failed: it was cancelled")
	_, err = bounded(t.Context(), g, "bot asker", "Next", time.Nanosecond, func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	})
	require.EqualError(t, err, "sangdam: bot asker: Next failed: it took too long")
}
