package message

import (
	"bytes"
	"encoding/base64"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkParse: an answer of a usual client, how many of them a second and how
// long the slowest hundredth takes; and a mail of 25 MB, with what parsing it
// allocates and keeps beside the mail itself.
func BenchmarkParse(b *testing.B) {
	small := []byte("From: Mina <mina@example.com>\r\nSubject: =?ks_c_5601-1987?B?wda5rg==?=\r\nContent-Type: multipart/alternative; " +
		"boundary=b\r\n\r\n--b\r\n" +
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
	b.Run("answer", func(b *testing.B) {
		b.ReportAllocs()
		var took []time.Duration
		for b.Loop() {
			began := time.Now()
			Parse(small, Options{})
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
		b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
	})
	b.Run("25 MB", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(large.Len()))
		var before, after runtime.MemStats
		var m Mail
		runtime.GC()
		runtime.ReadMemStats(&before)
		for b.Loop() {
			m = Parse(large.Bytes(), Options{})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "kept-MB")
		runtime.KeepAlive(m)
	})
}
