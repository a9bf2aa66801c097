package message

import (
	"bytes"
	"fmt"
	"path"
	"strings"
)

// place says where a part stands.
type place struct {
	depth       int
	alternative bool // one of several forms of the same
	related     bool // goes with an HTML
	report      bool
}

// part reads one part of the mail and what is below it.
func (p *parser) part(h header, body []byte, at place) {
	if p.parts++; p.parts > maxParts || at.depth > maxDepth {
		p.problem("there are more or deeper parts than are read")
		return
	}
	kind, params := p.params(h.get("Content-Type"))
	if !strings.Contains(kind, "/") {
		kind = "text/plain"
	}
	disposition, dispParams := p.params(h.get("Content-Disposition"))
	if strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" {
		p.multipart(kind, params, body, at)
		return
	}
	data := p.unwrap(h, body)
	name := firstOf(dispParams["filename"], params["name"], dispParams["name"])
	switch {
	case at.report && (kind == "message/delivery-status" || kind == "message/global-delivery-status"):
		p.status = data
		return
	case at.report && (strings.HasPrefix(kind, "message/") || kind == "text/rfc822-headers"):
		p.inner = data
	case disposition != "attachment" && name == "" && (kind == "text/plain" || kind == "text/html"):
		p.text(kind, params, data, at)
		return
	case strings.HasPrefix(kind, "multipart/"): // without a boundary: what is there is text
		p.problem("a part with parts names no boundary")
		p.text("text/plain", params, data, at)
		return
	case disposition == "inline" && kind == "text/html" && !at.alternative && p.html.Len() == 0 && p.plain.Len() == 0:
		p.text(kind, params, data, at) // some clients name the mail's own text
		return
	}
	p.file(kind, name, h, data)
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// multipart cuts a body at its boundary. A last boundary that is missing loses
// nothing. It looks at each line once.
func (p *parser) multipart(kind string, params map[string]string, body []byte, at place) {
	below := place{depth: at.depth + 1, alternative: kind == "multipart/alternative",
		related: at.related || kind == "multipart/related", report: at.report || kind == "multipart/report"}
	if kind == "multipart/report" && at.depth == 0 {
		p.m.Report = strings.ToLower(params["report-type"])
	}
	mark := []byte("--" + strings.TrimRight(params["boundary"], " "))
	start, closed, found := -1, false, false
	for pos := 0; pos < len(body) && !closed; {
		line, _ := cutLine(body[pos:])
		next := bytes.IndexByte(body[pos:], '\n')
		if next < 0 {
			next = len(body)
		} else {
			next += pos + 1
		}
		if bytes.HasPrefix(line, mark) {
			tail := bytes.TrimRight(line[len(mark):], " \t")
			if last := bytes.Equal(tail, []byte("--")); last || len(tail) == 0 {
				if start >= 0 {
					p.child(trimEnd(body[start:pos]), kind, below)
				}
				start, closed, found = next, last, true
			}
		}
		pos = next
	}
	switch {
	case !found:
		p.problem("the boundary between parts is nowhere")
		p.text("text/plain", params, body, at)
	case !closed && start >= 0 && start < len(body):
		p.problem("the last part has no end")
		p.child(body[start:], kind, below)
	}
}

// trimEnd takes away the line end that belongs to the boundary.
func trimEnd(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}

func (p *parser) child(raw []byte, parent string, at place) {
	if p.parts >= maxParts {
		p.problem("there are more or deeper parts than are read")
		return
	}
	var h header
	var body []byte
	switch {
	case len(raw) == 0:
		return
	case raw[0] == '\n' || raw[0] == '\r': // a part without a header
		_, body = cutLine(raw)
	default:
		h, body = p.split(raw)
	}
	if parent == "multipart/digest" && !h.has("Content-Type") {
		h = append(h, field{"Content-Type", "message/rfc822"})
	}
	p.part(h, body, at)
}

