package thumbnail

import (
	"bufio"
	"encoding/binary"
	"errors"
	"image"
	"io"
)

// An orientation is how a camera was held, as EXIF 2.3 numbers it: 1 is
// upright, 3 upside down, 6 and 8 on its sides, the others mirrored.
type orientationTag int

const upright orientationTag = 1

// maxExif is how far into a JPEG file its EXIF part is looked for.
const maxExif = 256 << 10

// orientation reads it from a JPEG file; upright where it says nothing that can
// be read. Errors are those of r.
func orientation(r io.ReadSeeker) (orientationTag, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return upright, err
	}
	in := bufio.NewReader(io.LimitReader(r, maxExif))
	if _, err := in.Discard(2); err != nil {
		return upright, unlessEnd(err)
	}
	for {
		var head [4]byte // marker and length
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return upright, unlessEnd(err)
		}
		size := int(binary.BigEndian.Uint16(head[2:])) - 2
		if head[0] != 0xFF || head[1] == 0xDA || size < 0 { // the picture itself begins
			return upright, nil
		}
		part := make([]byte, size)
		if _, err := io.ReadFull(in, part); err != nil {
			return upright, unlessEnd(err)
		}
		if head[1] == 0xE1 && len(part) > 6 && string(part[:6]) == "Exif\x00\x00" {
			return exifOrientation(part[6:]), nil
		}
	}
}

func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// exifOrientation finds the tag 0x0112 in the first directory of a TIFF header.
func exifOrientation(tiff []byte) orientationTag {
	if len(tiff) < 8 {
		return upright
	}
	var order binary.ByteOrder = binary.BigEndian
	if string(tiff[:2]) == "II" {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return upright
	}
	dir := tiff[at:]
	for n := range int(order.Uint16(dir)) {
		entry := 2 + 12*n
		if entry+12 > len(dir) {
			return upright
		}
		if order.Uint16(dir[entry:]) == 0x0112 {
			if o := orientationTag(order.Uint16(dir[entry+8:])); o >= 1 && o <= 8 {
				return o
			}
			return upright
		}
	}
	return upright
}

// turned makes a picture upright.
func turned(img *image.RGBA, o orientationTag) *image.RGBA {
	if o == upright {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	size := image.Rect(0, 0, w, h)
	if o >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	out := image.NewRGBA(size)
	for y := range h {
		for x := range w {
			tx, ty := x, y
			switch o {
			case 2:
				tx = w - 1 - x
			case 3:
				tx, ty = w-1-x, h-1-y
			case 4:
				ty = h - 1 - y
			case 5:
				tx, ty = y, x
			case 6:
				tx, ty = h-1-y, x
			case 7:
				tx, ty = h-1-y, w-1-x
			case 8:
				tx, ty = y, w-1-x
			}
			out.SetRGBA(tx, ty, img.RGBAAt(x, y))
		}
	}
	return out
}
