// Package plaintext makes plain text of HTML that people write themselves, such
// as layouts of mails. What customers' programs write is read by
// channel/email/message, which expects the worst and knows quotations.
package plaintext

import (
	"html"
	"strings"
)

// hidden elements hold nothing for a reader.
var hidden = map[string]bool{"script": true, "style": true, "title": true, "template": true, "head": true, "noembed": true,
	"noframes": true,
	"iframe":   true, "textarea": true, "select": true, "svg": true, "math": true, "object": true}

// raw elements end at their end tag alone, whatever stands in them.
var raw = map[string]bool{"script": true, "style": true, "title": true, "noembed": true, "noframes": true, "iframe": true, "textarea": true}

// lines is how many line ends stand before and after an element.
var lines = map[string]int{"p": 2, "h1": 2, "h2": 2, "h3": 2, "h4": 2, "h5": 2, "h6": 2, "ul": 2, "ol": 2, "table": 2, "blockquote": 2,
	"pre": 2,
	"hr":  2, "dl": 2, "div": 1, "tr": 1, "li": 1, "dt": 1, "dd": 1, "section": 1, "article": 1, "header": 1, "footer": 1, "center": 1,
	"address": 1, "body": 1}

// FromHTML is what a reader sees of HTML: its lines, its lists, and with links
// the addresses behind them. It reads the source once and fails on none.
func FromHTML(source string, links bool) string {
	w := &writer{}
	var targets []string // of the links that are open
	skip, depth := "", 0
	for source != "" {
		text, tag, rest := next(source, skip)
		source = rest
		if skip == "" {
			w.write(html.UnescapeString(text))
		}
		switch {
		case tag.name == "":
		case skip != "":
			if tag.name == skip && tag.end {
				depth--
			} else if tag.name == skip && !raw[skip] {
				depth++
			}
			if depth == 0 {
				skip = ""
			}
		case hidden[tag.name] && !tag.end:
			skip, depth = tag.name, 1
		case tag.name == "a" && !tag.end:
			targets = append(targets, html.UnescapeString(tag.attributes["href"]))
		case tag.name == "a" && len(targets) > 0:
			if to := targets[len(targets)-1]; links && leads(to) && !strings.HasSuffix(w.out.String(), strings.TrimPrefix(to, "mailto:")) {
				w.write(" (" + to + ")")
			}
			targets = targets[:len(targets)-1]
		default:
			w.tag(tag)
		}
	}
	return strings.TrimSpace(w.out.String())
}

// Once says that a reader of the HTML meets the mark once, as does one of its
// plain text. One in a comment, an attribute or a style is met by nobody, and one
// that an entity makes is none.
func Once(source, mark string) bool {
	const stands = "\uE000"
	source = strings.ReplaceAll(strings.ReplaceAll(source, stands, ""), mark, stands)
	for _, links := range []bool{false, true} {
		if text := FromHTML(source, links); strings.Count(text, stands) != 1 || strings.Contains(text, mark) {
			return false
		}
	}
	return true
}

// leads says that somebody can follow the address, which may be a placeholder.
func leads(to string) bool {
	for _, begin := range []string{"https://", "http://", "mailto:", "tel:", "#{"} {
		if strings.HasPrefix(strings.ToLower(to), begin) {
			return true
		}
	}
	return false
}

// tag is a start tag or an end tag; one without a name is none.
type tag struct {
	name       string
	end        bool
	attributes map[string]string
}

// next cuts the text before the next tag, comments and declarations left out.
// Within a raw element that is skipped only its end tag counts.
func next(source, skip string) (text string, t tag, rest string) {
	at := strings.IndexByte(source, '<')
	switch {
	case at < 0:
		return source, tag{}, ""
	case raw[skip]:
		if source = ending(source, skip); source == "" {
			return "", tag{}, ""
		}
		t, rest = readTag(source)
		return "", t, rest
	}
	text, source = source[:at], source[at:]
	switch {
	case strings.HasPrefix(source, "<!--"):
		if end := strings.Index(source[2:], "-->"); end >= 0 { // "<!-->" is a whole comment
			return text, tag{}, source[2+end+3:]
		}
		return text, tag{}, ""
	case strings.HasPrefix(source, "<!"), strings.HasPrefix(source, "<?"):
		_, rest, _ = strings.Cut(source, ">")
		return text, tag{}, rest
	case len(source) > 1 && letter(source[1]), len(source) > 2 && source[1] == '/' && letter(source[2]):
		t, rest = readTag(source)
		return text, t, rest
	}
	return text + "&lt;", tag{}, source[1:]
}

