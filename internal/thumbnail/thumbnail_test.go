package thumbnail

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
)

// quarters is red, green, blue and white, from the top left.
func quarters(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{255, 0, 0, 255}
			switch {
			case x >= w/2 && y < h/2:
				c = color.RGBA{0, 255, 0, 255}
			case x < w/2 && y >= h/2:
				c = color.RGBA{0, 0, 255, 255}
			case x >= w/2:
				c = color.RGBA{255, 255, 255, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func jpegOf(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}))
	return b.Bytes()
}

func pngOf(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	return b.Bytes()
}

// held puts an EXIF part with the orientation into a JPEG file.
func held(file []byte, o uint16, order binary.AppendByteOrder, mark string) []byte {
	tiff := []byte(mark)
	tiff = order.AppendUint16(tiff, 42)
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 1)
	tiff = order.AppendUint16(tiff, 0x0112)
	tiff = order.AppendUint16(tiff, 3)
	tiff = order.AppendUint32(tiff, 1)
	tiff = order.AppendUint16(tiff, o)
	tiff = append(tiff, 0, 0, 0, 0, 0, 0)
	part := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{}, file[:2]...)
	out = append(out, 0xFF, 0xE1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(part)+2))
	out = append(out, part...)
	return append(out, file[2:]...)
}

// corners names the colours of the corners, clockwise from the top left.
func corners(t *testing.T, p Picture) string {
	t.Helper()
	img, _, err := image.Decode(bytes.NewReader(p.Data))
	require.NoError(t, err)
	b := img.Bounds()
	require.Equal(t, [2]int{p.Width, p.Height}, [2]int{b.Dx(), b.Dy()})
	name := func(x, y int) string {
		r, g, bl, _ := img.At(x, y).RGBA()
		switch {
		case r > 0x8000 && g > 0x8000:
			return "w"
		case r > 0x8000:
			return "r"
		case g > 0x8000:
			return "g"
		case bl > 0x8000:
			return "b"
		}
		return "?"
	}
	return name(2, 2) + name(b.Max.X-3, 2) + name(b.Max.X-3, b.Max.Y-3) + name(2, b.Max.Y-3)
}

func TestEveryFormatBecomesASmallPicture(t *testing.T) {
	wide := quarters(400, 200)
	var moving bytes.Buffer
	palette := image.NewPaletted(image.Rect(0, 0, 400, 200), color.Palette{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}})
	require.NoError(t, gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{palette, palette}, Delay: []int{1, 1}}))
	for name, c := range map[string]struct {
		file []byte
		want string
	}{"jpeg": {jpegOf(t, wide), "rgwb"}, "png": {pngOf(t, wide), "rgwb"}, "gif": {moving.Bytes(), "rrrr"}} {
		p, err := Make(bytes.NewReader(c.file), 100)
		require.NoError(t, err, name)
		require.Equal(t, [2]int{100, 50}, [2]int{p.Width, p.Height}, name)
		require.Equal(t, "image/jpeg", p.Type)
		require.Equal(t, c.want, corners(t, p), name)
	}
	p, err := Make(bytes.NewReader(webp(t)), 100)
	require.NoError(t, err)
	require.Equal(t, 1, p.Width)
	clear := image.NewRGBA(image.Rect(0, 0, 200, 200))
	p, err = Make(bytes.NewReader(pngOf(t, clear)), 50)
	require.NoError(t, err)
	require.Equal(t, "image/png", p.Type, "it stays see-through")
	p, err = Make(bytes.NewReader(pngOf(t, quarters(20, 10))), 100)
	require.NoError(t, err)
	require.Equal(t, 20, p.Width, "a small one is not blown up")
	p, err = Make(bytes.NewReader(pngOf(t, quarters(3000, 2))), 100)
	require.NoError(t, err)
	require.Equal(t, [2]int{100, 1}, [2]int{p.Width, p.Height})
}

// webp is one pixel, lossless.
func webp(t testing.TB) []byte {
	raw, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	require.NoError(t, err)
	return raw
}

func TestPhotosAreUpright(t *testing.T) {
	file := jpegOf(t, quarters(64, 32))
	for o, want := range map[uint16]string{1: "rgwb", 2: "grbw", 3: "wbrg", 4: "bwgr", 5: "rbwg", 6: "brgw", 7: "wgrb",
		8: "gwbr", 9: "rgwb"} {
		p, err := Make(bytes.NewReader(held(file, o, binary.LittleEndian, "II")), 100)
		require.NoError(t, err)
		require.Equal(t, want, corners(t, p), "orientation %d", o)
		same, err := Make(bytes.NewReader(held(file, o, binary.BigEndian, "MM")), 100)
		require.NoError(t, err)
		require.Equal(t, p, same)
		require.NotContains(t, string(p.Data), "Exif", "nothing of the camera's stays")
	}
}

// enlarged is a PNG file whose header claims another size.
func enlarged(t testing.TB, w, h uint32, depth byte) []byte {
	file := pngOf(t, image.NewRGBA(image.Rect(0, 0, 1, 1)))
	binary.BigEndian.PutUint32(file[16:], w)
	binary.BigEndian.PutUint32(file[20:], h)
	file[24] = depth
	binary.BigEndian.PutUint32(file[29:], crc32.ChecksumIEEE(file[12:29]))
	return file
}

func TestWhatWouldTakeTooMuchIsNotDecoded(t *testing.T) {
	for name, file := range map[string][]byte{
		"50,000 pixels a side":   enlarged(t, 50_000, 50_000, 8),
		"16 bits a channel":      enlarged(t, 7000, 7000, 16),
		"cut short":              jpegOf(t, quarters(64, 64))[:200],
		"claims more than it is": enlarged(t, 3000, 3000, 8),
	} {
		_, err := Make(bytes.NewReader(file), 100)
		require.ErrorIs(t, err, errs.Invalid, name)
	}
	_, err := Make(bytes.NewReader([]byte("%PDF-1.7")), 100)
	require.Error(t, err)
	_, err = Make(bytes.NewReader([]byte("plain text")), 100)
	require.ErrorIs(t, err, errs.Unsupported)
}

func TestAFilmHasAPoster(t *testing.T) {
	p, err := Poster()
	require.NoError(t, err)
	_, format, err := image.Decode(bytes.NewReader(p.Data))
	require.NoError(t, err)
	require.Equal(t, "jpeg", format)
}

func FuzzMake(f *testing.F) {
	f.Add(held(jpegOf(f, quarters(16, 8)), 6, binary.LittleEndian, "II"))
	f.Add(pngOf(f, quarters(16, 8)))
	f.Add(webp(f))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := Make(bytes.NewReader(file), 32)
		if err != nil {
			if errs.KindOf(err) == nil {
				t.Errorf("an error without a kind: %v", err)
			}
			return
		}
		if p.Width > 32 || p.Height > 32 || p.Width < 1 || p.Height < 1 {
			t.Errorf("%d by %d pixels", p.Width, p.Height)
		}
	})
}
