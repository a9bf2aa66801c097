package message

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Images says which pictures of a mail are shown.
type Images int

// What Clean shows. A picture from elsewhere tells its sender that, when and
// where the mail was read.
const (
	NoRemote Images = iota // the mail's own pictures alone
	Remote                 // also those of https addresses, once a person asked for them
	Later                  // as NoRemote; https addresses stay beside the picture, for Remote to show
)

// Clean makes the HTML of a mail safe to show in a sandboxed frame: no script,
// style sheet, form, frame, drawing or handler; links of a few kinds that open
// elsewhere; its own pictures, for which cid tells the address by Content-ID;
// others by choice. hidden tells how many pictures were left out. What is cleaned
// twice stays as it is.
func Clean(source string, images Images, cid func(string) string) (safe string, hidden int) {
	p := policy()
	source, hidden = pictures(source, images, cid)
	return p.Sanitize(source), hidden
}

var (
	length     = regexp.MustCompile(`^[0-9.]{1,6}(px|pt|em|rem|%)?$`)
	colour     = regexp.MustCompile(`^(#[0-9A-Fa-f]{3,8}|[A-Za-z]{3,20}|rgb\([0-9, ]{5,20}\))$`)
	lengths    = regexp.MustCompile(`^([0-9.]{1,6}(px|pt|em|rem|%)?\s*){1,4}$`)
	word       = regexp.MustCompile(`^[A-Za-z0-9 -]{1,30}$`)
	family     = regexp.MustCompile(`^[\p{L}0-9 ,'"_-]+$`) // a count would repeat all letters of all scripts: megabytes
	border     = regexp.MustCompile(`^[A-Za-z0-9#.() ,%-]{1,60}$`)
	link       = regexp.MustCompile(`(?i)^\s*(https?://|mailto:|tel:)`) // in full: a mail has no page that others are relative to
	elsewhere  = regexp.MustCompile(`^https://[^\s"'<>]+$`)
	ownPicture = regexp.MustCompile(`^(cid:[^\s"'<>]+|https://[^\s"'<>]+|/[^\s"'<>]+|data:image/(png|jpeg|gif|webp);base64,` +
		`[A-Za-z0-9+/=\s]+)$`)
)

// policy is what a mail may keep. It is made anew for each call: a policy that
// is shared must not be changed, and making it costs little beside a mail.
func policy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "div", "span", "b", "strong", "i", "em", "u", "s", "strike", "del", "ins", "sub", "sup", "small", "big",
		"tt", "code", "pre",
		"blockquote", "ul", "ol", "li", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "center", "font", "abbr", "address",
		"cite", "q",
		"table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "colgroup", "col")
	p.AllowAttrs("align", "valign", "dir", "lang", "title").Matching(word).Globally()
	p.AllowAttrs("width", "height", "border", "cellpadding", "cellspacing", "colspan", "rowspan").Matching(length).
		OnElements("table", "td", "th", "tr", "col", "colgroup", "img", "hr")
	p.AllowAttrs("bgcolor").Matching(colour).OnElements("table", "td", "th", "tr")
	p.AllowAttrs("color").Matching(colour).OnElements("font")
	p.AllowAttrs("size").Matching(length).OnElements("font")
	p.AllowAttrs("face").Matching(family).OnElements("font")
	p.AllowStyles("color", "background-color").Matching(colour).Globally()
	p.AllowStyles("width", "max-width", "height", "font-size", "line-height", "text-indent").Matching(length).Globally()
	p.AllowStyles("margin", "padding", "margin-top", "margin-bottom", "margin-left", "margin-right", "padding-top", "padding-bottom",
		"padding-left",
		"padding-right").Matching(lengths).Globally()
	p.AllowStyles("text-align", "vertical-align", "font-weight", "font-style", "text-decoration", "white-space",
		"list-style-type").Matching(word).Globally()
	p.AllowStyles("font-family").Matching(family).Globally()
	p.AllowStyles("border", "border-top", "border-bottom", "border-left", "border-right").Matching(border).Globally()
	p.AllowAttrs("src").Matching(ownPicture).OnElements("img")
	p.AllowAttrs(setAside).Matching(elsewhere).OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	p.AllowAttrs("href").Matching(link).OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto", "tel")
	p.AllowURLSchemeWithCustomPolicy("cid", func(*url.URL) bool { return true })
	p.AllowDataURIImages()
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	p.AllowRelativeURLs(true)
	p.SkipElementsContent("style", "script", "svg", "math", "title", "template", "noscript", "object", "iframe", "textarea", "select",
		"xmp", "noembed", "noframes")
	return p
}

// pictures decides about each picture before anything else looks at the mail.
func pictures(source string, images Images, cid func(string) string) (string, int) {
	var out bytes.Buffer
	hidden := 0
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return out.String(), hidden
		case html.StartTagToken, html.SelfClosingTagToken:
			raw := bytes.Clone(z.Raw())
			token := z.Token()
			if token.DataAtom != atom.Img {
				out.Write(raw)
				continue
			}
			src, later := attr(token, "src"), attr(token, setAside)
			if strings.HasPrefix(src, "https://") {
				src, later = "", src
			}
			switch own, is := strings.CutPrefix(src, "cid:"); {
			case is && cid != nil:
				src = cid(own)
			case is, strings.HasPrefix(src, "data:image/") && !strings.HasPrefix(src, "data:image/svg"):
			case images == Remote && strings.HasPrefix(later, "https://"):
				src = later
			default:
				src = ""
			}
			if src == "" {
				hidden++
			}
			if images != Later || src != "" || !strings.HasPrefix(later, "https://") {
				later = ""
			}
			out.WriteString(picture(token, src, later))
		default:
			out.Write(z.Raw())
		}
	}
}

