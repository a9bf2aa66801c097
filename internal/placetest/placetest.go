// Package placetest holds the texts of a page in several languages to one another: what
// is filled into one of them has its place in each.
package placetest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	verb = regexp.MustCompile(`%(?:\[(\d)\])?([-+#0]*[\d.]*[a-zA-Z])`)
	name = regexp.MustCompile(`#?\{[^{}|\s]*\}`) // with a bar it is a choice by number, which English alone needs
)

// Of lists the places of a text, sorted, each as often as it is there: a verb of package
// fmt with the number of the argument that it takes ("1s" for %s at the beginning, "2d"
// for %[2]d anywhere; %v and %w count as %s), and {name} or #{name} as it stands.
func Of(text string) []string {
	out := name.FindAllString(text, -1)
	at := 0
	for _, m := range verb.FindAllStringSubmatch(text, -1) {
		at++
		if m[1] != "" {
			at, _ = strconv.Atoi(m[1]) // the pattern takes digits alone
		}
		kind := m[2]
		if kind == "w" || kind == "v" {
			kind = "s"
		}
		out = append(out, fmt.Sprint(at)+kind)
	}
	slices.Sort(out)
	return out
}

// Same requires that every language has every text, with the same places. all are the
// texts by language and key; English, under "en", is what the others are held to.
func Same(t testing.TB, all map[string]map[string]string) {
	t.Helper()
	require.Subset(t, slices.Collect(maps.Keys(all)), []string{"en", "ko", "ja"})
	require.NotEmpty(t, all["en"])
	for tag, texts := range all {
		for key, text := range texts {
			require.Contains(t, all["en"], key, "English lacks a text of %s", tag)
			require.NotEmpty(t, text, "%s %s", tag, key)
			require.Equal(t, Of(all["en"][key]), Of(text), "%s %s: %q has other places than %q", tag, key, text, all["en"][key])
		}
		require.Len(t, texts, len(all["en"]), "%s lacks texts that English has", tag)
	}
}
