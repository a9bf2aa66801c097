package message

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	jp "golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

// The corpus: every case is a mail that is made here, with what it must say.

const (
	hangul   = "안녕하세요, 주문한 상품이 똠방각하 펲시콜라입니다."
	jaText   = "こんにちは、荷物が届きません。①㈱髙"
	zhText   = "您好，我的包裹还没有到。"
	twText   = "您好，我的包裹還沒有到。"
	thai     = "สวัสดีค่ะ สินค้ายังไม่มา"
	western  = "Grüße, le café coûte 5"
	plainKS  = "안녕하세요, 배송 문의입니다." // of KS X 1001 alone
	plainJIS = "こんにちは、荷物が届きません。"
)

var corpusCharsets = []struct {
	label string
	enc   encoding.Encoding // nil: UTF-8
	text  string
}{
	{"ks_c_5601-1987", korean.EUCKR, hangul}, {"cp949", korean.EUCKR, hangul}, {"ms949", korean.EUCKR, hangul}, {"x-windows-949",
		korean.EUCKR, hangul},
	{"windows-949", korean.EUCKR, hangul}, {"uhc", korean.EUCKR, hangul}, {"euc-kr", korean.EUCKR, hangul},
	{"euc_kr", korean.EUCKR, hangul},
	{"ks_c_5601", korean.EUCKR, hangul}, {"ks_c_5601_1987", korean.EUCKR, hangul}, {"KSC5601", korean.EUCKR, hangul},
	{"utf-8", nil, hangul}, {"UTF8", nil, jaText}, {"shift_jis", japanese2, jaText}, {"cp932", japanese2, jaText}, {"windows-31j",
		japanese2, jaText},
	{"x-sjis", japanese2, jaText}, {"euc-jp", japaneseEUC, plainJIS}, {"x-euc-jp", japaneseEUC, plainJIS}, {"iso-2022-jp", japaneseISO,
		plainJIS},
	{"iso-2022-jp-2", japaneseISO, plainJIS}, {"iso-2022-jp-ms", japaneseISO, plainJIS}, {"cp50220", japaneseISO, plainJIS},
	{"gb18030", simplifiedchinese.GB18030, zhText}, {"gb2312", simplifiedchinese.GB18030, zhText}, {"gbk", simplifiedchinese.GBK, zhText},
	{"big5", traditionalchinese.Big5, twText}, {"big5-hkscs", traditionalchinese.Big5, twText}, {"tis-620", charmap.Windows874, thai},
	{"windows-874", charmap.Windows874, thai}, {"iso-8859-1", charmap.ISO8859_1, western}, {"cp-1252", charmap.Windows1252, western},
	{"utf-16le", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), hangul}, {"iso-2022-kr", iso2022krTest{}, plainKS},
	{"csISO2022KR", iso2022krTest{}, plainKS},
	// Names that lie.
	{"us-ascii", nil, hangul}, {"iso-8859-1", nil, hangul}, {"unknown-8bit", korean.EUCKR, hangul}, {"x-unknown", nil, jaText},
	{"utf-8", korean.EUCKR, hangul},
	{"euc-kr", nil, hangul}, {"no-such-charset", nil, hangul}, {"default", korean.EUCKR, hangul}, {"us-ascii", japaneseISO, plainJIS},
	{"", japaneseISO, plainJIS},
	{"", korean.EUCKR, hangul}, {"", iso2022krTest{}, plainKS},
}

var japanese2, japaneseEUC, japaneseISO encoding.Encoding = jp.ShiftJIS, jp.EUCJP, jp.ISO2022JP

// iso2022krTest encodes as old Korean servers did.
type iso2022krTest struct{ encoding.Encoding }

