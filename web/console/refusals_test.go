package console_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/placetest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/web/console"
)

// severalLines is between the parts of a text that goes over several lines.
var severalLines = regexp.MustCompile(`" ?\+\s+"`)

// A refusal that is said in another language is one that the library still
// makes, with as many places. Some packages put the same words before all of theirs.
func TestEveryTranslatedRefusalIsMade(t *testing.T) {
	var all strings.Builder
	require.NoError(t, filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		raw, err := os.ReadFile(path)
		all.Write(raw)
		return err
	}))
	source := severalLines.ReplaceAllString(all.String(), "")
	made := func(format string) bool {
		for _, before := range []string{"", "routing: ", "webchat: setting ", "sangdam: workspace settings: ", "sangdam: action %s: "} {
			if rest, is := strings.CutPrefix(format, before); is && strings.Contains(source, strconv.Quote(rest)) {
				return true
			}
		}
		return false
	}
	ko := console.Refusals("ko")
	require.Greater(t, len(ko), 100)
	for _, tag := range []string{"ko", "ja"} {
		said := console.Refusals(tag)
		for format := range ko {
			require.Contains(t, said, format, "%s lacks it", tag)
		}
		for format, text := range said {
			require.True(t, made(format), "nobody says %q any more", format)
			require.Contains(t, ko, format, "Korean lacks it")
			require.Equal(t, placetest.Of(format), placetest.Of(text), "%s: %q", tag, text)
			require.NotContains(t, text, "%w", format)
		}
	}
}

func TestARefusalIsSaidInTheReadersLanguage(t *testing.T) {
	inner := errs.New(errs.Invalid, "hours: there is no date %s", "2026-02-30")
	err := errs.New(errs.Invalid, "sangdam: the picture is damaged or unsafe to show: %w", inner)
	require.Equal(t, "손상되었거나 안전하지 않은 그림입니다: 2026-02-30 날짜는 없습니다", console.Words("ko", err))
	require.Equal(t, "画像が壊れているか、安全に表示できません: 2026-02-30という日付はありません", console.Words("ja", err))
	require.Equal(t, "the picture is damaged or unsafe to show: hours: there is no date 2026-02-30", console.Words("en", err))
	for _, c := range []struct {
		err    error
		ko, ja string
	}{
		{&ticket.MissingFields{Codes: []string{"order", "size"}}, "필수 항목이 비어 있습니다: [order size]", "必須の項目が空です: [order size]"},
		{errs.New(errs.Invalid, "sangdam: %s: %w", "account shop", inner),
			"account shop: 2026-02-30 날짜는 없습니다", "account shop: 2026-02-30という日付はありません"},
		{errs.New(errs.Stale, "sangdam: agent %s cannot take this conversation: %v", "bo", &routing.Refused{Check: "held",
			Detail: "an agent has it already"}), "상담원 bo은(는) 이 상담을 맡을 수 없습니다: 배정할 수 없습니다(held): 이미 맡은 상담원이 있습니다",
			"担当者boはこの会話を担当できません: 割り当てられません(held): すでに担当者がいます"},
	} {
		require.Equal(t, c.ko, console.Words("ko", c.err))
		require.Equal(t, c.ja, console.Words("ja", c.err))
	}
	require.Equal(t, "something new", console.Words("ko", errs.New(errs.Invalid, "sangdam: something new")))
	require.Equal(t, "foreign", console.Words("ko", errors.New("foreign")))
}

// A refusal that was kept as a text is said in the reader's language as the error
// itself would be, what is inside it too.
func TestAKeptRefusalIsSaidInTheReadersLanguage(t *testing.T) {
	inner := errs.New(errs.Invalid, "hours: there is no date %s", "2026-02-30")
	for _, err := range []error{errs.New(errs.Conflict, "ticket: it was merged into ticket %s; go on there", "abc"),
		errs.New(errs.Invalid, "sangdam: the picture is damaged or unsafe to show: %w", inner),
		errs.New(errs.Invalid, "sangdam: agent %s is not in group %s", "a.b (c)", "g"),
		errs.New(errs.Invalid, "ticket: it is %s and cannot become %q", "complete", "on_hold"),
		errs.New(errs.Stale, "sangdam: the ticket was changed since; look at it by hand")} {
		for _, tag := range []string{"ko", "ja"} {
			require.Equal(t, console.Words(tag, err), console.Said(tag, err.Error()))
			require.NotEqual(t, console.Words("en", err), console.Said(tag, err.Error()))
		}
		require.Equal(t, console.Words("en", err), console.Said("en", err.Error()))
	}
	require.Equal(t, "something new", console.Said("ko", "sangdam: something new"))
}