func attr(t html.Token, name string) string {
	for _, a := range t.Attr {
		if strings.EqualFold(a.Key, name) {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}

// setAside is where the address of a picture from elsewhere waits: no program
// loads it from there.
const setAside = "data-later"

func picture(t html.Token, src, later string) string {
	if src == "" && later == "" {
		alt := attr(t, "alt")
		if alt == "" {
			return ""
		}
		return html.EscapeString("[" + alt + "]")
	}
	var out strings.Builder
	if out.WriteString("<img "); src != "" {
		out.WriteString(`src="` + html.EscapeString(src) + `"`)
	} else {
		out.WriteString(setAside + `="` + html.EscapeString(later) + `"`)
	}
	for _, name := range []string{"alt", "width", "height"} {
		if v := attr(t, name); v != "" {
			out.WriteString(" " + name + `="` + html.EscapeString(v) + `"`)
		}
	}
	out.WriteString(">")
	return out.String()
}

// block elements begin a line of their own.
var block = map[atom.Atom]bool{atom.P: true, atom.Div: true, atom.Br: true, atom.Tr: true, atom.Li: true, atom.Ul: true,
	atom.Ol: true, atom.Table: true,
	atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Blockquote: true, atom.Pre: true,
	atom.Hr:      true,
	atom.Section: true, atom.Article: true, atom.Header: true, atom.Footer: true, atom.Dt: true, atom.Dd: true}

// unread elements hold nothing for a reader.
var unread = map[atom.Atom]bool{atom.Script: true, atom.Style: true, atom.Head: true, atom.Title: true, atom.Noscript: true,
	atom.Template: true}

// Plain makes text of HTML: its lines, its lists, and what it quotes behind ">".
// It reads the source once.
func Plain(source string) string {
	w := &plainWriter{}
	skipped, depth := atom.Atom(0), 0
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return w.String()
		}
		if kind == html.TextToken {
			if skipped == 0 {
				w.text(html.UnescapeString(string(z.Raw())))
			}
			continue
		}
		name, _ := z.TagName()
		tag := atom.Lookup(name)
		switch {
		case kind == html.StartTagToken && skipped == 0 && unread[tag]:
			skipped, depth = tag, 1
		case kind == html.StartTagToken && skipped == tag && tag != 0:
			depth++
		case kind == html.EndTagToken && skipped == tag && tag != 0:
			if depth--; depth == 0 {
				skipped = 0
			}
		case kind == html.StartTagToken && tag == atom.Body:
			skipped = 0 // a head that nobody closed
		case skipped == 0:
			w.tag(tag, kind)
		}
	}
}

// plainWriter keeps lines and how deep they are quoted.
type plainWriter struct {
	out   strings.Builder
	line  strings.Builder
	quote int
	pre   int
}

func (w *plainWriter) text(s string) {
	if w.pre > 0 {
		for i, part := range strings.Split(s, "\n") {
			if i > 0 {
				w.end(true)
			}
			w.line.WriteString(part)
		}
		return
	}
	fields := strings.Fields(s)
	if len(fields) == 0 {
		if s != "" && w.line.Len() > 0 {
			w.space()
		}
		return
	}
	if strings.TrimLeft(s[:1], " \t\r\n") == "" {
		w.space()
	}
	w.line.WriteString(strings.Join(fields, " "))
	if strings.TrimRight(s[len(s)-1:], " \t\r\n") == "" {
		w.space()
	}
}

func (w *plainWriter) space() {
	if w.line.Len() > 0 && !strings.HasSuffix(w.line.String(), " ") {
		w.line.WriteByte(' ')
	}
}

func (w *plainWriter) tag(tag atom.Atom, kind html.TokenType) {
	if !block[tag] {
		if tag == atom.Td || tag == atom.Th {
			w.space()
		}
		return
	}
	opens := kind != html.EndTagToken
	w.end(tag == atom.Br && opens)
	switch {
	case tag == atom.Blockquote && opens:
		w.quote = min(w.quote+1, 9)
	case tag == atom.Blockquote:
		w.quote = max(w.quote-1, 0)
	case tag == atom.Pre && opens:
		w.pre++
	case tag == atom.Pre:
		w.pre = max(w.pre-1, 0)
	case tag == atom.P && opens && w.out.Len() > 0:
		w.end(true)
	case tag == atom.Li && opens:
		w.line.WriteString("- ")
	case tag == atom.Hr && opens:
		w.line.WriteString("________________________________")
		w.end(true)
	}
}

// end finishes a line; an empty one counts only where it was asked for, and no
// more than one in a row.
func (w *plainWriter) end(always bool) {
	line := strings.TrimRight(w.line.String(), " ")
	w.line.Reset()
	if line == "" && !always {
		return
	}
	if line == "" && strings.HasSuffix(w.out.String(), "\n\n") {
		return
	}
	if w.quote > 0 {
		line = strings.Repeat(">", w.quote) + " " + line
	}
	w.out.WriteString(line + "\n")
}

func (w *plainWriter) String() string {
	w.end(false)
	return w.out.String()
}