func encoded(enc encoding.Encoding, s string) []byte {
	if enc == nil {
		return []byte(s)
	}
	if _, is := enc.(iso2022krTest); !is {
		b, err := enc.NewEncoder().Bytes([]byte(s))
		if err != nil {
			panic(err)
		}
		return b
	}
	b, err := korean.EUCKR.NewEncoder().Bytes([]byte(s))
	if err != nil {
		panic(err)
	}
	out, shifted := []byte("\x1B$)C"), false
	for _, c := range b {
		if high := c >= 0x80; high != shifted {
			out = append(out, map[bool]byte{true: 0x0E, false: 0x0F}[high])
			shifted = high
		}
		out = append(out, c&0x7F)
	}
	return append(out, 0x0F)
}

// mails counts the corpus.
var mails int

func parse(t *testing.T, raw string, o Options) Mail {
	t.Helper()
	mails++
	mail := []byte(strings.ReplaceAll(raw, "\n", "\r\n"))
	keepMail(t, mail)
	m := Parse(mail, o)
	require.True(t, validUTF8(m.Text, m.Subject, m.HTML, m.From.Name), "everything is UTF-8")
	return m
}

// keepMail writes the mail into the directory that internal/difftest asks for, to
// read it with another parser.
func keepMail(t *testing.T, mail []byte) {
	dir := os.Getenv("SANGDAM_MAIL_CORPUS")
	if dir == "" {
		return
	}
	name := fmt.Sprintf("%s-%x.eml", strings.ReplaceAll(t.Name(), "/", "_"), sha256.Sum256(mail))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), mail, 0o600))
}

func validUTF8(all ...string) bool {
	return !slices.ContainsFunc(all, func(s string) bool { return strings.ToValidUTF8(s, "") != s })
}

func TestCharsets(t *testing.T) {
	for _, c := range corpusCharsets {
		b := encoded(c.enc, c.text)
		label := "; charset=" + c.label
		if c.label == "" {
			label = ""
		}
		utf16 := strings.HasPrefix(c.label, "utf-16")
		for _, form := range []string{"base64", "quoted-printable", "8bit"} {
			if utf16 && form != "base64" {
				continue
			}
			var body string
			switch form {
			case "base64":
				body = base64.StdEncoding.EncodeToString(b)
			case "quoted-printable":
				var q bytes.Buffer
				w := quotedprintable.NewWriter(&q)
				_, _ = w.Write(b)
				_ = w.Close()
				body = strings.ReplaceAll(q.String(), "\r\n", "\n")
			default:
				body = string(b)
			}
			subject := string(b) // raw 8 bit
			if form == "base64" && c.label != "" {
				subject = "=?" + c.label + "?B?" + body + "?="
			} else if form == "quoted-printable" && c.label != "" {
				subject = "=?" + c.label + "?Q?" + words(b) + "?="
			} else if utf16 {
				subject = ""
			}
			m := parse(t, "From: a@example.com\nSubject: "+subject+"\nContent-Type: text/plain"+label+
				"\nContent-Transfer-Encoding: "+form+"\n\n"+
				body+"\n", Options{})
			require.Equal(t, c.text, strings.TrimSpace(m.Text), "%s %s", c.label, form)
			require.Equal(t, c.text, m.Subject, "%s %s in the header", c.label, form)
		}
	}
}

func words(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, "=%02X", c)
	}
	return s.String()
}

// A character that is cut between two encoded words is whole again.
func TestWordsThatAreCutInACharacter(t *testing.T) {
	for _, c := range corpusCharsets {
		if c.label == "" || strings.HasPrefix(c.label, "utf-16") || strings.HasPrefix(strings.ToLower(c.label),
			"iso-2022") || strings.HasPrefix(strings.ToLower(c.label), "csiso") ||
			strings.HasPrefix(c.label, "cp5022") || c.enc == japaneseISO {
			continue // these begin each word anew
		}
		b := encoded(c.enc, c.text)
		at := len(b)/2 | 1
		for _, glue := range []string{"\n ", " ", "\n\t"} {
			subject := "=?" + c.label + "?B?" + base64.StdEncoding.EncodeToString(b[:at]) + "?=" + glue + "=?" + c.label +
				"?Q?" + words(b[at:]) + "?="
			m := parse(t, "From: =?"+c.label+"?Q?"+words(b[:1])+"?="+glue+"=?"+c.label+"?Q?"+words(b[1:])+
				"?= <a@example.com>\nSubject: "+subject+
				"\n\nx\n", Options{})
			require.Equal(t, c.text, m.Subject, c.label)
			require.Equal(t, c.text, m.From.Name, c.label)
		}
	}
}

