package sangdam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/blob"
)

// upload keeps a file for an answer of the principal.
func (w *world) upload(p sangdam.Principal, name, bytes string) sangdam.Uploaded {
	w.t.Helper()
	up, err := w.eng.Upload(w.ctx, p, sangdam.Upload{Name: name, Body: strings.NewReader(bytes)})
	require.NoError(w.t, err)
	return up
}

// naming is a message with uploads.
func naming(ups ...sangdam.Uploaded) channel.Content {
	first := ups[0].Media
	c := channel.Content{Kind: ups[0].Kind, Text: "see", Media: &first}
	for _, up := range ups[1:] {
		c.Attachments = append(c.Attachments, up.Media)
	}
	return c
}

// painted is a PNG picture.
func painted(t *testing.T, w, h int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{uint8(x), uint8(y), 120, 255})
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	return b.Bytes()
}

func readAll(t *testing.T, a *sangdam.Attachment, err error) string {
	t.Helper()
	require.NoError(t, err)
	raw, err := io.ReadAll(a)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	return string(raw)
}

// What an answer names is there as long as the answer, for whoever may read it,
// and an upload is named once, by whom it belongs to.
func TestAnUploadBelongsToItsOwnerUntilAMessageNamesIt(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1", "a2")
		one := w.begun(w.line.User("Mina"), "hello")
		owner, other := w.agent(one.Agent), w.agent("a1")
		if one.Agent == "a1" {
			other = w.agent("a2")
		}
		answer := func(p sangdam.Principal, up sangdam.Uploaded) (sangdam.Posted, error) {
			return w.eng.Answer(w.ctx, p, sangdam.Answer{Conversation: one.Conversation, Content: naming(up)})
		}
		theirs := w.upload(other, "a.pdf", "%PDF-1.7 theirs")
		_, err := answer(owner, theirs)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "another agent's")
		made := channel.Media{Blob: strings.Repeat("0", 40), Name: "x", Type: "image/png"}
		_, err = answer(owner, sangdam.Uploaded{Media: made, Kind: channel.KindFile})
		require.ErrorIs(t, err, sangdam.ErrNotFound, "nobody's")

		up := w.upload(owner, "../견적서\u202e.pdf", "%PDF-1.7 the file")
		require.Equal(t, "application/pdf", up.Media.Type)
		require.Equal(t, "견적서.pdf", up.Media.Name)
		require.Equal(t, channel.KindFile, up.Kind)
		lied := up
		lied.Media.Name, lied.Media.Type, lied.Media.Size = "evil.html", "text/html", 1
		sent, err := answer(owner, lied)
		require.NoError(t, err)
		_, err = answer(owner, up)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "once")
		w.settle()

		file, err := w.eng.Attachment(w.ctx, other, sangdam.AttachmentRef{Message: sent.Message})
		require.NoError(t, err, "both are on the desk")
		require.Equal(t, "견적서.pdf", file.Name)
		require.Equal(t, "application/pdf", file.Type)
		require.Equal(t, up.SHA256, file.SHA256)
		require.Equal(t, int64(17), file.Size)
		require.Equal(t, "%PDF-1.7 the file", readAll(t, file, err))
		w.otherDesk("elsewhere", "a9")
		for name, ref := range map[string]sangdam.AttachmentRef{"of a desk of others": {Message: sent.Message},
			"no such message": {Message: "none"}} {
			_, err = w.eng.Attachment(w.ctx, w.agent("a9"), ref)
			require.ErrorIs(t, err, sangdam.ErrNotFound, name)
			require.EqualError(t, err, "sangdam: there is no such attachment", name)
		}
		for _, n := range []int{-1, 1} {
			_, err = w.eng.Attachment(w.ctx, owner, sangdam.AttachmentRef{Message: sent.Message, N: n})
			require.ErrorIs(t, err, sangdam.ErrNotFound)
		}
	}, longOffers)
}

