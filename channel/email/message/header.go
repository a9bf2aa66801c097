package message

import (
	"bytes"
	"encoding/base64"
	"net/mail"
	"regexp"
	"strings"
	"time"
)

// field is one line of a header, unfolded, its bytes as they came.
type field struct{ name, value string }

type header []field

func (h header) get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

func (h header) all(name string) []string {
	var out []string
	for _, f := range h {
		if strings.EqualFold(f.name, name) {
			out = append(out, f.value)
		}
	}
	return out
}

func (h header) has(name string) bool { return len(h.all(name)) > 0 }

// split cuts a header off its body. A line that is no field ends the header
// where it could be the body's first; in the middle of fields it is left out.
func (p *parser) split(raw []byte) (h header, body []byte) {
	var value strings.Builder // of the last field: a header may have very many lines
	defer func() { h.end(&value) }()
	size := 0
	raw = bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))
	for top := true; len(raw) > 0; top = false {
		line, rest := cutLine(raw)
		if len(line) == 0 {
			return h, rest
		}
		size += len(line)
		full := size > maxHeader || len(h) >= maxFields
		if full {
			p.problem("the header is longer than what is read")
		}
		name, first, ok := fieldOf(line)
		switch {
		case (line[0] == ' ' || line[0] == '\t') && len(h) > 0:
			if !full {
				value.WriteString(" " + strings.TrimSpace(string(line)))
			}
		case top && bytes.HasPrefix(line, []byte("From ")): // an mbox's separator
		case ok && !full:
			h.end(&value)
			h = append(h, field{name: name})
			value.WriteString(first)
		case ok:
		case len(h) == 0:
			p.problem("there is no header")
			return h, raw
		case looksLikeFields(rest):
			p.problem("a line of the header is no field")
		default:
			p.problem("no empty line stands between header and body")
			return h, raw
		}
		raw = rest
	}
	return h, nil
}

// end gives the last field its value.
func (h header) end(value *strings.Builder) {
	if len(h) > 0 {
		h[len(h)-1].value = value.String()
	}
	value.Reset()
}

// looksLikeFields says that the header goes on after a line that is no field.
func looksLikeFields(rest []byte) bool {
	line, _ := cutLine(rest)
	_, _, ok := fieldOf(line)
	return ok
}

func fieldOf(line []byte) (name, value string, ok bool) {
	at := bytes.IndexByte(line, ':')
	if at < 1 || at > 80 {
		return "", "", false
	}
	for _, c := range bytes.TrimRight(line[:at], " \t") {
		if c <= ' ' || c >= 0x7F {
			return "", "", false
		}
	}
	return string(bytes.TrimRight(line[:at], " \t")), strings.TrimSpace(string(line[at+1:])), true
}

func cutLine(b []byte) (line, rest []byte) {
	at := bytes.IndexByte(b, '\n')
	if at < 0 {
		return bytes.TrimSuffix(b, []byte("\r")), nil
	}
	return bytes.TrimSuffix(b[:at], []byte("\r")), b[at+1:]
}

var encodedWord = regexp.MustCompile(`=\?([A-Za-z0-9_.:+-]{1,40})(?:\*[A-Za-z-]{0,20})?\?([bBqQ])\?([^?\r\n]*)\?=`)

// words decodes the encoded words of a header. Neighbours of one charset are
// joined before they are decoded, since some senders cut in the middle of a
// character. Raw bytes are read by what the mail says elsewhere.
func (p *parser) words(s string) string {
	var out strings.Builder
	var charset string
	var run []byte
	flush := func() {
		if len(run) > 0 {
			out.WriteString(p.decode(charset, run))
		}
		run = nil
	}
	for {
		at := encodedWord.FindStringSubmatchIndex(s)
		if at == nil {
			break
		}
		between := s[:at[0]]
		name, data := s[at[2]:at[3]], wordBytes(s[at[4]:at[5]], s[at[6]:at[7]])
		if strings.TrimSpace(between) != "" || run == nil || !strings.EqualFold(name, charset) {
			spaces := run != nil && strings.TrimSpace(between) == "" // between two words blanks do not count
			flush()
			if !spaces {
				out.WriteString(p.rawText(between))
			}
		}
		charset, run = name, append(run, data...)
		s = s[at[1]:]
	}
	flush()
	out.WriteString(p.rawText(s))
	return out.String()
}

