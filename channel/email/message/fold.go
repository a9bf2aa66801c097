package message

import (
	"regexp"
	"strings"
)

// introducer begins what is quoted: "On … wrote:" of the usual clients. It is
// held against up to three lines that are joined, since clients break it.
var introducer = regexp.MustCompile(`(?i)^(` + strings.Join([]string{
	`on .{6,300}\bwrote ?:`,
	`.{0,200}(님이|님께서|이|가) ?(작성|쓴 ?글|보낸 ?메일|썼습니다|작성했습니다|작성하였습니다|쓰신 글).{0,10}:?`,
	`20\d\d[년./-].{4,200}(작성|썼습니다|쓴 ?글|보냄) ?:`,
	`20\d\d[년./-].{4,200}<[^>]+@[^>]+>.{0,20}:`,
	`.{0,200}(さん|様|氏)?(は|が)(書きました|次のように書きました|書いた|書かれました).{0,5}[:：]?`,
	`20\d\d年.{4,200}<[^>]+@[^>]+>.{0,20}[:：]`,
	`20\d\d年.{4,100}(のメール|からのメール)[:：]`,
	`.{0,250}(เขียนว่า|ได้เขียน|เขียน) ?:`,
	`(เมื่อ|ใน|ณ) ?(วัน)?.{4,250}(เขียนว่า|เขียน) ?:`,
	`am .{6,300} schrieb.{0,200}:`, `le .{6,300} a écrit ?:`, `el .{6,300} escribió ?:`,
}, "|") + `)\s*$`)

// separator stands above the quoted mail in clients that do not indent it.
var separator = regexp.MustCompile(`(?i)^\s*(-{2,}|_{2,}|={2,})\s*(original (message|mail)|reply message|original e-?mail|원본 ?(메시지|메일|글)|` +
	`원문 ?메일?|` +
	`original message|元のメッセージ|オリジナルメッセージ|元のメール|ข้อความต้นฉบับ|ข้อความเดิม|ursprüngliche nachricht|message d'origine)\s*(-{2,}|_{2,}|` +
	`={2,})?\s*$`)

var rule = regexp.MustCompile(`^\s*(_{10,}|-{20,})\s*$`)

// Lines of the header that Outlook and its like put above what they quote.
var (
	headFrom = regexp.MustCompile(`(?i)^[\s*>]*(from|보낸 ?사람|보낸이|발신자|差出人|送信者|จาก|von|de|发件人)\s*\*?\s*[:：]`)
	headRest = regexp.MustCompile(`(?i)^[\s*>]*(sent|date|to|cc|subject|보낸 ?날짜|보낸 ?시간|날짜|받는 ?사람|참조|제목|送信日時|日時|宛先|件名|ส่ง|ส่งเมื่อ|วันที่|` +
		`ถึง|เรื่อง|` + `gesendet|an|betreff|envoyé|à|objet|发送时间|收件人|主题)\s*\*?\s*[:：]`)
)

var forwarded = regexp.MustCompile(`(?i)(forwarded message|begin forwarded|전달된 메(시지|일)|転送(された)?メッセージ|ข้อความที่ส่งต่อ|fwd message)`)

var mobile = regexp.MustCompile(`(?i)^\s*(` + strings.Join([]string{
	`sent from (my |the )?(iphone|ipad|galaxy|samsung|android|mobile|blackberry|yahoo mail|outlook|mail for windows|proton).{0,60}`,
	`get outlook for (ios|android).{0,80}`, `나의 (iphone|ipad)에서 보냄`, `내 (galaxy|iphone).{0,20}에서 보냄`,
	`.{0,30}(iphone|galaxy|갤럭시|스마트폰|휴대폰).{0,10}에서 보(냄|냈습니다).{0,5}`,
	`(ios|android)용 outlook.{0,60}`, `.{0,30}(iphone|ipad|galaxy|スマートフォン|携帯|android).{0,10}(から|より)送信.{0,5}`,
	`(ios|android) ?版 ?outlook.{0,60}`,
	`ส่งจาก.{0,60}`, `(네이버|naver|daum|다음) ?메일 ?앱?에서 (보냄|작성).{0,20}`, `von meinem .{0,30} gesendet`, `envoyé de mon .{0,30}`,
}, "|") + `)\.?\s*$`)

// lines knows where each line of a text begins.
type lines struct {
	text string
	at   []int // starts; one more for the end
}

func cut(text string) lines {
	l := lines{text: text, at: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			l.at = append(l.at, i+1)
		}
	}
	if l.at[len(l.at)-1] != len(text) {
		l.at = append(l.at, len(text))
	}
	return l
}

func (l lines) n() int              { return len(l.at) - 1 }
func (l lines) line(i int) string   { return strings.TrimRight(l.text[l.at[i]:l.at[i+1]], "\n") }
func (l lines) blank(i int) bool    { return strings.TrimSpace(l.line(i)) == "" }
func (l lines) isQuoted(i int) bool { return strings.HasPrefix(strings.TrimLeft(l.line(i), " "), ">") }

