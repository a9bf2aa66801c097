package safehttp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// walker reads the parts of a picture's file one after the other. After the
// first failure every read gives zeros and the walk ends.
type walker struct {
	in        *errReader
	r         *bufio.Reader
	img       *Image
	maxFrames int
	err       error
}

func newWalker(r io.Reader, img *Image, maxFrames int) *walker {
	in := &errReader{r: r}
	img.Frames = 0
	return &walker{in: in, r: bufio.NewReader(in), img: img, maxFrames: maxFrames}
}

func (w *walker) result() error {
	if w.in.err != nil {
		return w.in.err
	}
	if w.img.Frames == 0 {
		w.img.Frames = 1
	}
	return w.err
}

func (w *walker) fail(why string) {
	if w.err == nil {
		w.err = refused(why)
	}
}

func (w *walker) bytes(n int) []byte {
	b := make([]byte, n)
	if w.err == nil {
		if _, err := io.ReadFull(w.r, b); err != nil {
			w.fail("it is cut short")
			clear(b)
		}
	}
	return b
}

func (w *walker) byte() byte { return w.bytes(1)[0] }

func (w *walker) skip(n int64) {
	if w.err != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, w.r, n); err != nil {
		w.fail("it is cut short")
	}
}

func (w *walker) frame() {
	if w.img.Frames++; w.img.Frames > w.maxFrames {
		w.fail("it has too many frames")
	}
}

// end checks that nothing but padding follows.
func (w *walker) end() {
	for w.err == nil {
		b, err := w.r.ReadByte()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || b != 0 {
			w.fail("something follows its end")
		}
	}
}

// gif walks a GIF (https://www.w3.org/Graphics/GIF/spec-gif89a.txt).
func (w *walker) gif() {
	header := w.bytes(13)
	w.colours(header[10])
	for w.err == nil {
		switch w.byte() {
		case 0x21: // extension
			w.byte()
			w.subBlocks()
		case 0x2C: // picture
			w.gifFrame()
		case 0x3B: // trailer
			w.end()
			return
		default:
			w.fail("it is damaged")
		}
	}
}

func (w *walker) gifFrame() {
	b := w.bytes(9)
	left, top := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
	width, height := int(binary.LittleEndian.Uint16(b[4:])), int(binary.LittleEndian.Uint16(b[6:]))
	if left+width > w.img.Width || top+height > w.img.Height {
		w.fail("a frame is larger than the picture")
	}
	w.colours(b[8])
	w.byte() // code size
	w.subBlocks()
	w.frame()
}

// colours skips a table of colours, if the flags announce one.
func (w *walker) colours(flags byte) {
	if flags&0x80 != 0 {
		w.skip(3 << (flags&7 + 1))
	}
}

func (w *walker) subBlocks() {
	for w.err == nil {
		n := w.byte()
		if n == 0 {
			return
		}
		w.skip(int64(n))
	}
}

// png walks a PNG (https://www.w3.org/TR/png-3/#5Chunk-layout).
func (w *walker) png() {
	w.skip(8)
	for w.err == nil {
		b := w.bytes(8)
		length, kind := binary.BigEndian.Uint32(b), string(b[4:])
		if length > 1<<31-1 {
			w.fail("it is damaged")
		}
		switch kind {
		case "fcTL":
			w.frame()
		case "IEND":
			w.skip(int64(length) + 4)
			w.end()
			return
		}
		w.skip(int64(length) + 4) // and the check sum
	}
}

// webp walks a WebP
// (https://developers.google.com/speed/webp/docs/riff_container).
func (w *walker) webp() {
	header := w.bytes(12)
	left := int64(binary.LittleEndian.Uint32(header[4:])) - 4 // "WEBP" is counted
	for w.err == nil && left > 0 {
		b := w.bytes(8)
		length := int64(binary.LittleEndian.Uint32(b[4:]))
		if string(b[:4]) == "ANMF" {
			w.frame()
		}
		padded := length + length&1
		w.skip(padded)
		left -= 8 + padded
	}
	if left < 0 {
		w.fail("it is damaged")
	}
	w.end()
}

// measureWebP reads the size from the first chunk.
func (img *Image) measureWebP(r io.Reader) error {
	in := &errReader{r: r}
	b := make([]byte, 30)
	if _, err := io.ReadFull(in, b); err != nil {
		if in.err != nil {
			return in.err
		}
		return refused("it is cut short")
	}
	switch data := b[20:]; string(b[12:16]) {
	case "VP8X":
		img.Width, img.Height = 1+uint24(data[4:]), 1+uint24(data[7:])
	case "VP8L":
		bits := binary.LittleEndian.Uint32(data[1:])
		img.Width, img.Height = 1+int(bits&0x3FFF), 1+int(bits>>14&0x3FFF)
	case "VP8 ":
		img.Width, img.Height = int(binary.LittleEndian.Uint16(data[6:])&0x3FFF), int(binary.LittleEndian.Uint16(data[8:])&0x3FFF)
	default:
		return refused("it is damaged")
	}
	return nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
