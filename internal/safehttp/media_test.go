package safehttp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation/privacy"

	"github.com/sangdam/sangdam/internal/errs"
)

func pngOf(t testing.TB, w, h int) []byte {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))))
	return b.Bytes()
}

func jpegOf(t testing.TB, w, h int) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil))
	return b.Bytes()
}

func gifOf(t testing.TB, w, h, frames int) []byte {
	g := &gif.GIF{}
	for range frames {
		g.Image = append(g.Image, image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.Black, color.White}))
		g.Delay = append(g.Delay, 1)
	}
	var b bytes.Buffer
	require.NoError(t, gif.EncodeAll(&b, g))
	return b.Bytes()
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func chunk(kind string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data)))
	b = append(b, data...)
	return append(b, make([]byte, len(data)&1)...)
}

func vp8x(w, h int) []byte {
	d := make([]byte, 10)
	d[4], d[5], d[6] = byte(w-1), byte((w-1)>>8), byte((w-1)>>16)
	d[7], d[8], d[9] = byte(h-1), byte((h-1)>>8), byte((h-1)>>16)
	return chunk("VP8X", d)
}

// pngSized is a PNG whose header claims a size that its data do not have.
func pngSized(w, h uint32, more ...[]byte) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	ihdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), w), h)
	b = append(b, pngChunk(append(ihdr, 8, 0, 0, 0, 0))...)
	b = append(b, bytes.Join(more, nil)...)
	return append(b, pngChunk([]byte("IEND"))...)
}

func pngChunk(kindAndData []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(kindAndData)-4))
	b = append(b, kindAndData...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(kindAndData))
}

const zipEnd = "PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func TestCheckImageAccepts(t *testing.T) {
	vp8 := chunk("VP8 ", append([]byte{0, 0, 0, 0x9d, 0x01, 0x2a}, 7, 0, 5, 0))
	vp8l := chunk("VP8L", append([]byte{0x2f}, binary.LittleEndian.AppendUint32(nil, uint32(7-1|(5-1)<<14))...))
	vp8l = append(vp8l, chunk("XXXX", make([]byte, 8))...)
	for name, c := range map[string]struct {
		file []byte
		want Image
	}{
		"png":           {pngOf(t, 7, 5), Image{"image/png", 7, 5, 1}},
		"jpeg":          {jpegOf(t, 7, 5), Image{"image/jpeg", 7, 5, 1}},
		"gif":           {gifOf(t, 7, 5, 1), Image{"image/gif", 7, 5, 1}},
		"animated gif":  {gifOf(t, 7, 5, 20), Image{"image/gif", 7, 5, 20}},
		"padded gif":    {append(gifOf(t, 7, 5, 1), 0, 0), Image{"image/gif", 7, 5, 1}},
		"animated png":  {pngSized(7, 5, pngChunk([]byte("fcTLxxxx")), pngChunk([]byte("fcTLyyyy"))), Image{"image/png", 7, 5, 2}},
		"webp":          {riff(vp8), Image{"image/webp", 7, 5, 1}},
		"lossless webp": {riff(vp8l), Image{"image/webp", 7, 5, 1}},
		"animated webp": {riff(vp8x(7, 5), chunk("ANMF", make([]byte, 3)), chunk("ANMF", nil)), Image{"image/webp", 7, 5, 2}},
	} {
		got, err := CheckImage(bytes.NewReader(c.file), ImageLimits{})
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
}