// fold finds what is quoted and what is a signature. What stands between quoted
// lines is an answer to them and stays, with what it answers; and of a mail that
// is nothing but quoted, nothing is folded.
func fold(text string) []Fold {
	l := cut(text)
	if l.n() < 1 || l.n() > 20000 {
		return nil
	}
	end := l.n() // where the part that is not folded ends
	var folds []Fold
	for i := 0; i < end; i++ {
		if line := l.line(i); len(line) < 120 && forwarded.MatchString(line) {
			break // what is forwarded is what the mail is about
		}
		length := l.quoteAt(i)
		if length == 0 {
			continue
		}
		stop := l.quoteEnd(i, length)
		if !l.said(0, i) && stop >= end { // nothing else is said
			continue
		}
		if l.said(stop, end) && l.interleaved(stop) && l.quoteAt(l.next(stop)) == 0 {
			break
		}
		folds = append(folds, Fold{l.at[i], l.at[stop] - l.at[i], Quoted})
		if stop >= end {
			end = i
			break
		}
		i = stop - 1
	}
	return l.withSignature(folds, end)
}

// next is the first line from i on that is not blank; the last line where all are.
func (l lines) next(i int) int {
	for i < l.n()-1 && l.blank(i) {
		i++
	}
	return min(i, l.n()-1)
}

// quoteAt tells how many lines introduce a quotation at line i; 0: none.
func (l lines) quoteAt(i int) int {
	line := l.line(i)
	if len(line) > 600 || l.blank(i) {
		return 0
	}
	if separator.MatchString(line) || l.headerAt(i) {
		return 1
	}
	if rule.MatchString(line) && i+1 < l.n() && (l.headerAt(i+1) || i+2 < l.n() && l.blank(i+1) && l.headerAt(i+2)) {
		return 1
	}
	if l.isQuoted(i) {
		return 1
	}
	joined := strings.TrimSpace(line)
	for n := 1; n <= 3 && i+n-1 < l.n(); n++ {
		if n > 1 {
			if l.blank(i+n-1) || l.isQuoted(i+n-1) || len(joined) > 600 {
				return 0
			}
			joined += " " + strings.TrimSpace(l.line(i+n-1))
		}
		if endsIntroduction(joined) && introducer.MatchString(joined) && l.introduces(joined) {
			return n
		}
	}
	return 0
}

// endsIntroduction is a cheap look before the expensive one.
func endsIntroduction(line string) bool {
	return strings.HasSuffix(line, ":") || strings.HasSuffix(line, "：") || strings.Contains(line, "님이") || strings.Contains(line, "書")
}

// introduces asks more of a line than its last word: a date, an address or a
// person, so that "She wrote:" in a sentence stays.
func (l lines) introduces(line string) bool {
	return strings.ContainsAny(line, "@0123456789") || strings.Contains(line, "님이") || strings.Contains(line, "さん")
}

// headerAt says that a quoted mail's header begins here.
func (l lines) headerAt(i int) bool {
	if !headFrom.MatchString(l.line(i)) {
		return false
	}
	found := 0
	for n := i + 1; n < min(i+7, l.n()); n++ {
		if headRest.MatchString(l.line(n)) {
			found++
		}
	}
	return found >= 2
}

// quoteEnd tells where the quotation ends that begins at line i: after its lines
// behind ">" if it has such, else at the end of the mail.
func (l lines) quoteEnd(i, length int) int {
	first := i + length
	if l.isQuoted(i) {
		first = i
	}
	for first < l.n() && l.blank(first) {
		first++
	}
	if first >= l.n() || !l.isQuoted(first) {
		return l.n()
	}
	last := first
	for n := first; n < l.n(); n++ {
		switch {
		case l.isQuoted(n):
			last = n
		case !l.blank(n):
			return last + 1
		}
	}
	return l.n()
}

// interleaved says that more quotations follow the text after line i.
func (l lines) interleaved(i int) bool {
	for n := i; n < l.n(); n++ {
		if l.isQuoted(n) {
			return true
		}
	}
	return false
}

// said reports whether somebody says something between the lines.
func (l lines) said(from, to int) bool {
	for n := from; n < to; n++ {
		if !l.blank(n) && !l.isQuoted(n) {
			return true
		}
	}
	return false
}

// maxSignature is how many lines a signature has at most; what is longer after
// a "--" is text.
const maxSignature = 15

// withSignature folds the signature at the end of the part before line end. A
// mail that is nothing else keeps it.
func (l lines) withSignature(folds []Fold, end int) []Fold {
	from := 0
	if len(folds) > 0 && end == l.n() { // the answer stands below what it quotes
		last := folds[len(folds)-1]
		for from < end && l.at[from] < last.Start+last.Length {
			from++
		}
	}
	last := end
	for last > from && l.blank(last-1) {
		last--
	}
	at := -1
	for n := last - 1; n >= max(from, last-maxSignature); n-- {
		if line := l.line(n); line == "-- " || line == "--" || line == "—" {
			at = n
			break
		}
	}
	if at < 0 {
		for n := last - 1; n >= from && mobile.MatchString(l.line(n)); n-- {
			at = n
		}
	}
	if at < 0 || at >= last || !l.said(from, at) {
		return folds
	}
	sign := Fold{l.at[at], l.at[end] - l.at[at], Signature}
	for i, f := range folds {
		if f.Start > sign.Start {
			return append(folds[:i:i], append([]Fold{sign}, folds[i:]...)...)
		}
	}
	return append(folds, sign)
}

// Visible is the text without its folds.
func (m Mail) Visible() string {
	var out strings.Builder
	at := 0
	for _, f := range m.Folds {
		out.WriteString(m.Text[at:f.Start])
		at = f.Start + f.Length
	}
	out.WriteString(m.Text[at:])
	return strings.TrimSpace(out.String())
}
