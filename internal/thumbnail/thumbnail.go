// Package thumbnail makes small pictures of large ones that strangers sent.
package thumbnail

import (
	"bytes"
	"image"
	"image/color"
	_ "image/gif" // for image.Decode
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // for image.Decode

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
)

// maxDecoded bounds the memory that one picture takes while it is decoded: a
// telephone's photo of 50 million pixels fits, 16 bits a channel do not.
const maxDecoded = 256 << 20

// quality of the JPEG files, in which most thumbnails end.
const quality = 82

// Picture is a thumbnail.
type Picture struct {
	Type string // image/jpeg, or image/png for one that can be seen through
	Data []byte
	// Width and Height are in pixels, upright.
	Width, Height int
}

// Make reads a PNG, JPEG, GIF or WebP picture and returns it with at most side
// pixels a side, upright, without what a camera wrote into it, and of an
// animation the first frame. Its structure is checked and its size bounded
// before a pixel is decoded. Errors: errs.Invalid for one that is damaged or
// too large, errs.Unsupported for what is no such picture, or the error of r.
func Make(r io.ReadSeeker, side int) (Picture, error) {
	known, err := safehttp.CheckImage(r, safehttp.ImageLimits{})
	if err != nil {
		return Picture{}, err
	}
	src, err := decode(r)
	if err != nil {
		return Picture{}, err
	}
	turn := upright
	if known.Type == "image/jpeg" {
		if turn, err = orientation(r); err != nil {
			return Picture{}, err
		}
	}
	return encode(turned(fitted(src, side), turn))
}

func decode(r io.ReadSeeker) (image.Image, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	config, _, err := image.DecodeConfig(r)
	if err != nil {
		return nil, damaged()
	}
	if int64(config.Width)*int64(config.Height)*depth(config.ColorModel) > maxDecoded {
		return nil, errs.New(errs.Invalid, "thumbnail: the picture takes too much memory to decode; send a smaller one")
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	src, _, err := image.Decode(r)
	if err != nil {
		return nil, damaged()
	}
	return src, nil
}

func damaged() error {
	return errs.New(errs.Invalid, "thumbnail: the picture is damaged, or of a form that is not decoded")
}

// depth is how many bytes a decoded pixel takes.
func depth(m color.Model) int64 {
	switch m {
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	case color.GrayModel:
		return 1
	case color.Gray16Model:
		return 2
	}
	if _, indexed := m.(color.Palette); indexed {
		return 1
	}
	return 4
}

// fitted scales the picture down so that it fits into a square; a smaller one
// keeps its size.
func fitted(src image.Image, side int) *image.RGBA {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	if longest := max(w, h); longest > side {
		w, h = max(1, w*side/longest), max(1, h*side/longest)
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(dst, dst.Bounds(), src, b, draw.Src, nil)
	return dst
}

func encode(img *image.RGBA) (Picture, error) {
	p := Picture{Type: "image/jpeg", Width: img.Rect.Dx(), Height: img.Rect.Dy()}
	var out bytes.Buffer
	var err error
	if img.Opaque() {
		err = jpeg.Encode(&out, img, &jpeg.Options{Quality: quality})
	} else {
		p.Type = "image/png"
		err = png.Encode(&out, img)
	}
	p.Data = out.Bytes()
	return p, err
}

// Poster is a picture that stands for a film of which none is known: a triangle
// on a dark ground.
func Poster() (Picture, error) {
	const w, h = 480, 270
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{38, 43, 51, 255}
			if dx, dy := x-w/2+30, y-h/2; dx >= 0 && dx <= 80 && abs(dy)*80 <= (80-dx)*50 {
				c = color.RGBA{235, 238, 242, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return encode(img)
}

func abs(n int) int { return max(n, -n) }
