package privacy

import (
	"slices"
	"strings"
	"unicode"
)

const (
	longest = 19 // digits of the longest number, a card
	// reach is how many characters before a number a word counts as nearby.
	reach = 30
	// reachAfter is the same behind it, for the name of a bank.
	reachAfter = 10
	// widestGap is how many separators may stand between two digits.
	widestGap = 4
	// separators may stand within a number; the last is a Japanese long vowel
	// mark, which keyboards put where a dash is meant.
	separators = " -._/()ー"
)

// group is an unbroken run of digits.
type group struct {
	from, to int // cells
	digit    int // position of its first digit in detector.digits
	joined   bool
	newline  bool // the gap after it has a line break
	gap      rune // the gap's only character, 0 when it has several
}

// window is a run of groups that may be one number.
type window struct {
	d        *detector
	from, to int // cells
	digits   string
	hard     uint32 // bit n: separated before digit n, not by a line break alone
	soft     uint32 // bit n: a line break before digit n
	groups   int
	single   bool // each digit stands alone
	gap      rune // the one character that separates all groups, else 0
	plus     bool // a + stands before it
	lead     int  // the cell of the + or ( before it, else from
	closed   bool // a ) stands within
}

// numbers runs the detectors of numbers over every window.
func (d *detector) numbers() {
	groups := d.groups()
	all := string(d.digits)
	for i := range groups {
		w := window{d: d, from: groups[i].from, single: true, gap: groups[i].gap}
		w.plus, w.lead = d.before(w.from)
		for j := i; j < len(groups); j++ {
			g := groups[j]
			end := g.digit + g.to - g.from
			if end-groups[i].digit > longest {
				break
			}
			if j > i {
				w.separate(groups[j-1], g.digit-groups[i].digit)
			}
			w.to, w.groups, w.digits = g.to, w.groups+1, all[groups[i].digit:end]
			w.single = w.single && g.to-g.from == 1
			d.number(&w)
			if !g.joined {
				break
			}
		}
	}
}

func (d *detector) number(w *window) {
	if len(w.digits) < fewestDigits {
		return
	}
	d.resident(w)
	d.business(w)
	d.licence(w)
	d.japaneseLicence(w)
	d.myNumber(w)
	d.phone(w)
	d.card(w)
	d.account(w)
}

// groups finds the runs of digits and collects their digits.
func (d *detector) groups() []group {
	var groups []group
	for i := 0; i < len(d.cells); {
		if !isDigit(d.cells[i].r) {
			i++
			continue
		}
		g := group{from: i, digit: len(d.digits)}
		for ; i < len(d.cells) && isDigit(d.cells[i].r); i++ {
			d.digits = append(d.digits, byte(d.cells[i].r))
		}
		g.to = i
		d.gapAfter(&g)
		groups = append(groups, g)
	}
	return groups
}

// gapAfter says whether what follows the group may stand within a number.
func (d *detector) gapAfter(g *group) {
	for i := g.to; i < len(d.cells) && i-g.to <= widestGap; i++ {
		r := d.cells[i].r
		switch {
		case isDigit(r):
			g.joined = true
			return
		case r == '\n':
			if g.newline {
				return
			}
			g.newline = true
		case r != '\r' && !strings.ContainsRune(separators, r):
			return
		}
		if g.gap = r; i > g.to {
			g.gap = 0
		}
	}
}

// separate records the gap between the groups before and at a digit.
func (w *window) separate(before group, digit int) {
	if before.newline {
		w.soft |= 1 << digit
	} else {
		w.hard |= 1 << digit
	}
	if before.gap != w.gap {
		w.gap = 0
	}
	for i := before.to; i < len(w.d.cells) && !isDigit(w.d.cells[i].r); i++ {
		w.closed = w.closed || w.d.cells[i].r == ')'
	}
}

// before looks for a plus and an opening parenthesis right before a number.
func (d *detector) before(from int) (plus bool, lead int) {
	for i := from - 1; i >= max(0, from-2); i-- {
		switch d.cells[i].r {
		case '+':
			return true, i
		case '(':
		default:
			return false, i + 1
		}
	}
	return false, max(0, from-2)
}

// start returns where the number begins with its + or its parenthesis, if that
// is closed within it.
func (w *window) start() int {
	if w.plus || w.closed {
		return w.lead
	}
	return w.from
}

