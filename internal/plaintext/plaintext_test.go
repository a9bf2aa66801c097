package plaintext_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/plaintext"
)

func TestFromHTML(t *testing.T) {
	for source, want := range map[string]string{
		"<h1>Shop</h1>\n<p>#{content}</p>":                                 "Shop\n\n#{content}",
		"<p>a<br>b</p><div>c</div><div>d</div>e":                           "a\nb\n\nc\nd\ne",
		"a  \n b<b>c</b> <i>d</i>":                                         "a bc d",
		"<ul><li>one<li>two</ul>end":                                       "- one\n- two\n\nend",
		"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>":  "a b\nc",
		`<a href="https://shop.example/?a=1&amp;b">Shop</a>`:               "Shop (https://shop.example/?a=1&b)",
		`<a href="mailto:help@shop.example">help@shop.example</a>`:         "help@shop.example",
		`<a href="javascript:x()">x</a><a>y</a>`:                           "xy",
		`<a href="#{record.link}">here</a>`:                                "here (#{record.link})",
		"<style>p{}</style><script>if (a < b) '</p>'</script>x<!-- c -->y": "xy",
		"<head><title>T</title></head><body>x</body>":                      "x",
		"<template><template>a</template>b</template>c":                    "c",
		"a<hr>b": "a\n\n--------\n\nb",
		`<img alt="Shop &amp; Co" src="cid:logo"> hi`: "Shop & Co hi",
		"<pre>a\n  b</pre>":                           "a\n b",
		"1 < 2 &lt; 3 <3":                             "1 < 2 < 3 <3",
		"안녕<br/>하세요&nbsp;":                            "안녕\n하세요",
		"<p title='>'>x</p><p title=a>y":              "x\n\ny",
		"<!-->x-->":                                   "x-->",
		"<!doctype html><?xml x?>x":                   "x",
		"<":                                           "<",
		"</":                                          "</",
		"x<p":                                         "x",
		"x<p a":                                       "x",
		"x<p a=":                                      "x",
		"x<p a='":                                     "x",
		"<script>":                                    "",
		"x<!--":                                       "x",
	} {
		require.Equal(t, want, plaintext.FromHTML(source, true), source)
	}
}

// What nobody reads does not count, and what an entity makes a mark does.
func TestOnce(t *testing.T) {
	for source, want := range map[string]bool{
		"<p>#{content}</p>": true, "#{content}#{content}": false, "<!-- #{content} -->": false, `<p title="#{content}">`: false,
		"<style>#{content}</style>": false, `<a href="#{content}">x</a>`: false, "<title>#{content}</title>": false,
		"<textarea>#{content}</textarea>": false, "&#35;{content}": false, "<!--#{content}-->&#35;{content}": false,
		"\uE000#{content}": true, "#{content}&#35;{content}": false,
		`<a href="https://x.example/&#35;{content}">x</a>#{content}`: false,
	} {
		require.Equal(t, want, plaintext.Once(source, "#{content}"), source)
	}
}

func FuzzFromHTML(f *testing.F) {
	for _, s := range []string{"<p>a<br>b</p>", "<a href='x'>y</a>", "<!-- x", "<script>x", "<pre> a\n</pre>", "</a></pre></li>",
		"<li><hr>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if got := plaintext.FromHTML(source, true); len(got) > 10*len(source)+10 {
			t.Fatalf("%d bytes of %d", len(got), len(source))
		}
	})
}

// Many tags, links and unclosed elements cost no more than their length.
func TestLargeSourcesAreReadOnce(t *testing.T) {
	for _, part := range []string{"<a href='https://x.example'>y</a>", "<script>", "<style></style>", "<!--", "<template>", "<p a=b>",
		"</a>"} {
		require.NotPanics(t, func() { plaintext.FromHTML(strings.Repeat(part, 20_000), true) })
	}
}
