package thumbnail

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

const place = "N37.5665 E126.9780"

// segment is one of a JPEG file.
func segment(marker byte, said string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xFF, marker}, uint16(len(said)+2)), said...) //nolint:gosec // short
}

// noisy is a picture whose data has many bytes 0xFF.
func noisy() image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i * 31)
	}
	img.Set(1, 1, color.RGBA{255, 0, 0, 255})
	return img
}

func encoded(t testing.TB, write func(io.Writer, image.Image) error) []byte {
	var out bytes.Buffer
	require.NoError(t, write(&out, noisy()))
	return out.Bytes()
}

// No picture that goes through says where it was taken; it looks the same,
// and the way that the camera was held stays.
func TestN43PlacesAreTakenOutOfPictures(t *testing.T) {
	plain := encoded(t, func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) })
	exif := string(exifName) + string(exifOf(6)) + strings.Repeat("x", 30) + place
	photo := bytes.Join([][]byte{plain[:2], segment(0xE0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"), segment(0xE1, exif),
		segment(0xE1, "http://ns.adobe.com/xap/1.0/\x00"+place), segment(0xED, "Photoshop 3.0\x00"+place), segment(0xFE, place),
		segment(0xE1, "unheard of "+place), plain[2:]}, nil)
	several := append(bytes.Clone(photo), photo...) // as phones append them

	plainPNG := encoded(t, png.Encode)
	chunk := func(name, said string) []byte {
		out := append(binary.BigEndian.AppendUint32(nil, uint32(len(said))), name+said...) //nolint:gosec // short
		return append(out, 0, 0, 0, 0)
	}
	drawn := bytes.Join([][]byte{plainPNG[:33], chunk("eXIf", place), chunk("tEXt", "Comment\x00"+place), chunk("iTXt", place),
		plainPNG[33:]}, nil)

	riff := func(name, said string) []byte {
		out := append(binary.LittleEndian.AppendUint32([]byte(name), uint32(len(said))), said...) //nolint:gosec // short
		return append(out, make([]byte, len(said)&1)...)
	}
	web := bytes.Join([][]byte{[]byte("RIFF\x00\x00\x00\x00WEBP"), riff("VP8L", "the picture"), riff("EXIF", place), riff("XMP ", place)},
		nil)

	for name, c := range map[string]struct {
		kind string
		file []byte
	}{"jpeg": {"image/jpeg", photo}, "several": {"image/jpeg", several}, "png": {"image/png", drawn}, "webp": {"image/webp", web}} {
		require.Contains(t, string(c.file), place, name)
		var before []byte
		for way, r := range map[string]io.Reader{"whole": bytes.NewReader(c.file),
			"byte by byte": iotest.OneByteReader(bytes.NewReader(c.file)), "halves": iotest.HalfReader(bytes.NewReader(c.file))} {
			got, err := io.ReadAll(Bare(c.kind, r))
			require.NoError(t, err, "%s %s", name, way)
			require.NotContains(t, string(got), place, "%s %s", name, way)
			if before != nil {
				require.Equal(t, before, got, "%s %s", name, way)
			}
			before = got
		}
		switch c.kind {
		case "image/png":
			require.Equal(t, plainPNG, before)
		case "image/webp":
			require.Len(t, before, len(web))
			require.Contains(t, string(before), "the picture")
		default:
			require.Len(t, before, len(c.file))
			require.Contains(t, string(before), "JFIF")
			held, err := orientation(bytes.NewReader(before))
			require.NoError(t, err)
			require.Equal(t, orientationTag(6), held)
			want, err := jpeg.Decode(bytes.NewReader(plain))
			require.NoError(t, err)
			got, err := jpeg.Decode(bytes.NewReader(before))
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

// What has nothing to take out, or is no picture, passes as it is; broken files
// end where they end.
func TestOtherFilesPassAsTheyAre(t *testing.T) {
	plain := encoded(t, func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) })
	drawn := encoded(t, png.Encode)
	for kind, file := range map[string][]byte{"image/jpeg": plain, "image/png": drawn, "application/pdf": []byte("Exif\x00\x00" + place)} {
		got, err := io.ReadAll(Bare(kind, bytes.NewReader(file)))
		require.NoError(t, err)
		require.Equal(t, file, got, kind)
		for n := range min(len(file), 200) {
			got, err := io.ReadAll(Bare(kind, bytes.NewReader(file[:n])))
			require.NoError(t, err)
			require.Equal(t, file[:n], got, "%s cut to %d", kind, n)
		}
	}
	cut := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, 0x10, 0x00}, string(exifName)+place...)
	got, err := io.ReadAll(Bare("image/jpeg", bytes.NewReader(cut)))
	require.NoError(t, err)
	require.NotContains(t, string(got), place)
}

func FuzzBare(f *testing.F) {
	f.Add("image/jpeg", []byte{0xFF, 0xD8, 0xFF, 0xE1, 0, 8, 'E', 'x', 'i', 'f', 0, 0})
	f.Add("image/png", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x01eXIfx"))
	f.Add("image/webp", []byte("RIFF\x00\x00\x00\x00WEBPEXIF\x01\x00\x00\x00x"))
	f.Fuzz(func(t *testing.T, kind string, file []byte) {
		got, err := io.ReadAll(Bare(kind, bytes.NewReader(file)))
		require.NoError(t, err)
		require.LessOrEqual(t, len(got), len(file))
		if kind == "image/jpeg" {
			require.Len(t, got, len(file))
		}
	})
}