// sections reads "=== name" and what stands below it.
func sections(t *testing.T, file string) [][2]string {
	raw, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	var out [][2]string
	for _, s := range strings.Split("\n"+string(raw), "\n=== ")[1:] {
		name, body, _ := strings.Cut(s, "\n")
		out = append(out, [2]string{name, body})
	}
	return out
}

// What is quoted and what is a signature is folded, in four languages and the
// usual clients; the original is there as a whole.
func TestRepliesAreFolded(t *testing.T) {
	for _, s := range sections(t, "replies.txt") {
		name, body := s[0], s[1]
		parts := strings.Split(body, "\n---\n")
		if rest, starts := strings.CutPrefix(body, "---\n"); starts {
			parts = append([]string{""}, strings.Split(rest, "\n---\n")...)
		}
		visible := parts[0]
		if len(parts) == 3 {
			visible = parts[2]
		}
		whole := strings.Trim(strings.Join(parts, "\n\n"), "\n")
		m := parse(t, "From: a@example.com\nContent-Type: text/plain; charset=utf-8\n\n"+whole+"\n", Options{})
		require.Equal(t, strings.TrimSpace(visible), m.Visible(), name)
		require.Equal(t, whole, m.Text, "%s: the original is kept", name)
		for i, f := range m.Folds {
			require.True(t, f.Length > 0 && f.Start+f.Length <= len(m.Text) &&
				(i == 0 || f.Start >= m.Folds[i-1].Start+m.Folds[i-1].Length), name)
		}
	}
}

// The same out of HTML, where a quotation is an element.
func TestQuotationsInHTMLAreFolded(t *testing.T) {
	for name, c := range map[string][2]string{
		"gmail": {`<div dir="ltr">Thanks &amp; bye</div><br><div class="gmail_quote"><div class="gmail_attr">On Sun, Mar 1, 2026 at ` +
			`10:00 AM Shop &lt;<a href="mailto:h@shop.example">h@shop.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote">` +
			`<div>Please restart.</div></blockquote></div>`, "Thanks & bye"},
		"gmail ko": {`<div>감사합니다</div><div class="gmail_quote"><div>2026년 3월 1일 (일) 오전 10:00, 상담 센터 &lt;h@shop.example&gt;님이 작성:<br>` +
			`</div><blockquote>다시 시작</blockquote></div>`, "감사합니다"},
		"outlook": {`<p>See below</p><hr><div><p><b>From:</b> Shop &lt;h@shop.example&gt;<br><b>Sent:</b> Sunday<br><b>To:</b> ` +
			`Mina<br><b>Subject:</b> RE: order</p></div><p>Please restart.</p>`, "See below"},
		"outlook ko": {`<p>확인</p><div><b>보낸 사람:</b> 상담<br><b>보낸 날짜:</b> 일요일<br><b>받는 사람:</b> 민아<br><b>제목:</b> 주문</div><p>다시 시작</p>`, "확인"},
		"apple ja": {`<div>大丈夫です</div><div><br><blockquote type="cite"><div>2026年3月1日 10:00、サポート &lt;h@shop.example&gt;のメール：</div><div>` +
			`再起動</div></blockquote></div>`, "大丈夫です"},
		"plain": {`<p>One</p><ul><li>a</li><li>b</li></ul><script>evil()</script><style>p{}</style>`, "One\n- a\n- b"},
	} {
		m := parse(t, "From: a@example.com\nContent-Type: text/html; charset=utf-8\n\n"+c[0]+"\n", Options{})
		require.Equal(t, c[1], m.Visible(), name)
	}
}

