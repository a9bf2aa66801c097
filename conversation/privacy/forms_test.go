package privacy_test

import (
	"strings"

	"github.com/sangdam/sangdam/conversation/privacy"
)

// of is a datum that follows a pattern of digits, see generator.digits.
func of(patterns ...string) func(g generator) string {
	return func(g generator) string { return g.digits(g.pick(patterns...)) }
}

func residentNumber(sex string, base int, separators []string) func(g generator) string {
	return func(g generator) string {
		front, back := g.resident(sex, base)
		return g.written(separators, front, back)
	}
}

// cardOf draws a card of one of the brands, each "prefix length", in groups.
func cardOf(brands ...string) func(g generator) string {
	return func(g generator) string {
		prefix, n, _ := strings.Cut(g.pick(brands...), " ")
		length := map[string]int{"12": 12, "13": 13, "14": 14, "15": 15, "16": 16, "18": 18, "19": 19}[n]
		s := g.luhn(prefix, length)
		switch {
		case g.IntN(2) == 0:
			return g.written(plain, s)
		case length == 14:
			return g.written(dashes, cut(s, 4, 6)...)
		case length == 15 && s[0] == '1':
			return g.written(dashes, cut(s, 4, 5)...)
		case length == 15:
			return g.written(dashes, cut(s, 4, 6)...)
		case length > 16:
			return g.written(dashes, cut(s, 4, 4, 4, 4)...)
		case length == 16:
			return g.written(dashes, cut(s, 4, 4, 4)...)
		}
		return g.written(dashes, cut(s, 4, 4)...)
	}
}

// numbered draws a number by a pattern whose parts a dash separates, written
// with one of the separators.
func numbered(separators []string, patterns ...string) func(g generator) string {
	return func(g generator) string {
		return g.written(separators, strings.Split(g.digits(g.pick(patterns...)), "-")...)
	}
}

var (
	brands = []string{"4 16", "5[1-5] 16", "222[1-9] 16", "27[0-1]# 16", "3[4-4] 15", "37 15", "35[3-8]# 16", "6011 16",
		"65 16", "62 16", "30[0-5] 14", "36 14"}
	named     = []string{"6759 16", "5018 13", "5020 18", "6304 19", "676[1-3] 12", "5019 16", "220[0-4] 16", "1 15"}
	koMobiles = []string{"010-####-####", "010-####-####", "010-####-####", "011-###-####", "016-####-####", "019-###-####"}
	koFixed   = []string{"02-[2-9]##-####", "02-[2-9]###-####", "031-[2-9]##-####", "051-[2-9]##-####", "064-[2-9]##-####",
		"070-####-####", "0507-####-####", "02-1##-####"}
	jaMobiles = []string{"090-[1-9]###-####", "080-[1-9]###-####", "070-[1-9]###-####", "060-[1-9]###-####"}
	jaFixed   = []string{"03-[3-6]###-####", "06-[4-7]###-####", "045-[2-9]##-####", "0422-[2-9]#-####", "04992-[2-9]-####",
		"011-[2-9]##-####"}
	koAccounts = []string{"110-###-######", "######-##-######", "3333-##-#######", "302-####-####-##", "1002-###-######",
		"[1-9]##-######-##-###"}
	hosts = []string{"example.com", "mail.example.co.kr", "example.jp", "example.co.jp", "sub.example-shop.org", "example.io"}
	words = []string{"hong.gildong", "minsu+shop", "taro_yamada", "j.smith", "a1", "o'neill", "info2026"}
)

