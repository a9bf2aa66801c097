package privacy

import (
	"strings"
	"time"
	"unicode"
)

var (
	residentWords = []string{"주민", "민번", "외국인등록", "외국인번호", "등록번호", "resident", "rrn", "arc", "住民"}
	businessWords = []string{"사업자", "business", "brn"}
	licenceWords  = []string{"면허", "licence", "license", "免許"}
	passportWords = []string{"여권", "passport", "パスポート", "旅券"}
	regionNames   = []string{"서울", "부산", "경기", "강원", "충북", "충남", "전북", "전남", "경북", "경남", "제주", "대구", "인천", "광주", "대전", "울산"}
)

// resident finds resident numbers and foreigner registration numbers:
// YYMMDD-ABCDEFG where A tells century and sex, or that of a foreigner.
func (d *detector) resident(w *window) {
	s := w.digits
	if len(s) != 13 || s[6] < '1' || s[6] > '8' || !w.fits(6) || !birthDate(s) {
		return
	}
	kind, offset := RRN, 11
	if s[6] >= '5' {
		kind, offset = FRN, 13
	}
	d.add(kind, w.from, w.to, d.residentConfidence(w, offset))
}

// residentConfidence: the check digit confirms but its absence denies nothing,
// since numbers issued from October 2020 on end at random.
func (d *detector) residentConfidence(w *window, offset int) Confidence {
	hint := d.hint(w.from, residentWords)
	switch {
	case hint == against && w.plain() && ean13(w.digits):
		return Low
	case residentCheck(w.digits, offset):
		return High
	case hint == inFavor:
		return High
	case !w.plain():
		return Medium
	case hint == against, w.inCode(), koreanBarcode(w.digits):
		return Low
	}
	return Medium
}

// birthDate reports whether the first seven digits hold a date.
func birthDate(s string) bool {
	year := 1900 + atoi(s[:2])
	if strings.IndexByte("3478", s[6]) >= 0 {
		year += 100
	}
	month, day := atoi(s[2:4]), atoi(s[4:6])
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return t.Year() == year && int(t.Month()) == month && t.Day() == day
}

func residentCheck(s string, offset int) bool {
	sum := 0
	for i, weight := range []int{2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5} {
		sum += int(s[i]-'0') * weight
	}
	return (offset-sum%11)%10 == int(s[12]-'0')
}

// koreanBarcode reports whether the digits are an EAN-13 of a Korean product,
// many of which begin like a birth date (880106…).
func koreanBarcode(s string) bool { return strings.HasPrefix(s, "880") && ean13(s) }

func ean13(s string) bool {
	sum := 0
	for i := range 12 {
		sum += int(s[i]-'0') * (1 + 2*(i%2))
	}
	return (10-sum%10)%10 == int(s[12]-'0')
}

// business finds ###-##-#####; written together only with a word before it.
func (d *detector) business(w *window) {
	if len(w.digits) != 10 || !businessCheck(w.digits) {
		return
	}
	switch {
	case w.exactly(3, 5):
		d.add(Business, w.from, w.to, High)
	case w.fits(3, 5) && d.hint(w.from, businessWords) == inFavor:
		d.add(Business, w.from, w.to, Medium)
	}
}

func businessCheck(s string) bool {
	sum := int(s[8]-'0') * 5 / 10
	for i, weight := range []int{1, 3, 7, 1, 3, 7, 1, 3, 5} {
		sum += int(s[i]-'0') * weight
	}
	return (10-sum%10)%10 == int(s[9]-'0')
}

// licence finds ##-##-######-## and the older form with the region's name,
// 서울 12-345678-90.
func (d *detector) licence(w *window) {
	s := w.digits
	switch len(s) {
	case 12:
		if region := atoi(s[:2]); region < 11 || region > 28 || !w.fits(2, 4, 10) {
			return
		}
		switch hint := d.hint(w.from, licenceWords); {
		case hint == inFavor:
			d.add(DriverLicence, w.from, w.to, High)
		case hint == silent && w.exactly(2, 4, 10):
			d.add(DriverLicence, w.from, w.to, Medium)
		}
	case 10:
		if w.exactly(2, 8) && endsWithAny(strings.TrimRight(d.textBefore(w.from), " -"), regionNames) {
			d.add(DriverLicence, w.from, w.to, Medium)
		}
	}
}

func endsWithAny(s string, suffixes []string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}

// passports finds Korean passports, a letter with eight digits or with three
// digits, a letter and four digits, and Japanese ones, two letters with seven
// digits, which so many other things have that a word must stand before them.
func (d *detector) passports() {
	for i := range d.cells {
		for _, shape := range []string{"A00000000", "A000A0000"} {
			if d.shaped(i, shape, "MSROD") {
				d.add(Passport, i, i+len(shape), d.passportConfidence(i))
			}
		}
		if japanese := "AA0000000"; d.shaped(i, japanese, "TMN") && d.hint(i, passportWords) == inFavor {
			d.add(Passport, i, i+len(japanese), High)
		}
	}
}

func (d *detector) passportConfidence(from int) Confidence {
	upper := strings.ContainsRune("MSROD", d.cells[from].r)
	switch d.hint(from, passportWords) {
	case inFavor:
		return High
	case against:
		return Low
	}
	if !upper {
		return Low
	}
	return Medium
}

// shaped reports whether the cells from i on have the shape, A for a letter
// and 0 for a digit, the first of them one of the letters in either case, with
// no letter or digit around it.
func (d *detector) shaped(i int, shape, first string) bool {
	to := i + len(shape)
	if to > len(d.cells) || !strings.ContainsRune(first, unicode.ToUpper(d.cells[i].r)) {
		return false
	}
	for k, want := range shape {
		r := d.cells[i+k].r
		if want == 'A' && !isLatin(r) || want == '0' && !isDigit(r) {
			return false
		}
	}
	inWord := func(k int) bool {
		return k >= 0 && k < len(d.cells) && (isLatin(d.cells[k].r) || isDigit(d.cells[k].r))
	}
	return !inWord(i-1) && !inWord(to)
}

// atoi reads a few ASCII digits.
func atoi(s string) int {
	n := 0
	for _, c := range []byte(s) {
		n = n*10 + int(c-'0')
	}
	return n
}
