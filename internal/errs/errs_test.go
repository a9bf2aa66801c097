package errs_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
)

// Where names the place of a panic, whether the program or the runtime began it,
// and nothing of the value.
func TestWhereAPanicBegan(t *testing.T) {
	where := func(fn func()) (at string) {
		defer func() {
			if recover() != nil {
				at = errs.Where()
			}
		}()
		fn()
		return ""
	}
	var none *errs.Kind
	var list []string
	for name, fn := range map[string]func(){
		"a value":         func() { panic("a customer's words") },
		"a missing thing": func() { _ = none.Error() },
		"an index":        func() { _ = list[len(list)] },
		"of the library":  func() { _ = strings.Repeat("a customer's words", -1) },
	} {
		at := where(fn)
		require.Regexp(t, `errs(_test)?\.\S+ \(errs(_test)?\.go:\d+\)`, at, name)
		require.NotContains(t, at, "customer", name)
		require.NotContains(t, at, "runtime.", name)
	}
	require.Empty(t, errs.Where())
}

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

// A part is found through what wraps the refusal, and changes nothing else of it.
func TestARefusalNamesThePartThatIsWrong(t *testing.T) {
	plain := errs.New(errs.Invalid, "mail: %s is no address", "help")
	about := errs.About("settings.from", plain)
	require.Equal(t, "settings.from", errs.PartOf(about))
	require.Equal(t, "settings.from", errs.PartOf(errs.New(errs.Invalid, "sangdam: target: %w", about)))
	require.ErrorIs(t, about, errs.Invalid)
	require.Equal(t, plain.Error(), about.Error())
	format, args, ok := errs.Parts(about)
	require.True(t, ok)
	require.Equal(t, []any{"mail: %s is no address", []any{"help"}}, []any{format, args})
	for _, none := range []error{nil, io.EOF, plain} {
		require.Empty(t, errs.PartOf(none))
	}
	require.Equal(t, io.EOF, errs.About("name", io.EOF))
	require.NoError(t, errs.About("name", nil))
}