func TestCheckImageRefuses(t *testing.T) {
	manyPNG := pngSized(7, 5, bytes.Repeat(pngChunk([]byte("fcTLxxxx")), 10_000))
	for name, file := range map[string][]byte{
		"png of 50k by 50k": pngSized(50_000, 50_000), "png without height": pngSized(10, 0),
		"png of largest size": pngSized(1<<31-1, 1<<31-1),
		"long png":            pngSized(20_001, 1), "webp of 16M by 16M": riff(vp8x(1<<24, 1<<24)),
		"gif of 10000 frames": gifOf(t, 1, 1, 10_000), "png of 10000 frames": manyPNG, "webp of 10000 frames": riff(vp8x(7, 5),
			bytes.Repeat(chunk("ANMF", nil), 10_000)),
		"gif frame beyond the picture": bytes.Replace(gifOf(t, 7, 5, 1), []byte{0x2C, 0, 0, 0, 0, 7, 0, 5, 0},
			[]byte{0x2C, 0, 0, 0, 0, 0xFF, 0xFF, 5, 0}, 1),
		"png and zip": append(pngOf(t, 7, 5), zipEnd...), "jpeg and zip": append(jpegOf(t, 7, 5), zipEnd...),
		"gif and script":              append(gifOf(t, 7, 5, 1), "*/alert(1)"...),
		"jpeg and zip with a comment": append(append(jpegOf(t, 7, 5), zipEnd[:20]...), "\x04\x00abcd"...),
		"jpeg and pdf":                append([]byte("\xff\xd8\xff\xfe\x00\x09%PDF-1.4"), jpegOf(t, 7, 5)[2:]...),
		"jpeg and html":               append([]byte("\xff\xd8\xff\xfe\x00\x09<SCRIPT"), jpegOf(t, 7, 5)[2:]...),
		"gif that is a script":        []byte("GIF89a/*\x10\x10\x00\x00\x00*/=1;alert(1)//"),
		"png and more":                append(pngOf(t, 7, 5), "<?php"...),
		"webp and more":               append(riff(vp8x(7, 5)), "more"...),
		"webp chunk too long":         riff(vp8x(7, 5), []byte("ANMF\xff\xff\xff\xff")),
		"webp of nothing":             riff(chunk("VP8?", make([]byte, 20))),
	} {
		_, err := CheckImage(bytes.NewReader(file), ImageLimits{})
		require.ErrorIs(t, err, ErrImage, name)
		require.ErrorIs(t, err, errs.Invalid, name)
	}
	for name, file := range map[string][]byte{"png": pngOf(t, 7, 5), "gif": gifOf(t, 7, 5, 3), "webp": riff(vp8x(7, 5))} {
		for n := 12; n < len(file); n++ {
			_, err := CheckImage(bytes.NewReader(file[:n]), ImageLimits{})
			require.Error(t, err, "%s cut to %d", name, n)
		}
	}
	for name, file := range map[string]string{"empty": "", "text": "hello", "pdf": " x", "svg": "",
		"bmp": "BM" + strings.Repeat("\x00", 60)} {
		_, err := CheckImage(strings.NewReader(file), ImageLimits{})
		require.ErrorIs(t, err, errs.Unsupported, name)
	}
}

func TestCheckImageLimits(t *testing.T) {
	file := bytes.NewReader(gifOf(t, 100, 50, 3))
	for _, ok := range []ImageLimits{{}, {MaxPixels: 5000}, {MaxSide: 100}, {MaxFrames: 3}} {
		_, err := CheckImage(file, ok)
		require.NoError(t, err, ok)
	}
	for _, bad := range []ImageLimits{{MaxPixels: 4999}, {MaxSide: 99}, {MaxFrames: 2}} {
		_, err := CheckImage(file, bad)
		require.ErrorIs(t, err, ErrImage, bad)
	}
	broken := errors.New("disk")
	_, err := CheckImage(failingSeeker{iotest.ErrReader(broken)}, ImageLimits{})
	require.ErrorIs(t, err, broken, "a failure to read is not a bad picture")
}

type failingSeeker struct{ io.Reader }

func (failingSeeker) Seek(int64, int) (int64, error) { return 0, nil }

func FuzzCheckImage(f *testing.F) {
	for _, b := range [][]byte{pngOf(f, 2, 2), jpegOf(f, 2, 2), gifOf(f, 2, 2, 2), riff(vp8x(2, 2), chunk("ANMF", nil))} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := CheckImage(bytes.NewReader(b), ImageLimits{MaxPixels: 1000, MaxFrames: 5})
		if err != nil {
			require.NotNil(t, errs.KindOf(err), "%v", err)
			return
		}
		require.True(t, Inline(img.Type) && img.Width*img.Height <= 1000 && img.Frames <= 5 && img.Frames > 0)
	})
}