// unwrap undoes the transfer encoding.
func (p *parser) unwrap(h header, body []byte) []byte {
	encoding, _ := p.params(h.get("Content-Transfer-Encoding"))
	switch encoding {
	case "base64":
		return looseBase64(body)
	case "quoted-printable":
		return looseQuoted(body, false)
	case "", "7bit", "8bit", "binary":
	case "x-uuencode", "uuencode", "x-uue":
		p.problem("a part is encoded as nobody does any more; it is kept as it came")
	default:
		p.problem("a part has an unknown encoding; it is kept as it came")
	}
	return body
}

// text adds to what the mail says.
func (p *parser) text(kind string, params map[string]string, data []byte, at place) {
	charset := params["charset"]
	if kind == "text/html" && charset == "" {
		if m := namedCharset.FindSubmatch(data[:min(len(data), 2048)]); m != nil {
			charset = string(m[1])
		}
	}
	s := p.decode(charset, data)
	if kind == "text/html" {
		p.html.WriteString(s)
		if !at.alternative && p.plain.Len() > 0 { // text, then HTML, both meant to be read
			p.add(Plain(s))
		}
		return
	}
	if params["format"] == "flowed" || params["format"] == "Flowed" {
		s = flowed(s, strings.EqualFold(params["delsp"], "yes"))
	}
	p.add(s)
}

func (p *parser) add(s string) {
	if p.plain.Len() > 0 && strings.TrimSpace(s) != "" {
		p.plain.WriteString("\n\n")
	}
	p.plain.WriteString(s)
}

// flowed joins the lines that a client broke (RFC 3676).
func flowed(s string, delsp bool) string {
	var out strings.Builder
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, line := range lines {
		line = strings.TrimPrefix(line, " ") // stuffed
		soft := strings.HasSuffix(line, " ") && line != "-- " && i+1 < len(lines) && !strings.HasPrefix(lines[i+1],
			">") && !strings.HasPrefix(line, ">")
		if soft && delsp {
			line = strings.TrimSuffix(line, " ")
		}
		out.WriteString(line)
		if !soft && i+1 < len(lines) {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

var extensions = map[string]string{"message/rfc822": ".eml", "text/calendar": ".ics", "application/pdf": ".pdf",
	"image/png": ".png", "image/jpeg": ".jpg",
	"image/gif": ".gif", "text/html": ".html", "text/plain": ".txt", "text/csv": ".csv", "application/zip": ".zip", "text/vcard": ".vcf",
	"application/pkcs7-signature": ".p7s", "application/pgp-signature": ".asc", "text/rfc822-headers": ".txt"}

// file keeps a part as a file, whatever it is: winmail.dat, an invitation, a
// forwarded mail and a signature among them.
func (p *parser) file(kind, name string, h header, data []byte) {
	if kind == "application/ms-tnef" && name == "" {
		name = "winmail.dat"
	}
	f := File{Name: SafeName(name), Type: kind, Data: data, CID: strings.Trim(h.get("Content-Id"), "<> \t")}
	if f.Name == "" {
		f.Name = fmt.Sprintf("file-%d%s", len(p.m.Files)+1, extensions[kind])
		if kind == "text/calendar" {
			f.Name = "invitation.ics"
		}
	}
	p.m.Files = append(p.m.Files, f)
}

// SafeName is a name without path, control characters and what turns text
// around, at most 120 bytes with its ending kept. What the host's file system
// makes of names is the library's matter, see docs/design.md.
func SafeName(s string) string {
	s = path.Base(strings.ReplaceAll(oneLine(s), `\`, "/"))
	s = strings.Trim(strings.Map(func(r rune) rune {
		if strings.ContainsRune("\"<>|:*?\u200B\u200C\u200D\u2060", r) {
			return -1
		}
		return r
	}, s), " .")
	if s == "" || s == "/" {
		return ""
	}
	if ext := path.Ext(s); len(s) > 120 {
		if len(ext) > 12 {
			ext = ""
		}
		s = strings.ToValidUTF8(s[:120-len(ext)], "") + ext
	}
	return s
}
