package email

import (
	"fmt"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email/message"
	"github.com/sangdam/sangdam/internal/smtpout"
)

// Files go out in the mail, up to a bound for all of them together; what does
// not fit is a link, with a line that says so. A request names the files, whose
// bytes never change, and smtpout.WithFiles writes them into the mail, so that a repeat is
// the same to the byte without the files being stored a second time.

// maxFileBytes is the highest bound, since a mail is made in memory.
const maxFileBytes = 50_000_000

// fileBytes is how many bytes of files go with a mail.
func (s Settings) fileBytes() int64 {
	if s.MaxFileBytes == 0 {
		return smtpout.FileBytes
	}
	return s.MaxFileBytes
}

// divided says which files go in the mail, in their order, and which as links.
func (s Settings) divided(files []channel.Media) (in []smtpout.File, links []channel.Media) {
	room := s.fileBytes()
	for n, f := range files {
		if f.Blob == "" || f.Size <= 0 || f.Size > room {
			links = append(links, f)
			continue
		}
		room -= f.Size
		in = append(in, smtpout.File{Blob: f.Blob, Name: fileName(f, n), Type: smtpout.FileType(f.Type), Size: f.Size})
	}
	return in, links
}

// fileName is one that nothing on the way takes for a path, a header or another
// kind of file.
func fileName(f channel.Media, n int) string {
	if name := message.SafeName(f.Name); name != "" {
		return name
	}
	return fmt.Sprintf("file-%d", n+1)
}

// tooLarge stands before the link of a file that does not fit, in the account's
// language.
var tooLarge = map[string]string{"ko": "메일에 넣기에는 큰 파일이라 링크로 보내 드립니다.",
	"ja": "メールに添付できない大きさのため、リンクでお送りします。", "en": "Too large for a mail; here is its link."}

func tooLargeIn(language string) string {
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	if line, is := tooLarge[base]; is {
		return line
	}
	return tooLarge["en"]
}
