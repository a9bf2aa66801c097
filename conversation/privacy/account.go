package privacy

import (
	"strings"
)

var (
	bankNames = []string{
		"은행", "신한", "농협", "ibk", "카카오뱅크", "카뱅", "토스뱅크", "케이뱅크", "새마을", "신협", "우체국", "수협", "씨티", "sc제일",
		"부산은행", "대구은행", "im뱅크", "광주은행", "전북은행", "경남은행", "산업은행",
		"銀行", "ゆうちょ", "信用金庫", "bank",
	}
	// shortBanks are also ordinary words and count only right at the number.
	shortBanks   = []string{"국민", "우리", "하나", "기업", "kb", "부산", "대구", "광주", "전북", "경남", "제주", "sc"}
	accountWords = append([]string{"계좌", "입금", "송금", "이체", "예금", "환불받", "통장", "account", "iban", "口座", "振込", "振り込"}, bankNames...)
	// japaneseAccountKinds are ordinary words too and count only right at the number.
	japaneseAccountKinds = []string{"普通", "普通預金", "当座", "当座預金", "(普)", "(当)"}
)

// account finds bank account numbers, which have no form of their own: ten to
// fourteen digits in at most four groups, and a bank or a transfer nearby. A
// sum of money is none.
func (d *detector) account(w *window) {
	s := w.digits
	if len(s) > 14 || w.groups > 4 || w.soft != 0 || w.plus || w.inCode() {
		return
	}
	if len(s) < 10 {
		d.japaneseAccount(w)
		return
	}
	if len(s) == 12 && (d.nearest(w.from, myNumberWords, accountWords) || d.nearest(w.from, licenceWords, accountWords)) {
		return
	}
	if w.groups > 1 && w.gap != '-' && w.gap != ' ' || timestamp(s) || koreanMobile(s) {
		return
	}
	bankAfter := lastOf(d.textAfter(w.to), bankNames) > 0
	hint := d.hint(w.from, accountWords)
	if endsWithAny(strings.TrimRight(d.textBefore(w.from), " :-"), shortBanks) {
		hint = inFavor
	}
	switch {
	case hint != inFavor && !bankAfter, w.amount():
	case hint == inFavor && w.groups > 1:
		d.add(Account, w.from, w.to, High)
	case hint == inFavor, hint == silent && bankAfter:
		d.add(Account, w.from, w.to, Medium)
	}
}

// japaneseAccount finds the seven digits that accounts of Japanese banks have,
// and the eight of the post bank.
func (d *detector) japaneseAccount(w *window) {
	s := w.digits
	if len(s) > 8 || !w.plain() || len(s) == 8 && timestamp(s) {
		return
	}
	before := strings.TrimRight(d.textBefore(w.from), " :-はが")
	if d.hint(w.from, []string{"口座"}) == inFavor || endsWithAny(before, japaneseAccountKinds) {
		if w.amount() {
			return
		}
		d.add(Account, w.from, w.to, High)
	}
}

// timestamp reports whether the digits read as a date with a time or a running
// number after it, as order numbers do: 20260115….
func timestamp(s string) bool {
	if !strings.HasPrefix(s, "20") {
		return false
	}
	month, day := atoi(s[4:6]), atoi(s[6:8])
	return month >= 1 && month <= 12 && day >= 1 && day <= 31
}