func TestUploadsAreBoundedAndRepeatable(t *testing.T) {
	inWorld(t, func(w *world) {
		a1 := w.agent("a1")
		try := func(u sangdam.Upload, body string) (sangdam.Uploaded, error) {
			u.Body = strings.NewReader(body)
			return w.eng.Upload(w.ctx, a1, u)
		}
		blobs := func() int {
			names, err := w.cfg.Blobs.List(w.ctx, time.Now().Add(time.Hour), "", 1000)
			require.NoError(t, err)
			return len(names)
		}
		for name, bad := range map[string]string{"empty": "", "too large": "12345", "a damaged picture": "\x89PN"} {
			limit := int64(4)
			if name == "a damaged picture" {
				limit, bad = 1000, string(pixel[:40])
			}
			_, err := try(sangdam.Upload{Limit: limit}, bad)
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
		}
		_, err := w.eng.Upload(w.ctx, a1, sangdam.Upload{})
		require.ErrorIs(t, err, sangdam.ErrInvalid, "no body")
		require.Zero(t, blobs(), "nothing of what was refused is kept")
		first, err := try(sangdam.Upload{Key: "k", Name: "a.txt"}, "text")
		require.NoError(t, err)
		again, err := try(sangdam.Upload{Key: "k", Name: "a.txt"}, "text")
		require.NoError(t, err)
		require.Equal(t, first, again)
		require.Equal(t, 1, blobs())
		_, err = try(sangdam.Upload{Key: "k", Name: "a.txt"}, "other")
		require.ErrorIs(t, err, sangdam.ErrConflict)
		for range 99 {
			_, err = try(sangdam.Upload{}, "more")
			require.NoError(t, err)
		}
		_, err = try(sangdam.Upload{}, "one too many")
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.Equal(t, 100, blobs())
		w.pass(21 * time.Hour)
		late, err := try(sangdam.Upload{}, "the others' time is over")
		require.NoError(t, err)
		w.pass(26 * time.Hour)
		require.Zero(t, blobs(), "what nobody named is swept")
		w.online("a1")
		w.line.User("Mina").SendText("hi")
		w.settle()
		c := w.accept()
		_, err = w.eng.Answer(w.ctx, a1, sangdam.Answer{Conversation: c.Conversation, Content: naming(late)})
		require.ErrorIs(t, err, sangdam.ErrNotFound)
	})
}