// rawText is text of a header that is not encoded.
func (p *parser) rawText(s string) string {
	if ascii(s) && !strings.Contains(s, "\x1B") {
		return s
	}
	return p.decode("", []byte(s))
}

func wordBytes(form, s string) []byte {
	if form == "b" || form == "B" {
		return looseBase64([]byte(s))
	}
	return looseQuoted([]byte(strings.ReplaceAll(s, "_", " ")), true)
}

// looseBase64 decodes what is there, whatever stands in between.
func looseBase64(b []byte) []byte {
	clean := make([]byte, 0, len(b))
	var out []byte
	flush := func() {
		for len(clean)%4 == 1 { // half a byte is none
			clean = clean[:len(clean)-1]
		}
		dec := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
		n, _ := base64.RawStdEncoding.Decode(dec, clean) // only letters of the alphabet are in it
		out = append(out, dec[:n]...)
		clean = clean[:0]
	}
	for _, c := range b {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			clean = append(clean, c)
		case c == '-':
			clean = append(clean, '+')
		case c == '_':
			clean = append(clean, '/')
		case c == '=' && len(clean)%4 != 0:
			flush() // two encoded texts may follow each other
		}
	}
	flush()
	return out
}

// looseQuoted decodes quoted-printable; a wrong escape stays as it is.
func looseQuoted(b []byte, word bool) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '=' {
			out = append(out, b[i])
			continue
		}
		if i+2 < len(b) {
			if hi, lo := unhex(b[i+1]), unhex(b[i+2]); hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		end := i + 1
		for end < len(b) && (b[end] == ' ' || b[end] == '\t' || b[end] == '\r') {
			end++
		}
		if !word && (end == len(b) || b[end] == '\n') {
			i = end // a soft line break
			continue
		}
		out = append(out, '=')
	}
	return out
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// oneLine leaves no control character, and no invisible one that turns text.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7F || r == 0x85 || r == 0x2028 || r == 0x2029:
			return ' '
		case r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r == 0xFEFF:
			return -1
		}
		return r
	}, s))
}

var angled = regexp.MustCompile(`<([^<>\x00-\x20]+)>`)

// longestID is how many bytes a Message-ID may have: a line has at most 998 (RFC 5322).
const longestID = 900

// ids reads Message-IDs; those without brackets count if nothing else is there.
func ids(s string) []string {
	var out []string
	for _, m := range angled.FindAllStringSubmatch(s, -1) {
		if len(m[1]) <= longestID {
			out = append(out, m[1])
		}
	}
	if out == nil {
		for _, w := range strings.Fields(s) {
			if strings.Contains(w, "@") && !strings.ContainsAny(w, "<>") && len(w) <= longestID {
				out = append(out, w)
			}
		}
	}
	if len(out) > maxIDs { // the newest matter, and the first
		out = append(out[:1:1], out[len(out)-maxIDs+1:]...)
	}
	return out
}

func firstID(s string) string {
	if all := ids(s); len(all) > 0 {
		return all[0]
	}
	return ""
}

func returnPath(s string) string {
	switch s = strings.TrimSpace(s); {
	case s == "":
		return ""
	case s == "<>":
		return s
	}
	return address(strings.Trim(s, "<>"))
}

var dateForms = []string{time.RFC1123Z, "2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04 -0700", "2 Jan 2006 15:04 -0700",
	"Mon, 2 Jan 2006 15:04:05", "2006-01-02 15:04:05 -0700", time.RFC3339, time.ANSIC}

