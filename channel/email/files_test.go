package email_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
)

// kept opens files from memory.
func kept(files map[string]string) adapter.OpenFile {
	return func(_ context.Context, blob string) (io.ReadCloser, error) {
		data, is := files[blob]
		if !is {
			return nil, fmt.Errorf("no such blob: %w", adapter.ErrNotFound)
		}
		return io.NopCloser(strings.NewReader(data)), nil
	}
}

func sendFiles(t *testing.T, s *emailtest.Server, acct channel.Account, open adapter.OpenFile, files ...channel.Media) error {
	t.Helper()
	a := email.New(email.Options{Dial: s.Dial})
	require.NoError(t, a.Validate(acct))
	out := adapter.Outbound{Row: "r", To: channel.Chat{Kind: channel.ChatThread, ID: shopKey.Begin("first@example.com")},
		State:   []byte(chatState),
		Content: channel.Content{Kind: channel.KindFile, Text: "see", Media: &files[0], Attachments: files[1:]}}
	at, err := a.Plan(acct, []adapter.Outbound{out}, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), nil)
	require.NoError(t, err)
	require.Less(t, len(at.Request), 10_000, "the request holds no file")
	_, err = a.SendFiles(t.Context(), acct, at, open)
	return err
}

// What agents attach goes out as files, whole and under safe names, beside a
// layout too; a repeat is the same to the byte.
func TestFilesGoInTheMail(t *testing.T) {
	s := server(t)
	pdf := strings.Repeat("%PDF-1.7 \x00\xff\r\n.\r\n", 3000)
	blobs := map[string]string{"b1": pdf, "b2": "사진", "b3": "x"}
	acct := account(func(s *email.Settings) { s.Layouts = []email.Layout{{HTML: "<b>Shop</b>#{content}"}} })
	files := []channel.Media{{Name: "영수증 2026.pdf", Type: "application/pdf", Blob: "b1", Size: int64(len(pdf)), URL: "https://d/1"},
		{Name: "../../etc/x\r\nBcc: all@example.com\u202Egpj.exe", Type: "image/png\r\nX-Evil: 1", Blob: "b2", Size: 6, URL: "https://d/2"},
		{Type: "message/rfc822", Blob: "b3", Size: 1, URL: "https://d/3"}}
	for range 2 {
		require.NoError(t, sendFiles(t, s, acct, kept(blobs), files...))
	}
	got := s.Received("")
	require.Equal(t, got[0].Raw, got[1].Raw)
	m := got[0]
	require.Equal(t, "Shopsee", strings.TrimSpace(m.Text), "no link beside a file that is there")
	require.Contains(t, m.HTML, "<b>Shop</b>see")
	require.Empty(t, m.Header("Bcc"))
	require.NotContains(t, string(m.Raw), "X-Evil: 1")
	require.Len(t, m.Files, 3)
	require.Equal(t, pdf, string(m.Files[0].Data))
	require.Equal(t, []string{"영수증 2026.pdf", "application/pdf"}, []string{m.Files[0].Name, m.Files[0].Type})
	require.Equal(t, "사진", string(m.Files[1].Data))
	require.NotContains(t, m.Files[1].Name, "/")
	require.NotContains(t, m.Files[1].Name, "\u202E")
	require.Equal(t, []string{"file-3", "application/octet-stream"}, []string{m.Files[2].Name, m.Files[2].Type},
		"no reader opens it as a mail within the mail")
	require.Equal(t, 1, strings.Count(strings.ToLower(string(m.Raw)), "mime-version:"))
	for line := range bytes.Lines(m.Raw) {
		require.LessOrEqual(t, len(line), 1000)
	}
}

// What does not fit into the bound of all files together is a link, and a line in
// the account's language says why.
func TestLargeFilesStayLinks(t *testing.T) {
	s := server(t)
	blobs := map[string]string{"a": strings.Repeat("a", 600), "b": strings.Repeat("b", 600), "c": strings.Repeat("c", 300)}
	file := func(name string, size int64) channel.Media {
		return channel.Media{Name: name + ".bin", Type: "application/octet-stream", Blob: name, Size: size, URL: "https://desk.test/" +
			name}
	}
	all := []channel.Media{file("a", 600), file("b", 600), file("c", 300), {Name: "old.pdf", URL: "https://elsewhere.test/old.pdf"}}
	acct := account(func(s *email.Settings) { s.MaxFileBytes = 1000 })
	acct.Language = "ko-KR"
	require.NoError(t, sendFiles(t, s, acct, kept(blobs), all...))
	m := s.Received("")[0]
	require.Len(t, m.Files, 2)
	require.Equal(t, []string{"a.bin", "c.bin"}, []string{m.Files[0].Name, m.Files[1].Name})
	require.Equal(t, "see\n\nb.bin (0.0 MB). 메일에 넣기에는 큰 파일이라 링크로 보내 드립니다.\nhttps://desk.test/b\n\nold.pdf: https://elsewhere.test/old.pdf",
		strings.TrimSpace(m.Text))
	acct = account(func(s *email.Settings) { s.MaxFileBytes = -1 })
	require.NoError(t, sendFiles(t, s, acct, kept(nil), all...))
	m = s.Received("")[1]
	require.Empty(t, m.Files)
	require.Equal(t, 3, strings.Count(m.Text, "Too large for a mail"))
	a := email.New(email.Options{})
	for _, n := range []int64{-2, 50_000_001} {
		require.ErrorIs(t, a.Validate(account(func(s *email.Settings) { s.MaxFileBytes = n })), adapter.ErrInvalid)
	}
}

// A mail whose file is gone, or cannot be read whole, does not leave without it.
func TestNoMailLeavesWithoutItsFile(t *testing.T) {
	s := server(t)
	f := channel.Media{Name: "a.pdf", Type: "application/pdf", Blob: "a", Size: 4, URL: "https://d/a"}
	for name, c := range map[string]struct {
		open adapter.OpenFile
		want adapter.Disposition
	}{
		"gone":    {kept(nil), adapter.Permanent},
		"shorter": {kept(map[string]string{"a": "abc"}), adapter.Retry},
		"longer":  {kept(map[string]string{"a": "abcde"}), adapter.Retry},
		"broken":  {func(context.Context, string) (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF }, adapter.Retry},
	} {
		err := sendFiles(t, s, account(), c.open, f)
		var se *adapter.SendError
		require.ErrorAs(t, err, &se, name)
		require.Equal(t, c.want, se.Disposition, name)
	}
	require.Empty(t, s.Received(""))
}