// A file reaches a LINE customer as an address that LINE fetches without
// credentials, with a preview for pictures and films.
func TestAnUploadIsSentAsAnAddress(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		one := w.begun(mina, "hello")
		a1 := w.agent("a1")
		content := naming(w.upload(a1, "사진 1.png", string(painted(t, 600, 300))), w.upload(a1, "film.mp4", "\x00\x00\x00\x18ftypmp42 film"),
			w.upload(a1, "list.pdf", "%PDF-1.7 list"))
		outlook, err := w.eng.Preview(w.ctx, a1, one.Conversation, content)
		require.NoError(t, err)
		require.Empty(t, outlook.Refused)
		sent, err := w.eng.Answer(w.ctx, a1, sangdam.Answer{Conversation: one.Conversation, Content: content})
		require.NoError(t, err)
		w.settle()
		got := mina.Received()
		got = got[len(got)-4:]
		var picture, film struct{ Type, OriginalContentURL, PreviewImageURL string }
		require.NoError(t, json.Unmarshal(got[0].Message, &picture))
		require.Equal(t, "see", got[1].Text)
		require.NoError(t, json.Unmarshal(got[2].Message, &film))
		require.Equal(t, []string{"image", "video"}, []string{picture.Type, film.Type})
		require.Contains(t, got[3].Text, "list.pdf", "LINE has no files: a link goes out")

		served := sangdam.AttachmentLinks(w.eng)
		fetch := func(address string) *httptest.ResponseRecorder {
			u, err := url.Parse(address)
			require.NoError(t, err)
			out := httptest.NewRecorder()
			served.ServeHTTP(out, httptest.NewRequest(http.MethodGet, u.RequestURI(), nil))
			return out
		}
		full := fetch(picture.OriginalContentURL)
		require.Equal(t, http.StatusOK, full.Code)
		require.Equal(t, "image/png", full.Header().Get("Content-Type"))
		require.Contains(t, full.Header().Get("Content-Disposition"), "filename*=UTF-8''%EC%82%AC%EC%A7%84%201.png")
		small := fetch(picture.PreviewImageURL)
		require.Equal(t, "image/jpeg", small.Header().Get("Content-Type"))
		require.Less(t, small.Body.Len(), 1<<20)
		require.Equal(t, "image/jpeg", fetch(film.PreviewImageURL).Header().Get("Content-Type"), "a poster")
		_, link, found := strings.Cut(got[3].Text, "https://")
		require.True(t, found)
		require.Equal(t, "%PDF-1.7 list", fetch("https://"+link).Body.String())
		for name, bad := range map[string]string{
			"guessed": "https://desk.test/files/" + ws + "/" + strings.Repeat("0", 40) + "/x", "short": "https://desk.test/x",
			"another workspace": strings.Replace(picture.OriginalContentURL, "/"+ws+"/", "/w9/", 1)} {
			require.Equal(t, http.StatusNotFound, fetch(bad).Code, name)
		}
		file, err := w.eng.Attachment(w.ctx, a1, sangdam.AttachmentRef{Message: sent.Message, N: 2})
		require.Equal(t, "%PDF-1.7 list", readAll(t, file, err))
		many := content
		many.Attachments = make([]channel.Media, 5)
		_, err = w.eng.Answer(w.ctx, a1, sangdam.Answer{Conversation: one.Conversation, Content: many})
		require.Error(t, err, "more than a message carries")
		if !w.real {
			w.jump(91 * 24 * time.Hour)
			require.Equal(t, http.StatusNotFound, fetch(picture.OriginalContentURL).Code, "its time is over")
		}
	}, longOffers)
}

// Without an address to fetch from, an upload is refused with what to do, and
// the host's own links work.
func TestWithoutFilesURLAnUploadIsRefusedOnLINE(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		up := w.upload(w.agent("a1"), "a.pdf", "%PDF-1.7")
		content := naming(up)
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c.Conversation, Content: content})
		require.ErrorIs(t, err, sangdam.ErrUnsupported)
		require.ErrorContains(t, err, "FilesURL")
		content.Media.URL = "https://files.example/a.pdf"
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c.Conversation, Content: content})
		require.NoError(t, err)
	}, withConfig(func(c *sangdam.Config) { c.FilesURL = "" }))
}

// A thumbnail is made once, kept, and goes with the message.
func TestThumbnails(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		posted := mina.Send(linetest.Image("image/png", painted(t, 1000, 500)))
		mina.Send(linetest.File("a.txt", "text/plain", []byte("words")))
		broken := append([]byte{}, pixel...)
		mina.Send(linetest.Image("image/png", broken[:45]))
		w.settle()
		all := w.only().Messages
		var files []conversation.MessageID
		for _, m := range all {
			if m.Direction == conversation.Inbound {
				files = append(files, m.ID)
			}
		}
		count := func() int {
			names, err := w.cfg.Blobs.List(w.ctx, time.Now().Add(1000*time.Hour), "", 100)
			require.NoError(t, err)
			return len(names)
		}
		before := count()
		for range 3 {
			small, err := w.eng.Thumbnail(w.ctx, w.agent("a1"), sangdam.AttachmentRef{Message: files[0]})
			require.NoError(t, err)
			config, _, err := image.DecodeConfig(small)
			require.NoError(t, err)
			require.NoError(t, small.Close())
			require.Equal(t, [2]int{480, 240}, [2]int{config.Width, config.Height})
		}
		for range 2 {
			for _, id := range files[1:] {
				_, err := w.eng.Thumbnail(w.ctx, w.agent("a1"), sangdam.AttachmentRef{Message: id})
				require.ErrorIs(t, err, sangdam.ErrUnsupported)
			}
		}
		require.Equal(t, before+1, count(), "made once")
		_, err := mina.Unsend(posted.MessageID)
		require.NoError(t, err)
		w.settle()
		for _, open := range []func() error{
			func() error {
				_, err := w.eng.Attachment(w.ctx, w.agent("a1"), sangdam.AttachmentRef{Message: files[0]})
				return err
			},
			func() error {
				_, err := w.eng.Thumbnail(w.ctx, w.agent("a1"), sangdam.AttachmentRef{Message: files[0]})
				return err
			},
		} {
			require.ErrorIs(t, open(), sangdam.ErrNotFound)
		}
	})
}