func TestBouncesAreRecognised(t *testing.T) {
	for _, s := range sections(t, "bounces.txt") {
		var want [6]string
		for i, w := range strings.Split(s[0], "|") {
			want[i] = strings.TrimSpace(w)
		}
		m := parse(t, s[1], Options{Own: []string{"help@shop.example"}})
		require.Equal(t, want[1], string(m.Kind), want[0])
		if want[2] == "" {
			require.Nil(t, m.Bounce, want[0])
			continue
		}
		require.Equal(t, Bounce{Cause: Cause(want[2]), Status: want[3], Original: want[4], Recipient: want[5]}, *m.Bounce, want[0])
	}
}

func TestMachinesAreRecognised(t *testing.T) {
	for lines, want := range map[string]Kind{
		"Auto-Submitted: auto-replied": KindAutomatic, "Auto-Submitted: auto-generated": KindAutomatic,
		"auto-submitted: auto-replied (vacation)": KindAutomatic,
		"Auto-Submitted: no":                      KindPerson, "Precedence: bulk": KindList, "Precedence: junk": KindAutomatic,
		"Precedence: list":        KindList,
		"Precedence: auto_reply":  KindAutomatic,
		"Precedence: first-class": KindPerson, "X-Autoreply: yes": KindAutomatic, "X-Autorespond: hello": KindAutomatic,
		"X-Auto-Response-Suppress: All": KindAutomatic,
		"List-Id: <news.example.com>":   KindList, "List-Unsubscribe: <mailto:u@example.com>": KindList, "X-Loop: x": KindAutomatic,
		"Return-Path: <>":     KindAutomatic,
		"X-Sangdam-Loop: abc": KindLoop, "Subject: Automatic reply: order": KindAutomatic, "Subject: Out of Office": KindAutomatic,
		"Subject: Automation of orders":                 KindPerson,
		"Subject: =?utf-8?B?67aA7J6s7KSRIOyVjOumvA==?=": KindAutomatic, "Subject: 부재중입니다": KindAutomatic,
		"Subject: 자동응답: 문의": KindAutomatic,
		"Subject: 自動応答":     KindAutomatic, "Subject: 不在通知": KindAutomatic, "Subject: ตอบกลับอัตโนมัติ": KindAutomatic,
		"Subject: Re: order": KindPerson, "": KindPerson,
		"Received: a\n" + strings.Repeat("Received: by x\n", 60) + "X-A: b": KindLoop,
	} {
		m := parse(t, "From: Mina <mina@example.com>\n"+lines+"\n\nhello\n", Options{Own: []string{"help@shop.example"}})
		require.Equal(t, want, m.Kind, lines)
		require.Equal(t, want == KindPerson, m.Why == "", lines)
	}
	for from, want := range map[string]Kind{"no-reply@example.com": KindAutomatic, "NoReply@example.com": KindAutomatic,
		"do-not-reply@example.com":  KindAutomatic,
		"MAILER-DAEMON@example.com": KindAutomatic, "bounce+x@example.com": KindAutomatic, "orders-noreply@example.com": KindAutomatic,
		"Help@Shop.example":          KindLoop,
		"norepinephrine@example.com": KindPerson, "postman@example.com": KindPerson} {
		require.Equal(t, want, parse(t, "From: "+from+"\n\nhello\n", Options{Own: []string{"help@shop.example"}}).Kind, from)
	}
}