var forms = []form{
	{privacy.RRN, "ko", []string{"%s", "주민번호는 %s 입니다", "제 번호 %s 확인 부탁드려요", "본인 확인 %s", "주민등록번호 %s, 이름은 홍길동이에요", "%s로 조회해 주세요"},
		residentNumber("[1-4]", 11, append(dashes, " - ", "\n"))},
	{privacy.RRN, "ko", []string{"주민번호 %s 이에요", "주민등록번호는 %s", "민번 %s"}, residentNumber("[1-4]", 11, plain)},
	{privacy.RRN, "ja", []string{"韓国の住民登録番号は%sです", "%s で確認してください"}, residentNumber("[1-4]", 11, dashes)},
	{privacy.RRN, "en", []string{"My resident number is %s", "%s is my Korean id, please check"}, residentNumber("[1-4]", 11, dashes)},
	{privacy.FRN, "ko", []string{"외국인등록번호 %s 입니다", "%s", "등록증 번호는 %s 이에요"}, residentNumber("[5-8]", 13, dashes)},
	{privacy.FRN, "en", []string{"My ARC number is %s", "resident card %s", "%s"}, residentNumber("[5-8]", 13, dashes)},
	{privacy.FRN, "ko", []string{"외국인번호 %s", "외국인등록번호는 %s 입니다"}, residentNumber("[5-8]", 13, plain)},

	{privacy.MyNumber, "ja", []string{"マイナンバーは%sです", "個人番号 %s を送ります", "マイナンバー：%s", "私の個人番号は %s です。よろしくお願いします"},
		func(g generator) string { return g.written([]string{"", "-", " ", "－"}, cut(g.myNumber(), 4, 4)...) }},
	{privacy.MyNumber, "ko", []string{"일본 마이넘버는 %s 입니다"}, func(g generator) string {
		return g.written([]string{"", "-"},
			cut(g.myNumber(), 4, 4)...)
	}},
	{privacy.MyNumber, "en", []string{"My Number: %s", "my individual number is %s"},
		func(g generator) string { return g.written([]string{"", " "}, cut(g.myNumber(), 4, 4)...) }},

	{privacy.Card, "ko", []string{"카드번호 %s 로 결제했어요", "%s", "카드 %s 취소해 주세요", "결제한 카드는 %s 입니다"}, cardOf(brands...)},
	{privacy.Card, "ko", []string{"카드번호 %s 로 결제했어요", "국내 카드 %s", "마에스트로 카드 %s"}, cardOf(append(named, "9 16", "4 19", "4 13")...)},
	{privacy.Card, "ja", []string{"カード番号は%sです", "クレジットカード %s で払いました"}, cardOf(append(named, brands...)...)},
	{privacy.Card, "en", []string{"Please charge my card %s again", "card no %s exp 01/29", "Maestro %s was declined",
		"UATP card %s"}, cardOf(append(named, brands...)...)},

	{privacy.Phone, "ko", []string{"연락처는 %s 입니다", "%s", "%s로 전화 주세요", "제 번호 %s 이고 이름은 김철수예요", "주문자 %s"},
		numbered(append(dashes, "", ""), koMobiles...)},
	{privacy.Phone, "ko", []string{"매장 전화 %s 맞나요", "사무실은 %s 입니다", "%s"}, numbered(dashes, koFixed...)},
	{privacy.Phone, "ko", []string{"전화번호 %s", "집 전화는 %s 입니다"}, numbered(plain, koFixed...)},
	{privacy.Phone, "ko", []string{"해외에서는 %s 입니다", "%s"}, numbered([]string{"", "-", " "}, "+82-10-####-####",
		"+82-2-[2-9]###-####", "+8210-####-####")},
	{privacy.Phone, "ja", []string{"電話番号は%sです", "%s", "携帯 %s に連絡ください"}, numbered(append(dashes, "ー", ""), jaMobiles...)},
	{privacy.Phone, "ja", []string{"電話番号は%sです", "%s です", "会社の電話 %s"}, numbered([]string{"-", "－", "ー"}, append(jaFixed,
		"050-[1-9]###-####")...)},
	{privacy.Phone, "ja", []string{"電話番号は%sです", "電話番号：%s", "連絡先 %s"}, numbered(plain, append(jaFixed, "050-[1-9]###-####")...)},
	{privacy.Phone, "ja", []string{"電話は%sです"}, of("03([3-6]###)####", "+81 90-####-####", "+81-3-[3-6]###-####")},
	{privacy.Phone, "en", []string{"You can call me at %s any time", "%s", "my number is %s, thanks"},
		of("([2-7][2-9][1-9]) [2-9]##-####", "[2-7][2-9][1-9]-[2-9]##-####", "1-[2-7][2-9][1-9]-[2-9]##-####",
			"+1 [2-7][2-9][1-9]-[2-9]##-####", "+44 20 7[1-9]## ####", "+33 6 ## ## ## #[1-9]", "+49 151 ########")},

	{privacy.DriverLicence, "ko", []string{"운전면허 %s 확인해 주세요", "%s", "면허증 번호는 %s 입니다"}, numbered([]string{"-", "－"},
		"1[1-9]-##-######-##", "2[0-6]-##-######-##")},
	{privacy.DriverLicence, "ko", []string{"운전면허번호 %s", "면허 %s 이에요"}, numbered([]string{"", " "}, "1[1-9]-##-######-##",
		"2[0-6]-##-######-##")},
	{privacy.DriverLicence, "ko", []string{"예전 면허 서울 %s 입니다", "경기 %s"}, of("##-######-##")},
	{privacy.DriverLicence, "ja", []string{"免許証番号は%sです", "運転免許証の番号：%s", "免許 %s"}, numbered([]string{"", " ", "-"}, "[1-9]###-####-####")},
	{privacy.DriverLicence, "en", []string{"my driving licence is %s", "license number %s"}, numbered([]string{"-"},
		"1[1-9]-##-######-##")},

	{privacy.Business, "ko", []string{"사업자등록번호 %s 세금계산서 부탁", "%s", "세금계산서 %s 로 발행해 주세요"},
		func(g generator) string { return g.written([]string{"-", "－"}, cut(g.businessNumber(), 3, 2)...) }},
	{privacy.Business, "ko", []string{"사업자 번호 %s 입니다", "사업자등록번호는 %s"}, func(g generator) string {
		return g.written(plain,
			g.businessNumber())
	}},
	{privacy.Business, "en", []string{"our business number is %s", "BRN %s"},
		func(g generator) string { return g.written([]string{"-"}, cut(g.businessNumber(), 3, 2)...) }},

	{privacy.Passport, "ko", []string{"여권번호 %s 입니다", "%s", "새 여권은 %s 이에요"}, of("M########", "S########", "R########",
		"M###A####", "D###K####")},
	{privacy.Passport, "ko", []string{"여권 %s 소문자로 썼어요"}, of("m########", "s###b####")},
	{privacy.Passport, "ja", []string{"パスポート番号は%sです", "旅券番号 %s", "パスポート：%s"}, of("TK#######", "TR#######", "TZ#######",
		"MZ#######", "NH#######")},
	{privacy.Passport, "en", []string{"passport no. %s attached", "My passport is %s"}, of("M########", "TS#######", "mz#######")},

	{privacy.Account, "ko", []string{"환불 계좌 신한은행 %s 홍길동", "국민은행 %s", "%s 카카오뱅크로 보내 주세요", "입금은 %s 농협으로 부탁드립니다",
		"우리 %s 예금주 김철수"}, numbered([]string{"-", " "}, koAccounts...)},
	{privacy.Account, "ko", []string{"계좌번호는 %s 입니다", "신한은행 %s"}, of("110#########", "3333#########", "[1-9]#############")},
	{privacy.Account, "ja", []string{"口座番号は%sです", "みずほ銀行 渋谷支店 普通 %s", "返金は口座 %s へお願いします", "三井住友銀行 本店 当座預金 %s ヤマダ", "普通預金：%s"},
		of("[1-9]######", "0######")},
	{privacy.Account, "ja", []string{"ゆうちょ銀行 %s に振込お願いします", "みずほ銀行の口座 %s"}, of("1[0-9]###-1#######", "[1-9]######-######")},
	{privacy.Account, "en", []string{"send it to bank account %s please", "my account is %s"}, of("110-###-######", "[1-9]###########")},

	{privacy.Email, "ko", []string{"메일은 %s 입니다", "%s으로 보내 주세요", "이메일:%s", "메일은%s이에요"},
		func(g generator) string { return g.pick(words...) + "@" + g.pick(hosts...) }},
	{privacy.Email, "ko", []string{"메일은 %s 입니다", "%s로 보내 주세요"}, func(g generator) string {
		return g.pick("홍길동", "hong", "상담.문의") + "@" + g.pick("한국.kr", "예시.한국", "우리가게.닷컴", "xn--3e0b707e.xn--3e0b707e")
	}},
	{privacy.Email, "ja", []string{"メールは %s です", "%sまでお願いします"}, func(g generator) string {
		return g.pick(words...) + "@" + g.pick(append(hosts, "例え.jp", "例え.みんな")...)
	}},
	{privacy.Email, "en", []string{"write to %s.", "my mail is <%s>", "%s, thanks"}, func(g generator) string {
		return g.pick(append(words, "müller", "josé")...) + "@" + g.pick(append(hosts, "münchen.example.de", "почта.рф")...)
	}},

	{privacy.IP, "ko", []string{"제 IP는 %s 입니다", "%s에서 접속했어요", "IP주소:%s"}, of("10.[1-2]#.[1-9]#.1##", "192.168.[0-9].[1-9]#",
		"203.0.113.1##")},
	{privacy.IP, "ja", []string{"IPアドレスは%sです", "%s から接続"}, of("203.0.113.[1-9]#", "2001:db8::[1-9]###", "fe80::1#:[1-9]a:#f")},
	{privacy.IP, "en", []string{"blocked from %s.", "connect to %s:8080 failed", "host [%s] is down", "server:%s"},
		of("198.51.100.1##", "10.0.0.[1-9]")},
}
