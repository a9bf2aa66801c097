package privacy_test

import (
	"fmt"

	"github.com/sangdam/sangdam/conversation/privacy"
)

func ExampleDetect() {
	text := "주민번호는 ９６０１２１-1021413, 연락처 010-1234-5678"
	findings := privacy.Detect(text)
	for _, f := range findings {
		fmt.Println(f.Type, text[f.Start:f.End], f.Confidence >= privacy.Medium)
	}
	fmt.Println(privacy.Mask(text, privacy.SpansOf(findings, privacy.Medium)))
	// Output:
	// rrn ９６０１２１-1021413 true
	// phone 010-1234-5678 true
	// 주민번호는 **************, 연락처 *************
}

func ExampleDetectAcross() {
	parts := []string{"960121-", "1021413"}
	for i, findings := range privacy.DetectAcross(parts) {
		fmt.Println(privacy.Mask(parts[i], privacy.SpansOf(findings, privacy.Medium)))
	}
	// Output:
	// *******
	// *******
}

func ExampleKeepLast() {
	text := "4111-1111-1111-1234"
	spans := privacy.SpansOf(privacy.Detect("4111-1111-1111-1111"), privacy.Medium)
	fmt.Println(privacy.Mask(text, privacy.KeepLast(text, spans, 4)))
	// Output: ***************1234
}

func ExampleQuery() {
	fmt.Println(privacy.Grams("환불"))
	fmt.Println(privacy.Query("환불"), privacy.Query("불"))
	fmt.Println(privacy.Contains("전액 환불 요청", "환불요청"))
	// Output:
	// [angfialnii alnii]
	// [{angfialnii false}] [{alnii true}]
	// true
}

func ExampleSafeName() {
	fmt.Println(privacy.SafeName("../../invoice\u202efdp.exe"))
	// Output: invoicefdp.exe
}