// ending is the source from the end tag of the name; empty where there is none.
func ending(source, name string) string {
	for {
		at := strings.Index(source, "</")
		if at < 0 {
			return ""
		}
		source = source[at:]
		if len(source) >= 2+len(name) && strings.EqualFold(source[2:2+len(name)], name) {
			return source
		}
		source = source[2:]
	}
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

// readTag reads the tag that the source begins with.
func readTag(source string) (t tag, rest string) {
	source = source[1:]
	if source[0] == '/' {
		t.end, source = true, source[1:]
	}
	n := 0
	for n < len(source) && !space(source[n]) && source[n] != '/' && source[n] != '>' {
		n++
	}
	t.name, source, t.attributes = strings.ToLower(source[:n]), source[n:], map[string]string{}
	for source != "" && source[0] != '>' {
		if space(source[0]) || source[0] == '/' {
			source = source[1:]
			continue
		}
		var name, value string
		name, value, source = readAttribute(source)
		if _, twice := t.attributes[name]; !twice {
			t.attributes[name] = value
		}
	}
	return t, strings.TrimPrefix(source, ">")
}

// readAttribute reads a name, and its value where there is one.
func readAttribute(source string) (name, value, rest string) {
	n := 1
	for n < len(source) && !space(source[n]) && source[n] != '/' && source[n] != '>' && source[n] != '=' {
		n++
	}
	name, source = strings.ToLower(source[:n]), source[n:]
	after := strings.TrimLeft(source, " \t\n\r\f")
	if !strings.HasPrefix(after, "=") {
		return name, "", source
	}
	source = strings.TrimLeft(after[1:], " \t\n\r\f")
	if source != "" && (source[0] == '"' || source[0] == '\'') {
		value, rest, _ = strings.Cut(source[1:], source[:1])
		return name, value, rest
	}
	n = 0
	for n < len(source) && !space(source[n]) && source[n] != '>' {
		n++
	}
	return name, source[:n], source[n:]
}

// writer puts words after each other: white space as one space, blocks on lines
// of their own.
type writer struct {
	out   strings.Builder
	ends  int  // line ends that are due before the next word
	space bool // a space is due
	pre   int
	item  bool // the next word begins an item of a list
}

func (w *writer) write(text string) {
	for text != "" {
		n := strings.IndexFunc(text, func(r rune) bool { return r < 0x80 && space(byte(r)) })
		word := text
		if n >= 0 {
			word = text[:n]
		}
		if word != "" {
			w.word(word)
		}
		if n < 0 {
			return
		}
		if text[n] == '\n' && w.pre > 0 {
			w.out.WriteByte('\n')
		} else {
			w.space = w.space || w.out.Len() > 0
		}
		text = text[n+1:]
	}
}

func (w *writer) word(s string) {
	switch {
	case w.ends > 0 && w.out.Len() > 0:
		w.out.WriteString(strings.Repeat("\n", w.ends))
	case w.space:
		w.out.WriteByte(' ')
	}
	if w.item {
		w.out.WriteString("- ")
	}
	w.ends, w.space, w.item = 0, false, false
	w.out.WriteString(s)
}

func (w *writer) tag(t tag) {
	if t.name == "br" {
		w.ends, w.space = w.ends+1, false
		return
	}
	if n := lines[t.name]; n > 0 {
		w.ends, w.space = max(w.ends, n), false
	}
	switch {
	case t.name == "hr":
		w.word("--------")
		w.ends = 2
	case t.name == "li" && !t.end:
		w.item = true
	case t.name == "img" && t.attributes["alt"] != "":
		w.write(html.UnescapeString(t.attributes["alt"]))
	case t.name == "td" || t.name == "th":
		w.space = w.out.Len() > 0 && w.ends == 0
	case t.name == "pre" && !t.end:
		w.pre++
	case t.name == "pre":
		w.pre = max(0, w.pre-1)
	}
}
