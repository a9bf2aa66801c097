package console_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/placetest"
	"github.com/sangdam/sangdam/web/console"
)

// Every language has every text, with the same places to fill.
func TestEveryLanguageHasEveryText(t *testing.T) { placetest.Same(t, console.Texts()) }

// Every text that a template or the program names by itself is there, and
// templates have no words of their own.
func TestEveryTextThatIsNamedIsThere(t *testing.T) {
	named := regexp.MustCompile(`(?:\{\{-?t|\(t|lang\.t\(|\{\{t) ?"([a-z_.\-]+)"`)
	en := console.Texts()["en"]
	var files []string
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		some, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, some...)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range named.FindAllStringSubmatch(string(raw), -1) {
			if strings.HasSuffix(m[1], ".") { // a group, completed at run time
				continue
			}
			require.Contains(t, en, m[1], "%s names it", file)
		}
		if strings.HasSuffix(file, ".html") {
			bare := regexp.MustCompile(`(?s)\{\{.*?\}\}|<[^>]*>`).ReplaceAllString(string(raw), "")
			require.NotRegexp(t, `[A-Za-z]{2,}|[가-힣]`, bare, "%s has words outside the tables", file)
		}
	}
}

// English says one agent and two agents; a number never stands before the wrong one.
func TestEnglishHasItsPlurals(t *testing.T) {
	for _, c := range []struct {
		key  string
		args []any
		want string
	}{
		{"setup.members", []any{1}, "1 agent"}, {"setup.members", []any{2}, "2 agents"}, {"setup.members", []any{0}, "0 agents"},
		{"trial.gained", []any{1, 2}, "New: 1 record (2 events)"}, {"trial.gained", []any{2, 1}, "New: 2 records (1 event)"},
		{"backup.ready", []any{1, "3 KB", "then"}, "1 conversation, 3 KB, until then"},
		{"trial.left_out", []any{1}, "1 record was left out: gone, not to be seen any more, or with a damaged history."},
	} {
		require.Equal(t, c.want, console.Text("en", c.key, c.args...))
	}
	many := regexp.MustCompile(`%d [a-z]+s\b`)
	for key, text := range console.Texts()["en"] {
		if key != "time.seconds" {
			require.NotRegexp(t, many, text, "%s needs {one|many}", key)
		}
	}
}

func TestABrandsColourStaysReadable(t *testing.T) {
	for _, colour := range []string{"", "#000000", "#ffffff", "#ffff00", "#06c755", "#ff0000", "#777777"} {
		css, err := console.BrandCSS(colour)
		require.NoError(t, err)
		require.Equal(t, 3, strings.Count(css, "--accent:"), css)
	}
	for _, colour := range []string{"red", "#fff", "#12345g", "123456", "#1234567"} {
		_, err := console.BrandCSS(colour)
		require.ErrorContains(t, err, "not of the form", colour)
	}
}

func TestOnlyPlainAddressesAreLinks(t *testing.T) {
	for text, want := range map[string][]string{
		"see https://a.example/x?y=1.":          {"see ", "<https://a.example/x?y=1>", "."},
		"(http://a.example)":                    {"(", "<http://a.example>", ")"},
		"javascript:alert(1)":                   {"javascript:alert(1)"},
		"data:text/html,x":                      {"data:text/html,x"},
		"https://аpple.example/":                {"https://аpple.example/"}, // a Cyrillic letter
		"https://user:pw@a.example/":            {"https://user:pw@a.example/"},
		"https://a.example/\"onmouseover=x":     {"<https://a.example/>", "\"onmouseover=x"},
		"주문은 https://a.example/주문 여기":           {"주문은 ", "<https://a.example/주문>", " 여기"},
		"https:///nowhere":                      {"https:///nowhere"},
		"":                                      nil,
		"two http://a.example http://b.example": {"two ", "<http://a.example>", " ", "<http://b.example>"},
	} {
		require.Equal(t, want, console.Links(text), text)
	}
}

// All scripts together are small, as a browser loads them.
func TestScriptsAreSmall(t *testing.T) {
	w := newWorld(t)
	page := bodyOf(t, w.client("ara").do(http.MethodGet, "/conversations", ""))
	scripts := regexp.MustCompile(`src="/desk(/assets/[^"]+\.js)"`).FindAllStringSubmatch(page, -1)
	files, err := filepath.Glob("assets/*.js")
	require.NoError(t, err)
	require.Len(t, scripts, len(files), "the page loads every script there is")
	sum := 0
	for _, s := range scripts {
		sum += len(bodyOf(t, w.client("").do(http.MethodGet, s[1], "")))
	}
	require.LessOrEqual(t, sum, 80_000)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		for line := range strings.Lines(string(raw)) {
			require.True(t, strings.Contains(f, "htmx") || strings.Count(line, "`")%2 == 0, "%s: a text spans lines: %s", f, line)
		}
	}
}

// One thing has one name, in every Korean text of the console.
func TestThingsHaveOneNameInKorean(t *testing.T) {
	for _, file := range []string{"texts/ko.json", "refusals/ko.json", "findings/ko.json"} {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for other, name := range map[string]string{"상담사": "상담원", "창구": "데스크", "큐": "대기열"} {
			require.NotContains(t, string(raw), other, "%s: it is %s", file, name)
		}
	}
}
