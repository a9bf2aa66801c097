package privacy_test

import (
	"fmt"
	"strings"
)

// trap is a kind of text that holds numbers, none of which are personal.
type trap struct {
	language  string
	templates []string
	datum     func(g generator) string
}

func at(layouts ...string) func(g generator) string {
	return func(g generator) string { return g.time(g.pick(layouts...)) }
}

func money(g generator) string {
	n := g.IntN(2_000_000_000)
	if g.IntN(2) == 0 {
		return fmt.Sprint(n)
	}
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func article(prefixes ...string) func(g generator) string {
	return func(g generator) string { return g.ean(g.pick(prefixes...)) }
}

func hex(n int) func(g generator) string {
	return func(g generator) string {
		var b strings.Builder
		for range n {
			b.WriteByte("0123456789abcdef"[g.IntN(16)])
		}
		return b.String()
	}
}

func uuid(g generator) string {
	return hex(8)(g) + "-" + hex(4)(g) + "-4" + hex(3)(g) + "-a" + hex(3)(g) + "-" + hex(12)(g)
}

var traps = []trap{
	{"ko", []string{"주문번호 %s 언제 오나요", "주문 %s 취소해 주세요", "주문번호는 %s 입니다", "%s 주문 건이요"}, at("YMD-0001234", "YMDhmss1", "YMD0012345")},
	{"ko", []string{"주문번호 %s 언제 오나요", "주문번호: %s", "예약번호 %s 변경", "접수번호 %s 확인"}, of("[1-9]###########", "[1-9]#########",
		"A[1-9]#######", "[1-9]##-#######-#######", "M########")},
	{"ko", []string{"운송장번호 %s 조회해 주세요", "송장 %s", "CJ대한통운 택배 %s 어디쯤인가요", "배송번호 %s"}, of("[1-9]###########", "####-####-####",
		"[1-9]#########", "[1-9]############")},
	{"ko", []string{"등기 %s 언제 오나요", "EMS %s"}, of("EB#########KR", "RR#########KR")},
	{"ko", []string{"%s 에 문의했어요", "%s 부터 안 돼요", "예약은 %s 입니다", "입금 %s 완료했어요"}, at("Y-M-D h:m:s", "Y.M.D", "Y년 M월 D일 h:m",
		"Y-M-D", "Y/M/D h:m", "YMD", "M/D h:m", "Y-M-D h시")},
	{"ko", []string{"%s원 결제됐어요", "총 %s원이에요", "계좌로 %s원 입금했어요", "카드로 %s원 결제", "₩%s 환불해 주세요", "통장에서 %s 원 나갔어요"}, money},
	{"ko", []string{"대표번호 %s 로 전화했어요", "고객센터 %s 안 받아요", "%s"}, of("15[0-9][0-9]-####", "16[0-9][0-9]-####",
		"18[0-9][0-9]-####", "080-###-####", "1[5-8][4-9][4-9]####")},
	{"ko", []string{"바코드 %s", "상품 %s 재고 있나요", "상품코드 %s"}, article("880", "880", "690", "400")},
	{"ko", []string{"쿠폰 %s 안 돼요", "쿠폰번호 %s"}, of("####-####-####", "[A-Z]###-####-####", "##########")},
	{"ko", []string{"시리얼 %s", "모델명 %s 맞나요", "일련번호 %s"}, of("R5CX########", "SM-S9##N", "S########", "[1-9]##########")},
	{"ko", []string{"승인번호 %s", "거래번호 %s 확인"}, of("[1-9]#######", "[1-9]#############")},
	{"ko", []string{"우편번호 %s 이에요", "좌표 37.%s, 127.%s", "%s번 줄", "비밀번호 %s 안내", "인증번호 %s"}, of("######", "#####")},
	{"ko", []string{"버전 %s 에서 오류", "펌웨어 %s"}, of("1[0-9].[0-9].[0-9]", "[1-9].1#.[0-9].[1-9]")},
	{"ko", []string{"https://example.com/orders/%s?x=1", "링크 http://example.com/i/%s"}, at("YMD00012345", "YMDhms0012")},
	{"ko", []string{"점수는 100 %s 300 400 이에요", "사이즈 %s 있나요", "%s개 주문", "%s번째 손님"}, of("2##", "1##", "####")},
	{"ja", []string{"注文番号は %s です", "注文番号 %s の件", "予約番号 %s", "問い合わせ番号 %s", "お問い合わせ番号：%s"}, of("[1-9]##-#######-#######",
		"[1-9]#############", "[1-9]#########", "20##-####-####", "[1-9]###########")},
	{"ja", []string{"追跡番号 %s", "伝票番号 %s を確認", "ヤマト運輸の伝票番号は%sです", "荷物 追跡 %s"}, of("####-####-####", "[1-9]###########")},
	{"ja", []string{"%sに注文しました", "%s から届きません", "振込は %s にしました"}, at("Y年M月D日h時m分", "Y/M/D", "Y-M-D h:m:s", "M月D日", "YMD")},
	{"ja", []string{"価格は %s 円", "口座に%s円振り込みました", "¥%s でした", "カードで%s円払いました", "合計%s円"}, money},
	{"ja", []string{"%s に電話しました", "フリーダイヤル %s", "%s につながりません"}, of("0120-###-###", "0800-###-####", "0570-###-###", "0120######")},
	{"ja", []string{"商品 %s", "バーコード %s", "商品コードは%sです"}, article("490", "491", "450", "978")},
	{"ja", []string{"郵便番号 %s です", "〒%s 東京都", "会員 %s 番"}, of("1##-####", "5##-####")},
	{"ja", []string{"型番 %s", "シリアル番号は%sです", "商品 %s"}, of("TK#######", "MZ#######", "KX-#####", "S########")},
	{"ja", []string{"バージョン %s", "ファームウェア %s"}, of("1[0-9].[0-9].[0-9]", "[1-9].[0-9].[0-9].[1-9]")},
	{"en", []string{"Order %s is late", "order number %s", "ticket %s", "Reference %s", "booking %s"},
		of("112-#######-#######", "[1-9]############", "[1-9]#########", "[A-Z]########", "####-####-####", "00########")},
	{"en", []string{"Tracking %s", "FedEx tracking %s", "UPS %s", "Parcel %s left", "shipment %s"}, of("1Z999AA1########",
		"[1-9]###########", "00########", "[1-9]####### ####")},
	{"en", []string{"ISBN %s", "barcode %s", "SKU %s"}, article("978", "979", "012", "506")},
	{"en", []string{"since %s", "on %s", "log: %s error", "%s"}, at("Y-M-DTh:m:sZ", "M/D/Y", "D.M.Y", "Y-M-D h:m:s", "Y-M-D h",
		"Y M D h m")},
	{"en", []string{"sales rose by +%s in March", "we sold +%s", "+%s views"}, of("[1-9]00 000 000", "[1-9]## ###",
		"[1-9] ### ###", "[1-9]# ###")},
	{"en", []string{"the total is $%s", "%s won", "%s yen per year", "card was charged USD %s", "account shows $%s"}, money},
	{"en", []string{"call %s for help", "toll free %s"}, of("1-800-###-####", "1-888-###-####", "800-###-####", "1-877-[2-9]##-####")},
	{"en", []string{"id %s failed", "UUID %s", "trace %s"}, uuid},
	{"en", []string{"hex 0x%s", "commit %s", "etag %s"}, hex(16)},
	{"en", []string{"std::cout << %s;", "text192.168.1.%s", "version 1.2.%s.4", "react@18.2.%s", "room %s, floor 12",
		"a::b %s", "v10.0.0.%s", "at 10:20:%s"}, of("[1-9]#", "[1-9]")},
	{"en", []string{"IMEI %s locked", "serial %s broken", "model %s", "invoice %s"}, of("49[0-9]############", "S########",
		"R########", "20##-######")},
	{"en", []string{"coordinates 40.%s -74.%s", "pi is 3.%s", "0.%s of it"}, of("######", "########")},
	{"en", []string{"timestamp %s", "\"ts\":%s"}, of("17[6-9]##########", "17[6-9]#######")},
}