// What can run is recognised and never shown inline, whatever it claims.
func TestSniff(t *testing.T) {
	for head, want := range map[string]string{
		"": "text/plain", "hello": "text/plain", "\x00\x01\x02": "application/octet-stream",
		"<svg xmlns='x' onload='alert(1)'>": "image/svg+xml", "<?xml version='1.0'?><!-- c --><SVG>": "image/svg+xml",
		"\ufeff  <svg>":                     "image/svg+xml",
		"\xff\xfe<\x00s\x00v\x00g\x00>\x00": "image/svg+xml", "<html>": "text/html", "<!DOCTYPE html>": "text/html",
		"hi <script>":               "text/html",
		"<?xml version='1.0'?><a/>": "text/xml", "%PDF-1.7": "application/pdf", "PK\x03\x04": "application/zip",
		"\x89PNG\r\n\x1a\n": "image/png", "\xff\xd8\xff\xe0": "image/jpeg", "GIF89a": "image/gif",
		"RIFF\x00\x00\x00\x00WEBPVP8 ":             "image/webp",
		"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00": "video/mp4", "\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00mp42": "audio/mp4",
		"\x00\x00\x00\x18ftypqt  ": "video/quicktime",
		"\x00\x00\x00\x18ftypheic": "image/heic", "\x00\x00\x00\x18ftypavif": "image/avif", "\x00\x00\x00\x18ftyp3gp5": "video/3gpp",
		"\x00\x00\x00\x18ftypisom": "video/mp4",
		"ID3\x03":                  "audio/mpeg", "\xff\xfb\x90": "audio/mpeg", "\xff\xf1\x50": "audio/aac", "OggS\x00": "audio/ogg",
		"RIFF\x00\x00\x00\x00WAVEfmt ": "audio/wav", "\x1aE\xdf\xa3": "video/webm",
	} {
		require.Equal(t, want, Sniff([]byte(head)), "%q", head)
	}
	for _, never := range []string{"", "image/svg+xml", "text/html", "text/xml", "application/xml", "application/xhtml+xml",
		"application/pdf", "text/plain", "application/octet-stream", "application/javascript", "image/heic"} {
		require.False(t, Inline(never), never)
	}
	for _, shown := range []string{"image/png", "image/jpeg", "image/gif", "image/webp", "video/mp4", "audio/mpeg"} {
		require.True(t, Inline(shown), shown)
	}
}

// Whatever the name, the header has one line and says the safe name.
func FuzzDisposition(f *testing.F) {
	f.Add("../\u202e.exe")
	f.Add(strings.Repeat("x", 149) + "...")
	f.Fuzz(func(t *testing.T, name string) {
		name = privacy.SafeName(name)
		header := Disposition(false, name)
		kind, params, err := mime.ParseMediaType(header)
		require.NoError(t, err, header)
		require.Equal(t, "attachment", kind)
		require.Equal(t, name, params["filename"], header)
		for i := range len(header) {
			require.True(t, header[i] >= ' ' && header[i] <= '~', header)
		}
	})
}

func TestDisposition(t *testing.T) {
	require.Equal(t, `attachment; filename="a b.pdf"`, Disposition(false, "a b.pdf"))
	require.Equal(t, `inline; filename="__.png"; filename*=UTF-8''%ED%99%98%EB%B6%88.png`, Disposition(true, "환불.png"))
	require.Equal(t, `attachment; filename="x__ filename=evil.exe"`, Disposition(false, privacy.SafeName(`x"; filename=evil.exe`)))
	require.NotContains(t, Disposition(false, "a\r\nLocation: x"), "\n")
}

func TestServeHeaders(t *testing.T) {
	h := make(http.Header)
	ServeHeaders(h, "image/png", "photo.png")
	require.Equal(t, `inline; filename="photo.png"`, h.Get("Content-Disposition"))
	require.Equal(t, "image/png", h.Get("Content-Type"))
	for _, active := range []string{"image/svg+xml", "text/html", "text/xml", "application/pdf", "text/html\r\nX: y"} {
		ServeHeaders(h, active, "photo.png")
		require.Equal(t, `attachment; filename="photo.png"`, h.Get("Content-Disposition"), active)
		require.Equal(t, "application/octet-stream", h.Get("Content-Type"), active)
	}
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	require.Contains(t, h.Get("Content-Security-Policy"), "sandbox")
}
