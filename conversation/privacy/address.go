package privacy

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sangdam/sangdam/internal/fold"
)

// emails finds addresses around each @.
func (d *detector) emails() {
	for i, c := range d.cells {
		if c.r != '@' {
			continue
		}
		local := mailLocal
		if i > 0 && fold.Dense(d.cells[i-1].r) {
			local = mailWord
		}
		from := i
		for from > 0 && i-from < 64 && local(d.cells[from-1].r) {
			from--
		}
		if to := d.domain(i + 1); from < i && to > 0 {
			d.add(Email, from, to, High)
		}
	}
}

// mailLocal: what stands before an @ is in ASCII or in an alphabet. In front of
// it may stand a word of a script that is written without spaces: 메일은a@b.kr.
func mailLocal(r rune) bool {
	return isLatin(r) || isDigit(r) || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r) || alphabetic(r) && r >= 0x80 && !fold.Dense(r)
}

// mailWord: a name of such a script, 홍길동@한국.kr, reaches to the last space.
func mailWord(r rune) bool { return alphabetic(r) || isDigit(r) || strings.ContainsRune("._-+", r) }

// alphabetic reports whether r is part of a word of any script.
func alphabetic(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) }

// domain returns where a domain that begins at a cell ends, 0 if none does: the
// longest run of labels of which the last is a top level.
func (d *detector) domain(from int) (end int) {
	for at := from; at < len(d.cells) && at-from < 255; {
		to := at
		for to < len(d.cells) && (alphabetic(d.cells[to].r) || isDigit(d.cells[to].r) || d.cells[to].r == '-') {
			to++
		}
		if to == at || d.cells[at].r == '-' {
			return end
		}
		if at > from {
			if n := topLevel(d.raw(at, to)); n > 0 {
				end = at + n
			}
		}
		if to == len(d.cells) || d.cells[to].r != '.' {
			return end
		}
		at = to + 1
	}
	return end
}

// denseTops are top levels of scripts that are written without spaces, so that
// only a list tells where they end.
var denseTops = []string{
	"한국", "닷컴", "닷넷", "삼성", "みんな", "コム", "ストア", "セール", "ファッション", "クラウド", "ポイント", "グーグル", "アマゾン", "家電", "食品",
	"中国", "中國", "香港", "台灣", "台湾", "澳門", "澳门", "新加坡", "公司", "网络", "網路", "商店", "在线", "中文网", "网址", "世界",
}

// topLevel returns how many of a label's characters are a top-level domain, 0
// when it does not begin with one.
func topLevel(label string) int {
	if strings.HasPrefix(strings.ToLower(label), "xn--") && len(label) > 4 {
		return len(strings.TrimRight(strings.Map(asciiOrSpace, label), " "))
	}
	for _, top := range denseTops {
		if strings.HasPrefix(label, top) {
			return utf8.RuneCountInString(top)
		}
	}
	n := 0
	for _, r := range label {
		switch {
		case fold.Dense(r) && n >= 2: // what follows in such a script is the next word
			return n
		case fold.Dense(r), !alphabetic(r):
			return 0
		}
		n++
	}
	if n < 2 {
		return 0
	}
	return n
}

// asciiOrSpace keeps ASCII.
func asciiOrSpace(r rune) rune {
	if r < 0x80 {
		return r
	}
	return ' '
}

// versionWords announce numbers of programs, which look like addresses.
var versionWords = []string{"버전", "펌웨어", "version", "ver", "release", "firmware", "build", "バージョン", "ファームウェア", "版"}

// addresses finds IPv4 and IPv6 addresses that no letter or digit touches.
func (d *detector) addresses() {
	for i := 0; i < len(d.cells); {
		to := i
		for to < len(d.cells) && ipRune(d.cells[to].r) {
			to++
		}
		if to > i {
			d.address(i, to)
		}
		i = max(to, i+1)
	}
}

// address looks for addresses in a run of what they consist of: the whole run
// less a stop behind it, or between its colons an IPv4 address with a word
// before it or a port behind.
func (d *detector) address(from, to int) {
	end := to
	for end > from && (d.cells[end-1].r == '.' || d.cells[end-1].r == ':' && !(end-from > 2 && d.cells[end-2].r == ':')) {
		end--
	}
	if d.isAddress(from, end) {
		return
	}
	for at := from; at < to; at++ {
		next := at
		for next < to && d.cells[next].r != ':' {
			next++
		}
		end := next
		for end > at && d.cells[end-1].r == '.' {
			end--
		}
		d.isAddress(at, end)
		at = next
	}
}

// isAddress adds the cells if they are an address and stand alone.
func (d *detector) isAddress(from, to int) bool {
	text := d.raw(from, to)
	addr, err := netip.ParseAddr(text)
	if err != nil || to-from > 45 || !strings.ContainsAny(text, "0123456789") || addr.IsUnspecified() {
		return false
	}
	inWord := func(i int) bool {
		return i >= 0 && i < len(d.cells) && (isLatin(d.cells[i].r) || isDigit(d.cells[i].r) || d.cells[i].r == '_')
	}
	if inWord(from-1) || inWord(to) {
		return false
	}
	confidence := Medium
	if text := d.textBefore(from); addr.Is4() && lastOf(text, versionWords) > lastOf(text, []string{"ip", "아이피", "주소", "アドレス", "address"}) {
		confidence = Low
	}
	d.add(IP, from, to, confidence)
	return true
}

func ipRune(r rune) bool {
	return isDigit(r) || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F' || r == ':' || r == '.'
}

// raw returns cells as they are.
func (d *detector) raw(from, to int) string {
	var b strings.Builder
	for _, c := range d.cells[from:to] {
		b.WriteRune(c.r)
	}
	return b.String()
}