// Only the topmost word of the host's own server counts.
func TestSpoofedSendersAreNotVerified(t *testing.T) {
	own := Options{AuthServers: []string{"mx.shop.example"}}
	for lines, want := range map[string][2]bool{
		"Authentication-Results: mx.shop.example; dmarc=pass header.from=example.com":                                 {true, true},
		"Authentication-Results: MX.shop.example; dmarc=pass (p=none) header.from=example.com":                        {true, true},
		"Authentication-Results: mx.shop.example; dmarc=fail header.from=example.com; dkim=pass header.d=example.com": {true, false},
		"Authentication-Results: mx.shop.example; dmarc=pass header.from=other.example":                               {true, false},
		"Authentication-Results: mx.shop.example; dkim=pass header.d=mail.example.com":                                {true, true},
		"Authentication-Results: mx.shop.example; dkim=pass header.d=evil.example":                                    {true, false},
		"Authentication-Results: mx.shop.example; spf=pass smtp.mailfrom=x@example.com":                               {true, true},
		"Authentication-Results: mx.shop.example; spf=pass smtp.mailfrom=evil.example":                                {true, false},
		"Authentication-Results: mx.shop.example; none":                                                               {true, false},
		"Authentication-Results: evil.example; dmarc=pass header.from=example.com":                                    {false, false},
		"Authentication-Results: mx.shop.example.evil; dmarc=pass header.from=example.com":                            {false, false},
		"Authentication-Results: evil.example; dmarc=pass\n" +
			"Authentication-Results: mx.shop.example; dmarc=pass header.from=example.com": {false, false},
		"Authentication-Results: mx.shop.example; dmarc=fail header.from=example.com\nAuthentication-Results: mx.shop.example; " +
			"dmarc=pass header.from=example.com": {true, false},
		"Authentication-Results: mx.shop.example; dmarc=pass header.from=example.com\nFrom: other@example.org": {true, false},
		"X-Authentication-Results: mx.shop.example; dmarc=pass":                                                {false, false},
		"": {false, false},
	} {
		m := parse(t, lines+"\nFrom: Mina <mina@example.com>\n\nhello\n", own)
		require.Equal(t, want, [2]bool{m.Judged, m.Verified}, lines)
	}
	trusting := parse(t, "Authentication-Results: mx.shop.example; dmarc=pass header.from=example.com\nFrom: mina@example.com\n\nx\n",
		Options{})
	require.False(t, trusting.Verified, "without a server of the host's own nobody is believed")
}