// Files that messages name stay, an agent's and a visitor's, when what nobody
// named is swept.
func TestFilesOfMessagesOutliveTheSweep(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		agents := w.upload(w.agent("a1"), "a.pdf", "%PDF-1.7 the agent's")
		sent, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: naming(agents)})
		require.NoError(t, err)
		visitor := w.visitor("guest")
		visitors, err := visitor.port().Upload(w.ctx, visitor.ref, "b.txt", strings.NewReader("the visitor's"), 100)
		require.NoError(t, err)
		posted, err := visitor.port().Post(w.ctx, visitor.ref, "k", channel.Content{Kind: channel.KindFile, Media: &visitors})
		require.NoError(t, err)
		nobodys := w.upload(w.agent("a1"), "c.pdf", "%PDF-1.7 of no message")
		w.pass(27 * time.Hour)
		for message, want := range map[conversation.MessageID]string{sent.Message: "%PDF-1.7 the agent's", posted.ID: "the visitor's"} {
			file, err := w.eng.Attachment(w.ctx, w.host, sangdam.AttachmentRef{Message: message})
			require.Equal(t, want, readAll(t, file, err))
		}
		_, err = w.cfg.Blobs.Open(w.ctx, nobodys.Media.Blob)
		require.ErrorIs(t, err, blob.ErrNotFound)
	}, longOffers)
}

func TestAVisitorCannotNameTheFileOfAnother(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		mine, theirs := w.visitor("mine"), w.visitor("theirs")
		media, err := theirs.port().Upload(w.ctx, theirs.ref, "secret.txt", strings.NewReader("a secret"), 100)
		require.NoError(t, err)
		content := channel.Content{Kind: channel.KindFile, Media: &media}
		_, err = mine.port().Post(w.ctx, mine.ref, "k1", content)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		_, err = theirs.port().Post(w.ctx, theirs.ref, "k2", content)
		require.NoError(t, err)
		_, err = mine.port().Post(w.ctx, mine.ref, "k3", content)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
	})
}

// served is the handler that a host mounts, for agent a1, and for nobody
// without the cookie.
func (w *world) served() http.Handler {
	return sangdam.Attachments(w.eng, func(r *http.Request) (sangdam.Principal, error) {
		if _, err := r.Cookie("session"); err != nil {
			return sangdam.Principal{}, sangdam.ErrPermissionDenied
		}
		return w.agent("a1"), nil
	})
}

func (w *world) ask(method, target string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://desk.test"+target, body)
	r.AddCookie(&http.Cookie{Name: "session", Value: "a1"})
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	out := httptest.NewRecorder()
	w.served().ServeHTTP(out, r)
	return out
}

