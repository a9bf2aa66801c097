package privacy

import (
	"slices"
	"strings"
)

var phoneWords = []string{
	"전화", "연락처", "휴대폰", "핸드폰", "휴대전화", "폰번호", "폰", "번호로", "연락",
	"phone", "telephone", "cellphone", "tel", "mobile", "cell", "call", "hp", "電話", "携帯", "連絡先",
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
	n := nationalNumber(w)
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
		if koreanMobile(korean) || koreanFixed(korean, nil) {
			return High
		}
		return 0
	}
	if !w.plus || len(s) < 8 || len(s) > 15 || s[0] == '0' || w.soft != 0 {
		return 0
	}
	if strings.HasPrefix(s, "81") || s[0] == '1' && len(s) == 11 && s[1] >= '2' {
		return High
	}
	return Medium
}

// nationalNumber classifies a number as it is written within its country.
func nationalNumber(w *window) numberClass {
	s := w.digits
	switch {
	case koreanMobile(s) && w.fits(3, len(s)-4):
		return mobileNumber
	case japaneseMobile(s) && w.fits(3, 7):
		return mobileNumber
	case koreanFixed(s, w), japaneseFixed(w), northAmerican(w):
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

func japaneseMobile(s string) bool {
	return len(s) == 11 && s[0] == '0' && s[2] == '0' && s[1] >= '7'
}

var koreanAreas = []string{
	"02", "031", "032", "033", "041", "042", "043", "044", "051", "052", "053", "054", "055", "061", "062", "063", "064",
	"070", "0502", "0503", "0504", "0505", "0506", "0507", "0508",
}

// koreanFixed accepts area codes, 070 and the 050 safe numbers. A nil window
// stands for any separation.
func koreanFixed(s string, w *window) bool {
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
		case !strings.HasPrefix(area, "050") && area != "070" && s[len(area)] < '2':
			return false
		}
		return w == nil || w.fits(len(area), len(s)-4)
	}
	return false
}

// japaneseFixed accepts ten digits in the usual groups; written together they
// are too much like anything else.
func japaneseFixed(w *window) bool {
	s := w.digits
	if len(s) != 10 || s[0] != '0' || s[1] == '0' {
		return false
	}
	free := slices.ContainsFunc([]string{"0120", "0570", "0800", "0990"}, func(p string) bool { return strings.HasPrefix(s, p) })
	return !free && !strings.HasPrefix(s, "080") && (w.exactly(2, 6) || w.exactly(3, 6) || w.exactly(4, 6))
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