// broken is damage and what a person can still read.
var broken = map[string]struct {
	raw   string
	text  string
	files []string
}{
	"no header":                {"hello there\nfriend\n", "hello there\nfriend", nil},
	"no empty line":            {"From: a@example.com\nSubject: x\nhello there\nfriend\n", "hello there\nfriend", nil},
	"a bad line in the header": {"From: a@example.com\nthis is no field\nSubject: x\n\nhello\n", "hello", nil},
	"an mbox line":             {"From a@example.com Sun Mar 1\nFrom: a@example.com\n\nhello\n", "hello", nil},
	"no last boundary": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: application/pdf; " +
		"name=a.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0x\n", "hello", []string{"a.pdf"}},
	"no boundary at all":           {"Content-Type: multipart/mixed; boundary=zzz\n\nhello\n", "hello", nil},
	"no boundary named":            {"Content-Type: multipart/mixed\n\nhello\n", "hello", nil},
	"an empty boundary":            {"Content-Type: multipart/mixed; boundary=\"\"\n\nhello\n", "hello", nil},
	"a wrong type":                 {"Content-Type: text\n\nhello\n", "hello", nil},
	"nonsense as type":             {"Content-Type: ;;;=\n\nhello\n", "hello", nil},
	"an unknown encoding":          {"Content-Transfer-Encoding: rot13\n\nhello\n", "hello", nil},
	"base64 with rubbish":          {"Content-Transfer-Encoding: base64\n\naGVs!!bG8=\n", "hello", nil},
	"base64 cut":                   {"Content-Transfer-Encoding: base64\n\naGVsbG\n", "hell", nil},
	"two base64 texts":             {"Content-Transfer-Encoding: base64\n\naGVsbG8=\nIHlvdQ==\n", "hello you", nil},
	"quoted-printable with errors": {"Content-Transfer-Encoding: quoted-printable\n\nhel=6Co =ZZ =\n=3\n", "hello =ZZ =3", nil},
	"an end before its time": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b--\n--b\n\nlate\n--b--\n",
		"hello", nil},
	"a nested, same boundary": {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; " +
		"boundary=bb\n\n--bb\n\nhello\n--bb--\n--b--\n", "hello", nil},
	"headerless parts": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\n\nworld\n--b--\n",
		"hello\n\nworld", nil},
	"a name without quotes": {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/pdf; name=my order " +
		"1.pdf\n\nx\n--b--\n", "", []string{"my order 1.pdf"}},
	"a name in encoded words": {"Content-Type: application/pdf; name=\"=?ks_c_5601-1987?B?wda5rg==?=.pdf\"\n\nx\n", "",
		[]string{"주문.pdf"}},
	"a name by RFC 2231": {"Content-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''%EC%A3%BC%EB%AC%B8.pdf\n\nx\n",
		"", []string{"주문.pdf"}},
	"a name in pieces": {"Content-Disposition: attachment; filename*0*=euc-kr''%C1%D6; filename*1*=%B9%AE; " +
		"filename*2=.pdf\nContent-Type: application/pdf\n\nx\n", "", []string{"주문.pdf"}},
	"a name with a path": {"Content-Disposition: attachment; filename=\"../../etc/C:\\\\x\\\\passwd\"\n\nx\n", "",
		[]string{"passwd"}},
	"a name that turns around": {"Content-Disposition: attachment; filename=\"=?utf-8?B?4oCuZ3BqLmV4ZQ==?=\"\n\nx\n", "",
		[]string{"gpj.exe"}},
	"no name": {"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBO\n", "", []string{"file-1.png"}},
	"winmail.dat": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: " +
		"application/ms-tnef\n\nx\n--b--\n", "hello", []string{"winmail.dat"}},
	"an invitation": {"Content-Type: multipart/alternative; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: text/calendar; " +
		"method=REQUEST\n\nBEGIN:VCALENDAR\n--b--\n", "hello", []string{"invitation.ics"}},
	"a mail in the mail": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: " +
		"message/rfc822\n\nSubject: in\n\ninner\n--b--\n", "hello", []string{"file-1.eml"}},
	"a signed mail": {"Content-Type: multipart/signed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: " +
		"application/pgp-signature; name=s.asc\n\nx\n--b--\n", "hello", []string{"s.asc"}},
	"text, picture, text": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: image/png; " +
		"name=p.png\n\nx\n--b\n\ntwo\n--b--\n", "one\n\ntwo", []string{"p.png"}},
	"text that is a file": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Disposition: attachment; " +
		"filename=log.txt\n\nlines\n--b--\n", "hello", []string{"log.txt"}},
	"HTML alone":              {"Content-Type: text/html\n\n<p>hello<br>you</p>\n", "hello\nyou", nil},
	"HTML that is not closed": {"Content-Type: text/html\n\n<html><head><title>x<body><div>hello<b>you\n", "", nil},
	"an empty text beside HTML": {"Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: " +
		"text/html\n\n<p>hello</p>\n--b--\n", "hello", nil},
	"flowed":            {"Content-Type: text/plain; format=flowed\n\nhello \nyou\n", "hello you", nil},
	"only a header":     {"Subject: x\n", "", nil},
	"nothing":           {"", "", nil},
	"NULs":              {"Subject: x\n\nhe\x00llo\n", "hello", nil},
	"a byte order mark": {"\xEF\xBB\xBFSubject: x\n\nhello\n", "hello", nil},
}

func TestDamagedMailsAreReadAsFarAsTheyGo(t *testing.T) {
	for name, c := range broken {
		m := parse(t, c.raw, Options{})
		require.Equal(t, c.text, strings.TrimSpace(m.Text), name)
		var files []string
		for _, f := range m.Files {
			files = append(files, f.Name)
		}
		require.Equal(t, c.files, files, name)
	}
}