// Whatever a customer sends, a page of the host's shows or downloads it without
// running it.
func TestFilesAreServedHarmlessly(t *testing.T) {
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		mina.Send(linetest.Image("image/png", painted(t, 600, 600)))
		mina.Send(linetest.File("고객 서류.html", "text/html", []byte("<html><script>alert(1)</script>")))
		mina.Send(linetest.File("x.svg", "image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`)))
		mina.Send(linetest.Image("image/png", []byte("<html><script>alert(1)</script>"))) // LINE says that it is a picture
		w.settle()
		var at []string
		for _, m := range w.only().Messages {
			if m.Direction == conversation.Inbound {
				at = append(at, "/files/"+string(m.ID)+"/0")
			}
		}
		got := w.ask(http.MethodGet, at[0], nil)
		require.Equal(t, http.StatusOK, got.Code)
		require.Equal(t, "image/png", got.Header().Get("Content-Type"))
		require.Equal(t, "private, no-cache", got.Header().Get("Cache-Control"))
		whole := got.Body.Bytes()
		part := w.ask("GET", at[0], nil, "Range", "bytes=10-19")
		require.Equal(t, http.StatusPartialContent, part.Code)
		require.Equal(t, whole[10:20], part.Body.Bytes())
		require.Equal(t, http.StatusNotModified, w.ask("GET", at[0], nil, "If-None-Match", got.Header().Get("ETag")).Code)
		require.Equal(t, strconv.Itoa(len(whole)), w.ask("HEAD", at[0], nil).Header().Get("Content-Length"))
		require.Contains(t, w.ask("GET", at[0]+"?download", nil).Header().Get("Content-Disposition"), "attachment")
		require.Equal(t, "image/jpeg", w.ask("GET", at[0]+"?thumbnail", nil).Header().Get("Content-Type"))
		require.Equal(t, http.StatusUnprocessableEntity, w.ask("GET", at[1]+"?thumbnail", nil).Code)
		for _, target := range at[1:] {
			got := w.ask("GET", target, nil)
			require.Equal(t, http.StatusOK, got.Code)
			require.Equal(t, "application/octet-stream", got.Header().Get("Content-Type"))
			require.Equal(t, "nosniff", got.Header().Get("X-Content-Type-Options"))
			require.Contains(t, got.Header().Get("Content-Security-Policy"), "sandbox")
			require.True(t, strings.HasPrefix(got.Header().Get("Content-Disposition"), "attachment"))
		}
		require.Contains(t, w.ask("GET", at[1], nil).Header().Get("Content-Disposition"), "filename*=UTF-8''%EA%B3%A0%EA%B0%9D%20")
		for target, want := range map[string]int{"/files/none/0": 404, "/files": 404, strings.TrimSuffix(at[0], "0") + "7": 404} {
			require.Equal(t, want, w.ask("GET", target, nil).Code, target)
		}
		require.Equal(t, http.StatusMethodNotAllowed, w.ask("DELETE", at[0], nil).Code)
		stranger := httptest.NewRecorder()
		w.served().ServeHTTP(stranger, httptest.NewRequest("GET", at[0], nil))
		require.Equal(t, http.StatusForbidden, stranger.Code)
	})
}

func TestFilesAreTakenFromPages(t *testing.T) {
	inWorld(t, func(w *world) {
		c := string(active(w).Conversation)
		uploaded := func(got *httptest.ResponseRecorder) sangdam.Uploaded {
			require.Equal(t, http.StatusCreated, got.Code, got.Body.String())
			var up sangdam.Uploaded
			require.NoError(t, json.Unmarshal(got.Body.Bytes(), &up))
			return up
		}
		target := "/files?conversation=" + c + "&name=" + url.QueryEscape("견적.pdf")
		raw := w.ask("POST", target, strings.NewReader("%PDF-1.7 a"), "Idempotency-Key", "k1")
		up := uploaded(raw)
		require.Equal(t, "견적.pdf", up.Media.Name)
		again := w.ask("POST", target, strings.NewReader("%PDF-1.7 a"), "Idempotency-Key", "k1")
		require.Equal(t, raw.Body.String(), again.Body.String())
		var form bytes.Buffer
		fields := multipart.NewWriter(&form)
		require.NoError(t, fields.WriteField("conversation", c))
		file, err := fields.CreateFormFile("file", "사진.png")
		require.NoError(t, err)
		_, err = file.Write(painted(t, 30, 30))
		require.NoError(t, err)
		require.NoError(t, fields.Close())
		picture := uploaded(w.ask("POST", "/files", &form, "Content-Type", fields.FormDataContentType()))
		require.Equal(t, channel.KindImage, picture.Kind)
		require.Equal(t, "사진.png", picture.Media.Name)
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: conversation.ID(c), Content: naming(picture, up)})
		require.NoError(t, err)
		for name, got := range map[string]*httptest.ResponseRecorder{
			"another origin":       w.ask("POST", "/files", strings.NewReader("x"), "Sec-Fetch-Site", "cross-site"),
			"no such conversation": w.ask("POST", "/files?conversation=none", strings.NewReader("x")),
			"empty":                w.ask("POST", "/files", strings.NewReader("")),
			"a form without file":  w.ask("POST", "/files", strings.NewReader("--b--"), "Content-Type", "multipart/form-data; boundary=b"),
			"cut off": w.ask("POST", "/files",
				io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(io.ErrUnexpectedEOF))),
			"too large": w.ask("POST", "/files", strings.NewReader(strings.Repeat("x", 20_000))),
		} {
			want := map[string]int{"another origin": 403, "no such conversation": 404}[name]
			if want == 0 {
				want = 400
			}
			require.Equal(t, want, got.Code, name)
		}
	}, withConfig(func(c *sangdam.Config) { c.MaxMedia = 10_000 }))
}

