package message

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// wild are names of charsets that no standard has, or that a standard gives to
// something poorer than what is sent under them.
var wild = map[string]encoding.Encoding{
	// Everything Korean that has two bytes is read as its largest form, CP949.
	"ks_c_5601-1987": korean.EUCKR, "ks_c_5601_1987": korean.EUCKR, "ks_c_5601": korean.EUCKR, "ks-c-5601-1987": korean.EUCKR,
	"ksc5601": korean.EUCKR, "ksc_5601": korean.EUCKR, "ks_c_5601-1989": korean.EUCKR, "iso-ir-149": korean.EUCKR, "korean": korean.EUCKR,
	"cp949": korean.EUCKR, "ms949": korean.EUCKR, "x-cp949": korean.EUCKR, "windows-949": korean.EUCKR, "x-windows-949": korean.EUCKR,
	"uhc": korean.EUCKR, "x-uhc": korean.EUCKR, "euc_kr": korean.EUCKR, "euckr": korean.EUCKR, "x-euc-kr": korean.EUCKR,
	"cseuckr": korean.EUCKR,
	"949":     korean.EUCKR, "ibm-949": korean.EUCKR, "ibm949": korean.EUCKR,
	"cp932": japanese.ShiftJIS, "ms932": japanese.ShiftJIS, "windows-932": japanese.ShiftJIS, "x-ms-cp932": japanese.ShiftJIS,
	"sjis": japanese.ShiftJIS, "shift-jis": japanese.ShiftJIS, "x-sjis": japanese.ShiftJIS, "windows-31j": japanese.ShiftJIS,
	"ms_kanji": japanese.ShiftJIS,
	"eucjp":    japanese.EUCJP, "euc_jp": japanese.EUCJP, "x-euc-jp": japanese.EUCJP, "ujis": japanese.EUCJP,
	"iso-2022-jp-1": japanese.ISO2022JP, "iso-2022-jp-2": japanese.ISO2022JP, "iso-2022-jp-3": japanese.ISO2022JP,
	"iso-2022-jp-ms": japanese.ISO2022JP,
	"cp50220":        japanese.ISO2022JP, "cp50221": japanese.ISO2022JP, "cp50222": japanese.ISO2022JP, "jis": japanese.ISO2022JP,
	"gb2312": simplifiedchinese.GB18030, "gb_2312-80": simplifiedchinese.GB18030, "gbk": simplifiedchinese.GB18030,
	"cp936": simplifiedchinese.GB18030,
	"ms936": simplifiedchinese.GB18030, "x-gbk": simplifiedchinese.GB18030, "euc-cn": simplifiedchinese.GB18030,
	"windows-936": simplifiedchinese.GB18030,
	"hz-gb-2312":  simplifiedchinese.HZGB2312, "hz": simplifiedchinese.HZGB2312,
	"big-5": traditionalchinese.Big5, "cp950": traditionalchinese.Big5, "big5-hkscs": traditionalchinese.Big5,
	"x-big5": traditionalchinese.Big5,
	"cp874":  charmap.Windows874, "windows-874": charmap.Windows874, "tis-620": charmap.Windows874, "tis620": charmap.Windows874,
	"iso-8859-11": charmap.Windows874, "cp-1252": charmap.Windows1252, "ansi": charmap.Windows1252, "cp850": charmap.CodePage850,
	"cp437":  charmap.CodePage437,
	"utf-32": utf32.UTF32(utf32.BigEndian, utf32.UseBOM), "utf-32le": utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM),
	"utf-32be": utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), "utf-16": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
}

// vague names say nothing of the bytes, or are given to anything.
var vague = map[string]bool{"": true, "us-ascii": true, "ascii": true, "unknown-8bit": true, "unknown": true, "x-unknown": true,
	"default":         true,
	"default_charset": true, "8bit": true, "binary": true, "x-user-defined": true, "iso-8859-1": true, "latin1": true, "windows-1252": true}

// decode makes UTF-8 of bytes that are said to be in a charset. Names lie: bytes
// that are not what they are called are read as what they can be, UTF-8 first.
// It never fails; what cannot be read becomes U+FFFD, and that is told.
func (p *parser) decode(charset string, b []byte) string {
	name := strings.ToLower(strings.Trim(strings.TrimSpace(charset), `"'`))
	text, ok := p.named(name, b)
	if !ok {
		p.problem("bytes are not in the charset that they are said to be in")
	}
	return text
}

