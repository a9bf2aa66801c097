package sangdam

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/seal"
)

const brokenText = "a\x00b\xff"

type teller struct {
	notify.Carrier
	reports []notify.Report
}

func (teller) Kind() notify.Kind                                        { return "own" }
func (teller) Policy() notify.Policy                                    { return notify.Policy{} }
func (t teller) Reports(notify.Target, []byte) ([]notify.Report, error) { return t.reports, nil }

// What receivers report is bounded before it is looked at.
func TestReportsThatCannotBeMeantAreRefused(t *testing.T) {
	g := &guard{log: slog.New(slog.DiscardHandler)}
	for name, all := range map[string][]notify.Report{"too many": make([]notify.Report, 10_000),
		"3 MiB": {{ID: strings.Repeat("x", 3<<20), Task: "1"}}, "broken": {{ID: "1", Task: brokenText}}} {
		c, err := newGuardedCarrier(g, teller{reports: all})
		require.NoError(t, err)
		_, err = c.reports(notify.Target{}, nil)
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	c, err := newGuardedCarrier(g, teller{reports: []notify.Report{{Task: "1", Comment: brokenText}}})
	require.NoError(t, err)
	_, err = c.reports(notify.Target{}, nil)
	require.NoError(t, err, "a comment is cleaned where it is kept")
}

type hoarder struct {
	blob.Store
	info  blob.Info
	names []string
	r     io.ReadCloser
}

func (h hoarder) Put(context.Context, io.Reader, int64) (blob.Info, error)       { return h.info, nil }
func (h hoarder) Open(context.Context, string) (io.ReadCloser, error)            { return h.r, nil }
func (h hoarder) List(context.Context, time.Time, string, int) ([]string, error) { return h.names, nil }

type wildReader int

func (r wildReader) Read([]byte) (int, error) { return int(r), nil }
func (wildReader) Close() error               { return nil }

// A blob store under whose names nothing would be found, whose list would never end
// or whose bytes are more than there is room for, fails.
func TestABlobStoresNonsenseIsAnError(t *testing.T) {
	g := &guard{log: slog.New(slog.DiscardHandler)}
	over := func(h hoarder) guardedBlobs { return guardedBlobs{g: g, b: h, timeout: time.Minute} }
	sum := strings.Repeat("a", 64)
	_, err := over(hoarder{info: blob.Info{Name: "n", Size: 3, SHA256: sum}}).Put(t.Context(), nil, 3)
	require.NoError(t, err)
	for name, info := range map[string]blob.Info{"nothing": {},
		"no name": {Size: 3, SHA256: sum}, "broken": {Name: brokenText, SHA256: sum},
		"3 MiB": {Name: strings.Repeat("x", 3<<20), SHA256: sum}, "negative": {Name: "n", Size: -1, SHA256: sum},
		"beyond the limit": {Name: "n", Size: 4, SHA256: sum}, "no digest": {Name: "n", Size: 3}} {
		_, err := over(hoarder{info: info}).Put(t.Context(), nil, 3)
		require.ErrorIs(t, err, ErrUnavailable, name)
	}
	for name, names := range map[string][]string{"again": {"b"}, "before": {"a"}, "out of order": {"d", "c"},
		"more": {"c", "d", "e", "f"}} {
		_, err := over(hoarder{names: names}).List(t.Context(), time.Time{}, "b", 3)
		require.ErrorIs(t, err, ErrUnavailable, name)
	}
	_, err = over(hoarder{names: []string{"c", "d"}}).List(t.Context(), time.Time{}, "b", 3)
	require.NoError(t, err)
	for _, n := range []wildReader{-1, 513} {
		r, err := over(hoarder{r: n}).Open(t.Context(), "n")
		require.NoError(t, err)
		_, err = r.Read(make([]byte, 512))
		require.ErrorIs(t, err, ErrUnavailable)
	}
	r, err := over(hoarder{}).Open(t.Context(), "n")
	require.NoError(t, err)
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, errPanicked, "nothing was opened")
}

type voidSealer struct{ seal.Sealer }

func (voidSealer) Seal(context.Context, seal.AD, []byte) ([]byte, error) { return nil, nil }

// A sealer that seals to nothing would lose what it was given.
func TestASealerThatSealsToNothingIsAnError(t *testing.T) {
	s := guardedSealer{g: &guard{log: slog.New(slog.DiscardHandler)}, s: voidSealer{}, timeout: time.Minute}
	_, err := s.Seal(t.Context(), seal.AD{}, []byte("secret"))
	require.ErrorIs(t, err, ErrUnavailable)
	require.NotContains(t, err.Error(), "secret")
}

type tricky struct{ error }

func (tricky) Error() string { panic("a customer's words") }
func (tricky) Is(error) bool { panic("a customer's words") }
func (tricky) As(any) bool   { panic("a customer's words") }
func (tricky) Unwrap() error { panic("a customer's words") }

// The methods of an error are foreign code as well: to ask what it is, or to read
// it, ends nothing, and what it is stays known.
func TestAForeignErrorIsAskedUnderTheGuard(t *testing.T) {
	g := &guard{log: slog.New(slog.DiscardHandler)}
	for _, err := range []error{g.failed("bot x", "Next", tricky{}), g.answered("policy", "read", func() error { return tricky{} })} {
		require.NotErrorIs(t, err, ErrNotFound)
		_, is := errors.AsType[*adapter.SendError](err)
		require.False(t, is)
		require.Contains(t, err.Error(), "failed: internal error")
		require.Equal(t, "internal error", kindName(err))
	}
	kept := g.failed("bot x", "Next", errors.Join(context.Canceled, &adapter.SendError{Reason: channel.ReasonRate}))
	require.ErrorIs(t, kept, context.Canceled)
	se, is := errors.AsType[*adapter.SendError](kept)
	require.True(t, is)
	require.Equal(t, channel.ReasonRate, se.Reason)
	own := errs.New(errs.PermissionDenied, "sangdam: no %s", "chance")
	require.Same(t, own, g.answered("policy", "read", func() error { return own }), "it can be said in another language")
}
