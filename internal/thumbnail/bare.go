package thumbnail

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// maxSegment is the longest segment of a JPEG file, with its marker.
const maxSegment = 2 + math.MaxUint16

// Bare is a picture without what cameras and programs write beside it: where and
// when it was taken, with what, by whom. The picture itself is the same to the
// byte, and how the camera was held stays. Other types than JPEG, PNG and WebP are
// returned as they are. It reads on as it is read, and holds 128 KiB.
func Bare(kind string, r io.Reader) io.Reader {
	b := &bare{in: bufio.NewReaderSize(r, 2*maxSegment)}
	switch kind {
	case "image/jpeg":
		b.next, b.pass = b.jpegHead, 2
	case "image/png":
		b.next, b.pass = b.png, 8
	case "image/webp":
		b.next, b.pass = b.webp, 12
	default:
		return r
	}
	return b
}

// bare goes through a file part by part: next looks at what comes and says how
// much of it passes, is left out, or becomes zeros.
type bare struct {
	in               *bufio.Reader
	next             func() error
	ready            []byte
	pass, drop, zero int64
}

func (b *bare) Read(p []byte) (int, error) {
	for len(p) > 0 {
		switch {
		case len(b.ready) > 0:
			n := copy(p, b.ready)
			b.ready = b.ready[n:]
			return n, nil
		case b.pass > 0:
			n, err := b.in.Read(p[:min(int64(len(p)), b.pass)])
			b.pass -= int64(n)
			return n, err
		case b.zero > 0:
			n, err := b.in.Read(p[:min(int64(len(p)), b.zero)])
			b.zero -= int64(n)
			clear(p[:n])
			return n, err
		case b.drop > 0:
			n, err := b.in.Discard(int(min(b.drop, maxSegment)))
			if b.drop -= int64(n); err != nil {
				return 0, err
			}
		default:
			if err := b.next(); err != nil {
				return 0, err
			}
		}
	}
	return 0, nil
}

// peek is what comes, n bytes or all there is; an error where there is nothing.
func (b *bare) peek(n int) ([]byte, error) {
	part, err := b.in.Peek(n)
	if len(part) > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return part, err
}

// jpegHead are the segments before the picture itself.
func (b *bare) jpegHead() error {
	head, err := b.peek(4)
	switch {
	case err != nil:
		return err
	case len(head) < 4 || head[0] != 0xFF || head[1] == 0xDA:
		b.next = b.jpegRest
	case head[1] == 0xFF || head[1] == 0x01 || head[1] >= 0xD0 && head[1] <= 0xD9: // nothing goes with it
		b.pass = 1
		if head[1] != 0xFF {
			b.pass = 2
		}
	default:
		return b.segment()
	}
	return nil
}

// segment makes the next one ready, blank if need be.
func (b *bare) segment() error {
	head, err := b.peek(4)
	if err != nil || len(head) < 4 {
		b.pass = int64(len(head))
		return err
	}
	part, err := b.peek(2 + max(2, int(binary.BigEndian.Uint16(head[2:]))))
	if err != nil {
		return err
	}
	if _, err = b.in.Discard(len(part)); err != nil { // it stays readable until more is read
		return err
	}
	b.ready = blank(bytes.Clone(part))
	return nil
}

// What segments begin with that tell of camera, program or people.
var (
	exifName = []byte("Exif\x00\x00")
	others   = [][]byte{[]byte("http://ns.adobe.com/"), []byte("Photoshop 3.0\x00")}
)

// blank empties a segment that tells of more than the picture. It stays as long
// as it was, since other parts name places in the file.
func blank(segment []byte) []byte {
	if len(segment) < 4 {
		return segment
	}
	marker, said := segment[1], segment[4:]
	if bytes.HasPrefix(said, exifName) && marker == 0xE1 {
		tiff := said[len(exifName):]
		held := exifOrientation(tiff)
		clear(tiff)
		if short := exifOf(held); len(tiff) >= len(short) {
			copy(tiff, short)
		}
		return segment
	}
	for _, name := range others {
		if bytes.HasPrefix(said, name) {
			clear(said[len(name):])
			return segment
		}
	}
	if marker == 0xE1 || marker == 0xED || marker == 0xFE { // of a kind nobody knows, or a comment
		clear(said)
	}
	return segment
}

// exifOf is a TIFF header whose one entry says how the camera was held.
func exifOf(o orientationTag) []byte {
	return []byte{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, byte(o), 0, 0, 0, 0, 0, 0}
}

// jpegRest is the picture itself, and what phones append: more pictures, each
// with segments of its own. In a picture's data 0xFF is never followed so.
func (b *bare) jpegRest() error {
	part, err := b.peek(maxSegment)
	if err != nil {
		return err
	}
	at := bytes.IndexByte(part, 0xFF)
	for at >= 0 && at+1 < len(part) && part[at+1] != 0xE1 && part[at+1] != 0xED {
		next := bytes.IndexByte(part[at+1:], 0xFF)
		if next < 0 {
			at = -1
			break
		}
		at += 1 + next
	}
	switch {
	case at < 0:
		b.pass = int64(len(part))
	case at > 0:
		b.pass = int64(at)
	case len(part) < 4 || !tells(part):
		b.pass = 1
	default:
		b.next = b.jpegHead // more of its kind follow
		return b.segment()
	}
	return nil
}

// tells says that a segment begins as those do that tell of more.
func tells(part []byte) bool {
	said := part[4:]
	return bytes.HasPrefix(said, exifName) || bytes.HasPrefix(said, others[0]) || bytes.HasPrefix(said, others[1])
}

// png is the next chunk; its length counts without length, name and checksum.
func (b *bare) png() error {
	head, err := b.peek(8)
	if err != nil || len(head) < 8 {
		b.pass = int64(len(head))
		return err
	}
	size := int64(binary.BigEndian.Uint32(head)) + 12
	switch string(head[4:]) {
	case "eXIf", "tEXt", "zTXt", "iTXt", "tIME":
		b.drop = size
	default:
		b.pass = size
	}
	return nil
}

// webp is the next chunk. The length of the whole stands at its beginning, so
// that nothing is left out.
func (b *bare) webp() error {
	head, err := b.peek(8)
	if err != nil || len(head) < 8 {
		b.pass = int64(len(head))
		return err
	}
	size := int64(binary.LittleEndian.Uint32(head[4:]))
	size += size & 1
	if name := string(head[:4]); name == "EXIF" || name == "XMP " {
		b.ready, b.zero = bytes.Clone(head), size
		_, err = b.in.Discard(len(head))
		return err
	}
	b.pass = 8 + size
	return nil
}