func (p *parser) named(name string, b []byte) (text string, ok bool) {
	switch name {
	case "utf-8", "utf8", "unicode-1-1-utf-8":
		if utf8.Valid(b) {
			return string(b), true
		}
		return p.guess(b), false
	case "iso-2022-kr", "csiso2022kr":
		return iso2022kr(b), true
	case "utf-7", "unicode-1-1-utf-7":
		return utf7(b), true
	}
	if vague[name] {
		if plain(b) {
			return string(b), true
		}
		return p.unnamed(name, b), true
	}
	enc := wild[name]
	if enc == nil {
		enc, _ = htmlindex.Get(name) // nil for a name that nobody knows
	}
	if enc == nil || enc == encoding.Replacement {
		return p.guess(b), plain(b)
	}
	text, clean := convert(enc, b)
	if !clean && utf8.Valid(b) && !plain(b) {
		return string(b), false
	}
	return text, clean
}

// unnamed reads bytes whose charset nobody told, or only by a name that is
// given to anything.
func (p *parser) unnamed(name string, b []byte) string {
	western := name == "iso-8859-1" || name == "latin1" || name == "windows-1252"
	if utf8.Valid(b) && !bytes.Contains(b, []byte("\x1B$")) || !western {
		return p.guess(b)
	}
	text, _ := convert(charmap.Windows1252, b)
	return text
}

// guess tries what bytes can be, the likely first.
func (p *parser) guess(b []byte) string {
	switch {
	case bytes.Contains(b, []byte("\x1B$)C")):
		return iso2022kr(b)
	case bytes.Contains(b, []byte("\x1B$")) || bytes.Contains(b, []byte("\x1B(J")):
		text, _ := convert(japanese.ISO2022JP, b)
		return text
	case utf8.Valid(b):
		return string(b)
	}
	for _, name := range []string{p.hint, p.o.Charset, "shift_jis", "gb18030", "big5"} {
		enc := wild[name]
		if enc == nil {
			enc, _ = htmlindex.Get(name)
		}
		if enc == nil || enc == encoding.Replacement || name == "utf-8" {
			continue
		}
		if text, clean := convert(enc, b); clean {
			return text
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// convert decodes, and says whether everything could be read.
func convert(enc encoding.Encoding, b []byte) (string, bool) {
	text, err := enc.NewDecoder().Bytes(b)
	s := string(text)
	return s, err == nil && !strings.ContainsRune(s, utf8.RuneError)
}

// plain says that there are neither high bytes nor escapes.
func plain(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || c == 0x1B || c == 0x0E {
			return false
		}
	}
	return true
}

// iso2022kr decodes what no library does: between SO and SI two bytes are one
// of KS X 1001. A line begins in ASCII.
func iso2022kr(b []byte) string {
	b = bytes.ReplaceAll(b, []byte("\x1B$)C"), nil)
	out := make([]byte, 0, len(b))
	shifted := false
	for _, c := range b {
		switch {
		case c == 0x0E:
			shifted = true
		case c == 0x0F:
			shifted = false
		case c == '\n' || c == '\r':
			shifted = false
			out = append(out, c)
		case shifted && c > ' ' && c < 0x7F:
			out = append(out, c|0x80)
		default:
			out = append(out, c)
		}
	}
	text, _ := convert(korean.EUCKR, out)
	return text
}

// utf7 decodes RFC 2152, which some old clients still send.
func utf7(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		at := bytes.IndexByte(b, '+')
		if at < 0 {
			break
		}
		out.Write(b[:at])
		b = b[at+1:]
		end := 0
		for end < len(b) && (b[end] >= 'A' && b[end] <= 'Z' || b[end] >= 'a' && b[end] <= 'z' || b[end] >= '0' && b[end] <= '9' ||
			b[end] == '+' || b[end] == '/') {
			end++
		}
		raw, _ := base64.RawStdEncoding.DecodeString(string(b[:end])) // only letters of the alphabet are in it
		units := make([]uint16, 0, len(raw)/2)
		for i := 0; i+1 < len(raw); i += 2 {
			units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
		}
		if end == 0 {
			out.WriteByte('+')
		}
		out.WriteString(string(utf16.Decode(units)))
		if b = b[end:]; len(b) > 0 && b[0] == '-' {
			b = b[1:]
		}
	}
	out.Write(b)
	return out.String()
}

var namedCharset = regexp.MustCompile(`(?i)charset\s*=\s*"?([A-Za-z0-9_.:+-]{1,40})`)

// charsetHint is the first charset that the mail names anywhere near its top:
// raw bytes in its header are usually in it.
func charsetHint(h header, body []byte) string {
	if m := namedCharset.FindStringSubmatch(h.get("Content-Type")); m != nil {
		return strings.ToLower(m[1])
	}
	if m := namedCharset.FindSubmatch(body[:min(len(body), 4096)]); m != nil {
		return strings.ToLower(string(m[1]))
	}
	return ""
}