// slow is a body that never comes to its end.
type slow struct{ until chan struct{} }

func (s slow) Read([]byte) (int, error) {
	<-s.until
	return 0, io.ErrUnexpectedEOF
}

// Whoever sends slowly, or goes away, holds up nobody else's files.
func TestASlowSenderIsNotTheStoresFault(t *testing.T) {
	inWorld(t, func(w *world) {
		until := make(chan struct{})
		for range 10 {
			begun := strings.NewReader(strings.Repeat("x", 5000))
			_, err := w.eng.Upload(w.ctx, w.agent("a1"), sangdam.Upload{Body: io.MultiReader(begun, slow{until})})
			require.Error(t, err, "cut off after ten minutes")
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			_, err = w.eng.Upload(ctx, w.agent("a1"), sangdam.Upload{Body: slow{until}})
			cancel()
			require.Error(t, err, "the sender went away")
		}
		w.upload(w.agent("a1"), "a.txt", "as before")
		close(until)
	})
}

// unseekable is a blob store whose blobs can only be read from the start.
type unseekable struct{ blob.Store }

func (u unseekable) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := u.Store.Open(ctx, name)
	return struct{ io.ReadCloser }{r}, err
}

func TestRangesAreServedFromAStoreThatCannotSeek(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w).Conversation
		content := naming(w.upload(w.agent("a1"), "a.txt", "0123456789"))
		sent, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c, Content: content})
		require.NoError(t, err)
		target := "/files/" + string(sent.Message) + "/0"
		require.Equal(t, "0123456789", w.ask("GET", target, nil).Body.String())
		require.Equal(t, "789", w.ask("GET", target, nil, "Range", "bytes=-3").Body.String())
		require.Equal(t, "234", w.ask("GET", target, nil, "Range", "bytes=2-4").Body.String())
		several := w.ask("GET", target, nil, "Range", "bytes=1-1,8-8")
		require.Equal(t, http.StatusPartialContent, several.Code)
		require.Equal(t, http.StatusRequestedRangeNotSatisfiable, w.ask("GET", target, nil, "Range", "bytes=99-").Code)
	}, withConfig(func(c *sangdam.Config) { c.Blobs = unseekable{blob.Memory()} }))
}

// A host mounts the two handlers beside its own pages.
func ExampleAttachments() {
	var eng *sangdam.Engine // made with New
	signedIn := func(r *http.Request) (sangdam.Principal, error) {
		return sangdam.AgentPrincipal("shop", "jisoo"), nil // from the host's session
	}
	mux := http.NewServeMux()
	mux.Handle("/attachments/", sangdam.Attachments(eng, signedIn))
	mux.Handle("/files/", sangdam.AttachmentLinks(eng)) // Config.FilesURL is https://desk.example/files
	fmt.Println(mux != nil)
	// Output: true
}
