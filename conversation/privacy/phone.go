package privacy

import (
	"slices"
	"strings"
)

var phoneWords = []string{
	"전화", "연락처", "휴대폰", "핸드폰", "휴대전화", "폰번호", "폰", "번호로", "연락", "팩스", "주문자", "예약자", "받는 분", "받는분", "보내는 분", "수령인",
	"phone", "telephone", "cellphone", "tel", "mobile", "cell", "call", "fax", "hp",
	"電話", "携帯", "連絡先", "連絡", "ファックス", "お届け先", "注文者", "予約者",
}

// phone finds telephone numbers of people. Numbers that firms share with
// everybody (15xx, 080, 0120, 0800, 0570, 1-800) are not personal.
func (d *detector) phone(w *window) {
	if c := d.international(w); c > 0 {
		d.add(Phone, w.start(), w.to, c)
		return
	}
	if w.plus {
		return
	}
	n := nationalNumber(w, func() bool { return d.hint(w.from, phoneWords) == inFavor })
	if n == unknownNumber {
		return
	}
	d.add(Phone, w.start(), w.to, d.phoneConfidence(w, n))
}

// numberClass is how recognisable a national number is.
type numberClass int8

const (
	unknownNumber numberClass = iota
	fixedNumber               // area code and number
	mobileNumber              // an unmistakable mobile prefix
)

func (d *detector) phoneConfidence(w *window, n numberClass) Confidence {
	hint := d.hint(w.from, phoneWords)
	switch {
	case hint == inFavor && (n == mobileNumber || !w.plain()):
		return High
	case hint == inFavor:
		return Medium
	case w.plain() && (hint == against || w.inCode() || n == fixedNumber):
		return Low
	case n == mobileNumber:
		return High
	case hint == against:
		return Low
	}
	return Medium
}

// international handles +82…, 0082… and 82-10-….
func (d *detector) international(w *window) Confidence {
	s := w.digits
	switch {
	case w.plus:
	case strings.HasPrefix(s, "00"):
		s = s[2:]
	case strings.HasPrefix(s, "82") && (w.hard|w.soft)&(1<<2) != 0:
	default:
		return 0
	}
	if korean, ok := strings.CutPrefix(s, "82"); ok {
		korean = "0" + strings.TrimPrefix(korean, "0")
		if koreanMobile(korean) || koreanFixed(korean, nil, nil) {
			return High
		}
		return 0
	}
	if !w.plus || len(s) < 8 || len(s) > 15 || w.soft != 0 || !plausible(s) || w.thousands() || w.amount() {
		return 0
	}
	if strings.HasPrefix(s, "81") || s[0] == '1' && len(s) == 11 && s[1] >= '2' {
		return High
	}
	return Medium
}

// plausible reports whether the digits after a plus begin with a code that the
// ITU assigned and are not a round number.
func plausible(s string) bool {
	switch {
	case strings.HasSuffix(s, "000000"):
		return false
	case s[0] == '1':
		return len(s) == 11 && s[1] >= '2'
	case s[0] == '7':
		return len(s) == 11
	}
	return slices.ContainsFunc(countryCodes, func(code string) bool { return strings.HasPrefix(s, code) })
}

// countryCodes are those of more than one digit; of three digits that begin
// alike, all are listed by their first two where most are assigned.
var countryCodes = strings.Fields(`20 211 212 213 216 218 22 23 24 25 26 27 290 291 297 298 299
	30 31 32 33 34 35 36 37 38 39 40 41 420 421 423 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59
	60 61 62 63 64 65 66 67 68 690 691 692 800 808 81 82 84 850 852 853 855 856 86 870 878 88
	90 91 92 93 94 95 96 970 971 972 973 974 975 976 977 98 99`)

// thousands reports whether a short number is written as amounts are, in
// threes from the right: +100 000 000.
func (w *window) thousands() bool {
	var at []int
	for n := len(w.digits) - 3; n > 0; n -= 3 {
		at = append(at, n)
	}
	return len(w.digits) <= 9 && w.exactly(at...)
}

// nationalNumber classifies a number as it is written within its country. A
// word for a telephone before it, which told reports, lets forms count that
// other numbers have too.
func nationalNumber(w *window, told func() bool) numberClass {
	s := w.digits
	switch {
	case koreanMobile(s) && w.fits(3, len(s)-4):
		return mobileNumber
	case japaneseMobile(s) && w.fits(3, 7):
		return mobileNumber
	case koreanFixed(s, w, told), japaneseFixed(w, told), japaneseInternet(w), northAmerican(w):
		return fixedNumber
	}
	return unknownNumber
}

func koreanMobile(s string) bool {
	if len(s) < 10 || len(s) > 11 || !strings.HasPrefix(s, "01") {
		return false
	}
	return s[2] == '0' && len(s) == 11 || strings.IndexByte("16789", s[2]) >= 0
}

// japaneseMobile accepts 060, 070, 080 and 090; 0800 is free of charge.
func japaneseMobile(s string) bool {
	return len(s) == 11 && s[0] == '0' && s[2] == '0' && s[1] >= '6' && !strings.HasPrefix(s, "0800")
}

// japaneseInternet accepts the eleven digits of 050.
func japaneseInternet(w *window) bool {
	return len(w.digits) == 11 && strings.HasPrefix(w.digits, "050") && w.fits(3, 7)
}

var koreanAreas = []string{
	"02", "031", "032", "033", "041", "042", "043", "044", "051", "052", "053", "054", "055", "061", "062", "063", "064",
	"070", "0502", "0503", "0504", "0505", "0506", "0507", "0508",
}

// koreanFixed accepts area codes, 070 and the 050 safe numbers. A nil window
// stands for any separation. An exchange that begins with 1, as no real one
// does but people write, counts only in the usual groups or after a word.
func koreanFixed(s string, w *window, told func() bool) bool {
	if len(s) < 9 || len(s) > 12 || s[0] != '0' {
		return false
	}
	for _, area := range koreanAreas {
		if !strings.HasPrefix(s, area) {
			continue
		}
		rest := len(s) - len(area)
		switch {
		case rest != 7 && rest != 8, area == "070" && rest != 8:
			return false
		case strings.HasPrefix(area, "050"), area == "070", s[len(area)] >= '2':
		case s[len(area)] == '0', w != nil && !w.exactly(len(area), len(s)-4) && !told():
			return false
		}
		return w == nil || w.fits(len(area), len(s)-4)
	}
	return false
}

// japaneseFixed accepts ten digits in the usual groups; written together or
// otherwise they are too much like anything else, unless one was told.
func japaneseFixed(w *window, told func() bool) bool {
	s := w.digits
	if len(s) != 10 || s[0] != '0' || s[1] == '0' {
		return false
	}
	free := slices.ContainsFunc([]string{"0120", "0570", "0800", "0990"}, func(p string) bool { return strings.HasPrefix(s, p) })
	if free || strings.HasPrefix(s, "080") {
		return false
	}
	for _, area := range []int{2, 3, 4, 5} {
		if w.exactly(area, 6) || w.fits(area, 6) && told() {
			return true
		}
	}
	return false
}

// northAmerican accepts (212) 555-0123 with or without a leading 1.
func northAmerican(w *window) bool {
	s := w.digits
	switch {
	case len(s) == 10 && w.exactly(3, 6):
	case len(s) == 11 && s[0] == '1' && w.exactly(1, 4, 7):
		s = s[1:]
	default:
		return false
	}
	free := slices.Contains([]string{"800", "833", "844", "855", "866", "877", "888"}, s[:3])
	return !free && s[0] >= '2' && s[3] >= '2'
}
