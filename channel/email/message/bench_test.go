package message

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// BenchmarkParse: an answer of a usual client, and a mail of 25 MB.
func BenchmarkParse(b *testing.B) {
	small := []byte("From: Mina <mina@example.com>\r\nSubject: =?ks_c_5601-1987?B?wda5rg==?=\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\n\r\n감사합니다.\r\n\r\nOn Sun, Mar 1, 2026 at 10:00 AM Shop <help@shop.example> wrote:\r\n" +
		strings.Repeat("> 확인했습니다.\r\n", 50) +
		"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>감사합니다.</p>" + strings.Repeat("<blockquote>확인했습니다.</blockquote>",
		50) + "\r\n--b--\r\n")
	var large bytes.Buffer
	large.WriteString("From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee the file\r\n--b\r\n" +
		"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	text := base64.StdEncoding.EncodeToString(make([]byte, 18<<20))
	for ; len(text) > 76; text = text[76:] {
		large.WriteString(text[:76] + "\r\n")
	}
	large.WriteString(text + "\r\n--b--\r\n")
	for name, raw := range map[string][]byte{"answer": small, "25 MB": large.Bytes()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				Parse(raw, Options{})
			}
		})
	}
}
