package smtpout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

// FileBytes is how many bytes of files go with a mail where nobody says
// otherwise. Written as base64 in
// lines of 76 characters (RFC 2045, 6.8) it is 9.6 million bytes, which leaves
// room for the text below 10,240,000: the message_size_limit that Postfix has
// unless somebody changes it, https://www.postfix.org/postconf.5.html. Gmail
// takes 25 MB, https://support.google.com/mail/answer/6584.
const FileBytes = 7_000_000

// File is a file that goes in the mail.
type File struct {
	Blob string `json:"blob"`
	Name string `json:"name"`
	Type string `json:"type"`
	Size int64  `json:"size"`
}

// FileType is the media type as a part of a mail may have it.
func FileType(t string) string {
	kind, _, err := mime.ParseMediaType(t)
	if err != nil || !strings.Contains(kind, "/") || strings.HasPrefix(kind, "multipart/") || strings.HasPrefix(kind, "message/") {
		return "application/octet-stream"
	}
	return kind
}

// WithFiles writes files into a mail, the same to the byte for the same id.
func WithFiles(ctx context.Context, mail []byte, id string, files []File, open adapter.OpenFile) ([]byte, error) {
	if len(files) == 0 {
		return mail, nil
	}
	head, body, found := bytes.Cut(mail, []byte("\r\n\r\n"))
	if !found {
		return nil, &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonContent, Detail: "the stored mail has no text"}
	}
	outer, inner := splitHead(string(head))
	sum := sha256.Sum256([]byte(id))
	boundary := "sangdam-files-" + hex.EncodeToString(sum[:12])
	var b bytes.Buffer
	fmt.Fprintf(&b, "%sContent-Type: multipart/mixed;\r\n boundary=\"%s\"\r\n\r\n--%s\r\n%s\r\n", outer, boundary, boundary, inner)
	b.Write(body)
	for _, f := range files {
		data, err := readFile(ctx, f, open)
		if err != nil {
			return nil, err
		}
		name := mime.BEncoding.Encode("utf-8", f.Name)
		fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: %s\r\n\r\n", boundary,
			mime.FormatMediaType(f.Type, map[string]string{"name": name}), disposition(f.Name))
		lines(&b, data)
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.Bytes(), nil
}

// splitHead separates what is about the mail from what is about its body.
func splitHead(head string) (outer, inner string) {
	content := false
	for _, line := range strings.Split(head, "\r\n") {
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			content = len(line) > 8 && strings.EqualFold(line[:8], "content-")
		}
		if content {
			inner += line + "\r\n"
		} else {
			outer += line + "\r\n"
		}
	}
	return outer, inner
}

// disposition is the disposition of an attachment, its name as RFC 2231 has it.
func disposition(name string) string {
	if d := mime.FormatMediaType("attachment", map[string]string{"filename": name}); d != "" {
		return d
	}
	return "attachment"
}

// readFile reads a file whole: whether it is there must be known before the first
// byte of the mail leaves.
func readFile(ctx context.Context, f File, open adapter.OpenFile) ([]byte, error) {
	r, err := open(ctx, f.Blob)
	if _, is := errors.AsType[*adapter.SendError](err); is {
		return nil, err
	}
	if errors.Is(err, adapter.ErrNotFound) {
		return nil, &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonGone,
			Detail: "a file of the mail is not kept any more"}
	}
	if err != nil {
		return nil, &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonStorage,
			Detail: "a file of the mail cannot be read now"}
	}
	defer r.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(r, f.Size+1))
	if err != nil || int64(len(data)) != f.Size {
		return nil, &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonStorage,
			Detail: "a file of the mail cannot be read now"}
	}
	return data, nil
}

// lines writes base64 as mails want it.
func lines(b *bytes.Buffer, data []byte) {
	const perLine = 57 // bytes of 76 characters
	b.Grow(len(data)/perLine*78 + 100)
	var line [76]byte
	for len(data) > 0 {
		n := min(perLine, len(data))
		base64.StdEncoding.Encode(line[:], data[:n])
		b.Write(line[:base64.StdEncoding.EncodedLen(n)])
		b.WriteString("\r\n")
		data = data[n:]
	}
}