// fits reports whether the number is separated at most before the digits
// named. Line breaks may stand anywhere, and so may gaps between single digits.
func (w *window) fits(at ...int) bool {
	return w.single && w.groups > 1 || w.hard&^bits(at) == 0
}

// exactly reports whether the number is separated before each of the digits
// named and nowhere else.
func (w *window) exactly(at ...int) bool { return w.hard|w.soft == bits(at) }

func bits(at []int) uint32 {
	var b uint32
	for _, n := range at {
		b |= 1 << n
	}
	return b
}

// plain reports whether the digits are written without any separation.
func (w *window) plain() bool { return w.groups == 1 }

// inCode reports whether a Latin letter touches the number.
func (w *window) inCode() bool {
	c := w.d.cells
	return w.from > 0 && isLatin(c[w.from-1].r) || w.to < len(c) && isLatin(c[w.to].r)
}

// hint tells what the words before a number speak of.
type hint int8

const (
	against hint = -1 // the nearest word speaks of an order, a parcel, a product
	silent  hint = 0
	inFavor hint = 1
)

// trapWords announce numbers that are nobody's.
var trapWords = []string{
	"주문", "송장", "운송장", "택배", "배송번호", "상품", "바코드", "시리얼", "모델", "접수번호", "예약번호", "티켓", "문의번호", "쿠폰", "쿠폰번호", "승인번호", "거래번호", "일련번호",
	"order", "tracking", "parcel", "shipment", "invoice", "serial", "barcode", "isbn", "sku",
	"ticket", "coupon", "booking", "reference", "imei", "model",
	"注文", "追跡", "伝票", "商品", "バーコード", "予約", "問い合わせ番号", "問合せ番号", "シリアル", "型番", "品番",
}

// hint compares how near the words and the trap words stand before a number.
func (d *detector) hint(from int, words []string) hint {
	text := d.textBefore(from)
	good := lastOf(text, words)
	switch {
	case good > d.trap:
		return inFavor
	case d.trap > 0: // as near too: 쿠폰 ends in 폰
		return against
	}
	return silent
}

// nearest reports whether, of the words of several types and of the trap words,
// those of the first type stand nearest before a number.
func (d *detector) nearest(from int, words []string, rivals ...[]string) bool {
	if d.hint(from, words) != inFavor {
		return false
	}
	text := d.textBefore(from)
	own := lastOf(text, words)
	for _, r := range rivals {
		if lastOf(text, r) > own {
			return false
		}
	}
	return true
}

// amount reports whether the number is a sum of money: a currency stands right
// before or after it.
func (w *window) amount() bool {
	before, after := strings.TrimRight(w.d.textBefore(w.from), " "), strings.TrimLeft(w.d.textAfter(w.to), " ")
	return endsWithAny(before, currencySigns) || slices.ContainsFunc(currencies, func(c string) bool { return strings.HasPrefix(after, c) })
}

var (
	currencySigns = []string{"₩", "¥", "$", "€", "£", "krw", "jpy", "usd", "eur"}
	currencies    = append([]string{"원", "円", "엔", "달러", "ドル", "won", "yen", "dollar", "元"}, currencySigns...)
)

// textBefore returns up to reach characters before a cell in lower case, and
// sets d.trap. It remembers the last answer, since every
// window that begins at a cell asks for the same.
func (d *detector) textBefore(to int) string {
	if to != d.beforeCell {
		d.beforeCell, d.beforeText = to, d.text(max(0, to-reach), to)
		d.trap = lastOf(d.beforeText, trapWords)
	}
	return d.beforeText
}

func (d *detector) textAfter(from int) string {
	return d.text(from, min(len(d.cells), from+reachAfter))
}

func (d *detector) text(from, to int) string {
	var b strings.Builder
	for _, c := range d.cells[from:to] {
		b.WriteRune(unicode.ToLower(c.r))
	}
	return b.String()
}

// lastOf returns where the last of the words ends in text, 0 when none occurs.
// A Latin word does not count within another: tel in hotel.
func lastOf(text string, words []string) int {
	last := 0
	for _, w := range words {
		for rest := text; ; {
			i := strings.LastIndex(rest, w)
			if i < 0 || i+len(w) <= last {
				break
			}
			if i == 0 || !isLatin(rune(w[0])) || !isLatin(rune(rest[i-1])) {
				last = i + len(w)
				break
			}
			rest = rest[:i]
		}
	}
	return last
}
