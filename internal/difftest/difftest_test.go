package difftest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"

	"github.com/sangdam/sangdam/channel/email/message"
)

// corpus has the library's own tests write every mail that they read.
func corpus(t *testing.T) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "./channel/email/message")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "SANGDAM_MAIL_CORPUS="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the corpus could not be made: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) < 200 {
		t.Fatalf("the corpus has %d mails, %v", len(files), err)
	}
	mails := map[string][]byte{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		mails[filepath.Base(f)] = raw
	}
	return mails
}

// reading is what both parsers say of a mail, in the same words.
type reading map[string]string

var spaces = regexp.MustCompile(`\s+`)

func flat(s string) string { return strings.TrimSpace(spaces.ReplaceAllString(s, " ")) }

func ours(raw []byte) reading {
	m := message.Parse(raw, message.Options{})
	r := reading{"subject": flat(m.Subject), "from": flat(m.From.Name) + " <" + strings.ToLower(m.From.Addr) + ">", "text": flat(m.Text)}
	var to, files []string
	for _, a := range m.To {
		to = append(to, strings.ToLower(a.Addr))
	}
	for _, f := range m.Files {
		files = append(files, fmt.Sprintf("%s:%d", f.Name, len(f.Data)))
	}
	slices.Sort(files)
	r["to"], r["files"] = strings.Join(to, ","), strings.Join(files, ",")
	return r
}

func theirs(raw []byte) (r reading) {
	defer func() {
		if p := recover(); p != nil {
			r = reading{"error": fmt.Sprint("it panicked: ", p)}
		}
	}()
	e, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return reading{"error": err.Error()}
	}
	r = reading{"subject": flat(e.GetHeader("Subject")), "text": flat(e.Text)}
	from, to, files := " <>", []string(nil), []string(nil)
	if list, err := e.AddressList("From"); err == nil && len(list) > 0 {
		from = flat(list[0].Name) + " <" + strings.ToLower(list[0].Address) + ">"
	}
	if list, err := e.AddressList("To"); err == nil {
		for _, a := range list {
			to = append(to, strings.ToLower(a.Address))
		}
	}
	for _, p := range slices.Concat(e.Attachments, e.Inlines, e.OtherParts) {
		files = append(files, fmt.Sprintf("%s:%d", p.FileName, len(p.Content)))
	}
	slices.Sort(files)
	r["from"], r["to"], r["files"] = from, strings.Join(to, ","), strings.Join(files, ",")
	return r
}

// difference is a member that the two say differently.
type difference struct {
	field, ours, theirs string
	raw                 []byte
}

func (d difference) holds(text string) bool { return bytes.Contains(d.raw, []byte(text)) }

func (d difference) is(fields ...string) bool { return slices.Contains(fields, d.field) }

var twoWords = regexp.MustCompile(`\?=\s+=\?`)

// explained are all differences there are, each with why ours is meant so. One that
// no row explains fails the test, and so does a row that explains nothing.
var explained = []struct {
	why  string
	when func(difference) bool
}{
	{"it refuses what a person can read: a header without its end, an mbox line, a multipart without a boundary", func(d difference) bool {
		return d.is("error")
	}},
	{"bytes without a charset, under one that it does not know, or under a name that lies, stay bytes; ours finds what they are",
		func(d difference) bool { return !utf8.ValidString(d.theirs) && utf8.ValidString(d.ours) }},
	{"an encoded word of a charset that it does not know stays one", func(d difference) bool {
		return d.is("subject", "from") && strings.Contains(d.theirs, "=?")
	}},
	{"ISO-2022 outside of encoded words, or under another name, stays escape sequences", func(d difference) bool {
		return strings.ContainsAny(d.theirs, "\x1B\x0E\x0F")
	}},
	{"ISO-2022-KR it does not know; ours reads it, as old Korean servers write it", func(d difference) bool {
		return d.theirs == "\uFFFD" && (d.holds("iso-2022-kr") || d.holds("csISO2022KR"))
	}},
	{"UTF-8 under the name of another charset is read by that name; ours sees that it is UTF-8", func(d difference) bool {
		return d.is("text", "subject", "from") && (d.holds("charset=euc-kr") || d.holds("charset=us-ascii") ||
			d.holds("charset=iso-8859-1") ||
			d.holds("=?euc-kr?") || d.holds("=?us-ascii?") || d.holds("=?iso-8859-1?")) && utf8.ValidString(d.theirs)
	}},
	{"a character that is cut between two encoded words is decoded in halves; ours puts the words together", func(d difference) bool {
		return d.is("subject", "from") && twoWords.Match(d.raw)
	}},
	{"the first line is not a field, or holds a byte order mark; its header is lost to it", func(d difference) bool {
		return d.is("subject", "from", "text") && (d.holds("this is no field") || d.holds("\uFEFF") || d.holds("Subject: x\r\nhello there"))
	}},
	{"a part without a type is plain text by RFC 2045, 5.2; it makes a file of it", func(d difference) bool {
		return d.is("text", "files") && regexp.MustCompile("(?m)^--b{1,2}\r\n\r\n").Match(d.raw)
	}},
	{"what has no name gets one, and paths and marks that turn text around are taken out of names", func(d difference) bool {
		return d.is("files") && (strings.HasPrefix(d.theirs, ":") || strings.Contains(d.theirs, ",:") || strings.Contains(d.theirs,
			"../") ||
			strings.Contains(d.theirs, "\u202E"))
	}},
	{"HTML is made text with marks of its own, and a quotation as mails have it", func(d difference) bool {
		return d.is("text") && d.holds("text/html")
	}},
	{"a multipart whose boundary never comes is read as text", func(d difference) bool {
		return d.is("text", "files") && d.holds("boundary=zzz")
	}},
	{"what no reader sees (NUL) is left out", func(d difference) bool { return strings.Contains(d.theirs, "\x00") }},
	{"a text that flows (RFC 3676), an unknown encoding or damaged base64 is read as far as it goes", func(d difference) bool {
		return d.is("text", "files") && (d.holds("format=flowed") || d.holds("Transfer-Encoding:") || d.holds("Content-Type: text\r\n") ||
			d.holds("Content-Type: ;"))
	}},
}

// leftOut are mails that are made to cost: their bounds are tested where they are
// made, and enmime has none for them.
func leftOut(name string) bool { return strings.Contains(name, "Bounded") }

// Every mail of the corpus is read by both, and where they differ it is known why.
func TestDifferencesAreExplained(t *testing.T) {
	used, same, differ := make([]int, len(explained)), 0, 0
	for name, raw := range corpus(t) {
		if leftOut(name) {
			continue
		}
		a, b := ours(raw), theirs(raw)
		if b["error"] != "" {
			a["error"] = ""
		}
		equal := true
		for field, theirs := range b {
			d := difference{field: field, ours: a[field], theirs: theirs, raw: raw}
			if d.ours == d.theirs {
				continue
			}
			equal = false
			row := slices.IndexFunc(explained, func(r struct {
				why  string
				when func(difference) bool
			}) bool {
				return r.when(d)
			})
			if row < 0 {
				t.Errorf("%s: %s is %q, and enmime says %q", name, field, d.ours, d.theirs)
				continue
			}
			used[row]++
		}
		if equal {
			same++
		} else {
			differ++
		}
	}
	for i, n := range used {
		if n == 0 {
			t.Errorf("nothing differs any more because: %s", explained[i].why)
		}
	}
	t.Logf("%d mails are read alike, %d differ as explained: %v", same, differ, used)
}
