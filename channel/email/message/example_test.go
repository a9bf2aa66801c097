package message_test

import (
	"fmt"
	"strings"

	"github.com/sangdam/sangdam/channel/email/message"
)

// A mail is read whatever it calls its charset, and what it quotes is folded.
func ExampleParse() {
	raw := "From: Mina <mina@example.com>\nSubject: =?ks_c_5601-1987?B?wda5rg==?=\nContent-Type: text/plain; charset=utf-8\n\n" +
		"감사합니다.\n\n2026년 3월 1일 (일) 오전 10:00, 상담 센터 <help@shop.example>님이 작성:\n> 확인했습니다.\n"
	m := message.Parse([]byte(raw), message.Options{})
	fmt.Println(m.Subject, "/", m.Visible(), "/", m.Kind)
	fmt.Println(strings.Count(m.Text, "\n"), "lines are kept")
	// Output:
	// 주문 / 감사합니다. / person
	// 3 lines are kept
}

// HTML is shown without what acts, and without pictures that tell its sender.
func ExampleClean() {
	safe, hidden := message.Clean(`<p onclick="x()">Hi <img src="https://shop.example/pixel.gif"></p><script>x()</script>`,
		message.NoRemote, nil)
	fmt.Println(safe, hidden)
	// Output:
	// <p>Hi </p> 1
}