func date(s string) time.Time {
	if t, err := mail.ParseDate(s); err == nil {
		return t.UTC()
	}
	if at := strings.IndexByte(s, '('); at > 0 {
		s = s[:at]
	}
	s = strings.Join(strings.Fields(s), " ")
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// addresses reads the people of a header, in a loose form: whoever has an
// address counts, whatever is wrong around it. Linear in the header's length.
func (p *parser) addresses(h header, name string) []Address {
	var out []Address
	for _, v := range h.all(name) {
		for _, part := range splitAddresses(v) {
			if len(out) >= maxAddresses {
				p.problem("there are more addresses than are read")
				return out
			}
			if a, ok := p.address(part); ok {
				out = append(out, a)
			}
		}
	}
	return out
}

// splitAddresses cuts at commas and semicolons outside of quotes and brackets.
func splitAddresses(s string) []string {
	var out []string
	quoted, depth, from := false, 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<' || c == '(':
			depth++
		case (c == '>' || c == ')') && depth > 0:
			depth--
		case (c == ',' || c == ';') && depth == 0:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

func (p *parser) address(s string) (Address, bool) {
	s = strings.TrimSpace(s)
	open, end := strings.LastIndexByte(s, '<'), strings.LastIndexByte(s, '>')
	if open < 0 { // "a@b", or "a@b (Name)"
		bare, name, _ := strings.Cut(s, "(")
		if at := strings.LastIndexByte(bare, ':'); at >= 0 && !strings.Contains(bare[:at], "@") {
			bare = bare[at+1:] // the name of a group
		}
		a := address(bare)
		return Address{Name: p.display(strings.TrimSuffix(strings.TrimSpace(name), ")")), Addr: a}, a != ""
	}
	if end < open {
		end = len(s)
	}
	a := address(s[open+1 : end])
	return Address{Name: p.display(s[:open]), Addr: a}, a != ""
}

func (p *parser) display(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, `\"`, `"`), `\\`, `\`)
	name := []rune(oneLine(p.words(s)))
	return string(name[:min(len(name), 200)])
}

// address is a plain address, or empty for what cannot be one.
func address(s string) string {
	s = strings.TrimSpace(s)
	s = strings.TrimPrefix(s, "mailto:")
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 || len(s) > 320 || strings.ContainsFunc(s,
		func(r rune) bool { return r <= ' ' || r == 0x7F || r == '<' || r == '>' }) {
		return ""
	}
	return s[:at] + "@" + strings.ToLower(s[at+1:])
}

// params reads "type/sub; name=value", as RFC 2045 and 2231 have it and as
// clients write it: quotes missing, encoded words within, raw bytes.
func (p *parser) params(s string) (kind string, params map[string]string) {
	pieces := splitParams(s)
	kind = strings.ToLower(strings.TrimSpace(pieces[0]))
	params = map[string]string{}
	type piece struct {
		value   string
		encoded bool
	}
	long := map[string]map[int]piece{}
	for _, one := range pieces[1:] {
		name, value, ok := strings.Cut(one, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || name == "" || len(params) > 50 {
			continue
		}
		value = strings.TrimSpace(value)
		if len(value) > 1 && value[0] == '"' {
			value = strings.ReplaceAll(strings.Trim(value, `"`), `\"`, `"`)
		}
		base, number, has := strings.Cut(name, "*")
		if !has {
			if _, twice := params[name]; !twice {
				params[name] = p.words(value)
			}
			continue
		}
		number, encoded := strings.CutSuffix(number, "*")
		n := 0
		for _, c := range number {
			if c < '0' || c > '9' || n > 999 {
				n = -1
				break
			}
			n = 10*n + int(c-'0')
		}
		if long[base] == nil {
			long[base] = map[int]piece{}
		}
		if n >= 0 {
			long[base][n] = piece{value, encoded || number == ""}
		}
	}
	for base, all := range long {
		charset, data := "", []byte(nil)
		for n := range len(all) {
			one, there := all[n]
			if !there {
				break
			}
			v := one.value
			if one.encoded && n == 0 {
				if cs, rest, ok := strings.Cut(v, "'"); ok {
					_, v, _ = strings.Cut(rest, "'")
					charset = cs
				}
			}
			if one.encoded {
				data = append(data, percent(v)...)
			} else {
				data = append(data, v...)
			}
		}
		params[base] = p.decode(charset, data)
	}
	return kind, params
}

func splitParams(s string) []string {
	var out []string
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

func percent(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return out
}
