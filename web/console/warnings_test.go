package console_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/web/console"
)

// unknownPlaces is the number of places of a warning whose arguments are those of an error.
const unknownPlaces = -1

// warningsOfTheLibrary are the codes that it gives, with how many arguments: its
// source is read for what it calls warn and warnOf with.
func warningsOfTheLibrary(t *testing.T) map[string]int {
	t.Helper()
	files, err := filepath.Glob("../../*.go")
	require.NoError(t, err)
	codes := map[string]int{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.HasSuffix(file, "_test.go") || !strings.Contains(string(raw), "arn") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, raw, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			fn, is := d.(*ast.FuncDecl)
			if is && (fn.Name.Name == "warn" || fn.Name.Name == "warnOf") {
				continue // they hand on what they are given
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if made, is := n.(*ast.CompositeLit); is {
					name, _ := made.Type.(*ast.Ident)
					require.False(t, name != nil && name.Name == "Warning", "%s makes a Warning: use warn, which this test reads", file)
				}
				call, is := n.(*ast.CallExpr)
				if !is {
					return true
				}
				if name, _ := call.Fun.(*ast.Ident); name == nil || name.Name != "warn" && name.Name != "warnOf" {
					return true
				}
				lit, is := call.Args[0].(*ast.BasicLit)
				require.True(t, is, "%s: a code is written where the warning is made", file)
				code, err := strconv.Unquote(lit.Value)
				require.NoError(t, err)
				places := len(call.Args) - 2
				if call.Ellipsis.IsValid() {
					places = unknownPlaces
				}
				if had, known := codes[code]; known {
					require.Equal(t, had, places, "%s has two numbers of arguments", code)
				}
				codes[code] = places
				return true
			})
		}
	}
	return codes
}

// Every warning that the library gives has a text in each language, with a place
// for each of its arguments; and no text is left of one that it gives no more.
func TestEveryWarningIsSaidInEachLanguage(t *testing.T) {
	codes := warningsOfTheLibrary(t)
	require.Greater(t, len(codes), 20)
	verb := regexp.MustCompile(`%[a-z]`)
	for tag, texts := range console.Texts() {
		for code, places := range codes {
			_, text := console.Warned(tag, sangdam.Warning{Code: code})
			require.NotEmpty(t, text, "%s lacks the warning %s", tag, code)
			if places != unknownPlaces {
				require.Len(t, verb.FindAllString(text, -1), places, "%s %s: %q", tag, code, text)
			}
		}
		for key := range texts {
			if code, is := strings.CutPrefix(key, "warning."); is {
				require.Contains(t, codes, code, "%s says a warning that nobody gives", tag)
			}
		}
	}
}

func TestAWarningIsSaidInTheReadersLanguage(t *testing.T) {
	w := sangdam.Warning{Code: "agent_switch", Args: []string{"a3"}, Text: "the library's"}
	for tag, want := range map[string]string{"ko": "상담원 a3의 채팅 배정이 꺼져 있어 채팅이 배정되지 않습니다. 켜 주세요",
		"en": "the assignment of chats is switched off for agent a3, who is offered none: switch it on"} {
		said, _ := console.Warned(tag, w)
		require.Equal(t, want, said)
	}
	said, _ := console.Warned("ko", sangdam.Warning{Code: "later", Args: []string{"x"}, Text: "something new"})
	require.Equal(t, "something new", said, "a code that the console does not know")
}
