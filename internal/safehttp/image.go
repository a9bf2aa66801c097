package safehttp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	_ "image/gif"  // for image.DecodeConfig
	_ "image/jpeg" // for image.DecodeConfig
	_ "image/png"  // for image.DecodeConfig
	"io"

	"github.com/sangdam/sangdam/internal/errs"
)

// ErrImage says that a picture is refused: damaged, too large to decode, or
// another format at the same time. It is also errs.Invalid.
var ErrImage = errs.New(errs.Invalid, "safehttp: this picture is refused")

// ImageLimits are the bounds of CheckImage. Zero values stand for the defaults
// named with each.
type ImageLimits struct {
	// MaxPixels bounds width times height. 0: 50 million, which lets a phone's
	// 48-megapixel photo pass and takes 200 MB when it is decoded.
	MaxPixels int64
	// MaxSide bounds width and height. 0: 20000.
	MaxSide int
	// MaxFrames bounds an animation. 0: 1000.
	MaxFrames int
}

// Image is what CheckImage learnt.
type Image struct {
	// Type is image/png, image/jpeg, image/gif or image/webp.
	Type string
	// Width and Height are in pixels, as stored; an orientation is not applied.
	Width, Height int
	// Frames is 1 for a picture that does not move.
	Frames int
}

// CheckImage says whether a picture is safe to decode and to show, reading its
// structure without decoding a pixel. It reads r from the start. Errors:
// ErrImage, errs.Unsupported for what is no PNG, JPEG, GIF or WebP, or the
// error of r.
func CheckImage(r io.ReadSeeker, limits ImageLimits) (Image, error) {
	limits = limits.withDefaults()
	head, err := headAndTail(r)
	if err != nil {
		return Image{}, err
	}
	img := Image{Type: Sniff(head), Frames: 1}
	if err := img.measure(r); err != nil {
		return Image{}, err
	}
	if img.Width < 1 || img.Height < 1 {
		return Image{}, refused("it has no area")
	}
	if img.Width > limits.MaxSide || img.Height > limits.MaxSide || int64(img.Width)*int64(img.Height) > limits.MaxPixels {
		return Image{}, refused("it has too many pixels; send a smaller one")
	}
	if err := img.walk(r, limits.MaxFrames); err != nil {
		return Image{}, err
	}
	return img, nil
}

func (l ImageLimits) withDefaults() ImageLimits {
	if l.MaxPixels <= 0 {
		l.MaxPixels = 50_000_000
	}
	if l.MaxSide <= 0 {
		l.MaxSide = 20_000
	}
	if l.MaxFrames <= 0 {
		l.MaxFrames = 1000
	}
	return l
}

// measure sets width and height.
func (img *Image) measure(r io.ReadSeeker) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	switch img.Type {
	case "image/webp":
		return img.measureWebP(r)
	case "image/png", "image/jpeg", "image/gif":
		tracked := &errReader{r: r}
		config, format, err := image.DecodeConfig(tracked)
		if tracked.err != nil {
			return tracked.err
		}
		if err != nil || "image/"+format != img.Type {
			return refused("it is damaged")
		}
		img.Width, img.Height = config.Width, config.Height
		return nil
	}
	return errs.New(errs.Unsupported, "safehttp: this is no PNG, JPEG, GIF or WebP picture")
}

// walk goes over the parts of the file, counts frames, and refuses what does
// not end where the format ends.
func (img *Image) walk(r io.ReadSeeker, maxFrames int) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	w := newWalker(r, img, maxFrames)
	switch img.Type {
	case "image/gif":
		w.gif()
	case "image/png":
		w.png()
	case "image/webp":
		w.webp()
	}
	return w.result()
}

// tailLen is how far from its end a ZIP archive's directory can stand: its own
// 22 bytes and a comment.
const tailLen = 22 + 1<<16

// headAndTail returns the first bytes, and refuses a file that is a document
// or an archive as well: PDF readers and unpackers look further than its start.
func headAndTail(r io.ReadSeeker) (head []byte, err error) {
	if head, err = readAt(r, 0, sniffLen); err != nil {
		return nil, err
	}
	lower := bytes.ToLower(head)
	for _, mark := range []string{"%pdf-", "<script", "<html", "<svg", "<!doctype"} {
		if bytes.Contains(lower, []byte(mark)) {
			return nil, refused("it holds another format")
		}
	}
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	tail, err := readAt(r, max(0, size-tailLen), tailLen)
	if err != nil {
		return nil, err
	}
	if endsAsZIP(tail) {
		return nil, refused("it holds an archive")
	}
	return head, nil
}

// endsAsZIP looks for the record that ends a ZIP archive (APPNOTE 4.3.16). Its
// comment must reach exactly to the end, or four chance bytes in the pixels
// would refuse a picture now and then.
func endsAsZIP(tail []byte) bool {
	for from := 0; ; from++ {
		i := bytes.Index(tail[from:], []byte("PK\x05\x06"))
		if i < 0 {
			return false
		}
		from += i
		if rest := tail[from:]; len(rest) >= 22 && len(rest) == 22+int(binary.LittleEndian.Uint16(rest[20:])) {
			return true
		}
	}
}

func readAt(r io.ReadSeeker, at int64, n int) ([]byte, error) {
	if _, err := r.Seek(at, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, int64(n)))
}

func refused(why string) error { return errs.New(errs.Invalid, "%w: %s", ErrImage, why) }

// errReader remembers a failure of the reader, so that it is not taken for a
// damaged picture.
type errReader struct {
	r   io.Reader
	err error
}

func (e *errReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		e.err = err
	}
	return n, err
}