// An inline picture is told from a file, by whether the HTML shows it.
func TestInlinePictures(t *testing.T) {
	m := parse(t, "Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>see <img "+
		"src=\"cid:one@x\"></p>\n--b\nContent-Type: image/png\nContent-Id: <one@x>\n\nx\n"+
		"--b\nContent-Type: image/png\nContent-Id: <two@x>\n\ny\n--b--\n", Options{})
	require.Len(t, m.Files, 2)
	require.True(t, m.Files[0].Inline)
	require.False(t, m.Files[1].Inline, "nobody would see it")
}

// No header of a mail makes a line of another, and none is too long to read.
func TestHeadersAreBounded(t *testing.T) {
	m := parse(t, "From: =?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte("Kim\r\nBcc: all@example.com"))+
		"?= <mina@example.com>\nSubject: =?utf-8?Q?a=0D=0AX-Evil:_1?=\n\nx\n", Options{})
	require.NotContains(t, m.From.Name+m.Subject, "\n")
	require.NotContains(t, m.From.Name+m.Subject, "\r")
	huge := parse(t, "From: a@example.com\nX-Pad: "+strings.Repeat("x", 10<<20)+"\nTo: "+strings.Repeat("a@example.com,",
		200000)+"\n\nhello\n", Options{})
	require.NotEmpty(t, huge.Problems)
	require.Equal(t, "hello", huge.Text)
	require.LessOrEqual(t, len(huge.To), maxAddresses)
	folded := parse(t, "From: a@example.com\nTo: x@example.com\n"+strings.Repeat(" ,(((\"\n", 100000)+"\n\nhello\n", Options{})
	require.Equal(t, "hello", folded.Text)
}

// Ten thousand parts within each other, or beside each other, cost no more than
// their bytes.
func TestNestedPartsAreBounded(t *testing.T) {
	var deep strings.Builder
	for i := range 10000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	m := parse(t, "From: a@example.com\n"+deep.String()+"\nhello\n", Options{})
	require.NotEmpty(t, m.Problems)
	wide := parse(t, "Content-Type: multipart/mixed; boundary=b\n\n"+strings.Repeat("--b\n\nx\n", 10000)+"--b--\n", Options{})
	require.NotEmpty(t, wide.Problems)
	require.LessOrEqual(t, len(wide.Files), maxParts)
}

// A mail of 25 MB is read in a few times its size, which no load changes.
func TestALargeMailIsReadInBoundedMemory(t *testing.T) {
	raw := []byte("From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee the file\r\n--b\r\n" +
		"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.Repeat(strings.Repeat("QUJD", 19)+"\r\n", 25<<20/78) + "--b--\r\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m := Parse(raw, Options{})
	runtime.ReadMemStats(&after)
	require.Len(t, m.Files, 1)
	require.Greater(t, len(m.Files[0].Data), 17<<20)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4*len(raw)))
}

// The corpus is as large as it is said to be; it runs last.
func TestZCorpusIsLarge(t *testing.T) {
	if mails == 0 {
		t.Skip("the other tests were not asked for")
	}
	require.GreaterOrEqual(t, mails, 200)
	t.Logf("%d mails", mails)
}

func TestLongIDsAreLeftOut(t *testing.T) {
	long, longer := strings.Repeat("x", longestID-2)+"@h", strings.Repeat("x", longestID)+"@h"
	require.Equal(t, []string{long, "a@h"}, ids("<"+long+"> <"+longer+"> <a@h>"))
	require.Equal(t, []string{long}, ids(long+" "+longer))
	bounced := func(id string) string {
		m := parse(t, "From: mailer-daemon@example.com\nTo: desk@example.com\nSubject: Undelivered mail\nMIME-Version: 1.0\n"+
			"Content-Type: text/plain; charset=utf-8\n\nYour mail was not delivered.\n\nThe server said 550 user unknown.\n\n"+
			"Message-Id: <"+id+">\n", Options{})
		require.NotNil(t, m.Bounce)
		return m.Bounce.Original
	}
	require.Equal(t, "a@h", bounced("a@h"))
	require.Empty(t, bounced(longer))
}
