package errs_test

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
)

func TestAnErrorIsOfItsKindAndOfWhatItWraps(t *testing.T) {
	plain := errs.New(errs.NotFound, "there is no %s %d", "row", 7)
	require.EqualError(t, plain, "there is no row 7")
	require.ErrorIs(t, plain, errs.NotFound)
	require.NotErrorIs(t, plain, errs.Stale)
	require.Equal(t, errs.NotFound, errs.KindOf(plain))

	wraps := errs.New(errs.Unavailable, "reading %s: %w", "a", errors.Join(io.EOF, plain))
	require.EqualError(t, wraps, "reading a: EOF\nthere is no row 7")
	for _, is := range []error{errs.Unavailable, errs.NotFound, io.EOF} {
		require.ErrorIs(t, wraps, is)
	}
	format, args, ok := errs.Parts(plain)
	require.True(t, ok)
	require.Equal(t, "there is no %s %d", format)
	require.Equal(t, []any{"row", 7}, args)
}
