package console

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
)

// The console's own colour, and the surfaces that coloured text stands on.
const (
	ownColour    = "#2f5bea"
	lightSurface = "#eef0f5"
	darkSurface  = "#232733"
)

// readable is the contrast of text that people can read (WCAG 2.2, 1.4.3).
const readable = 4.6

type rgb [3]float64 // 0 to 1

func parseColour(s string) (rgb, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(s, "#"))
	if err != nil || len(raw) != 3 || !strings.HasPrefix(s, "#") {
		return rgb{}, errs.New(errs.Invalid, "console: the brand's colour %q is not of the form #2f5bea", s)
	}
	return rgb{float64(raw[0]) / 255, float64(raw[1]) / 255, float64(raw[2]) / 255}, nil
}

func (c rgb) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

// luminance is relative luminance as WCAG defines it.
func (c rgb) luminance() float64 {
	lin := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*lin(c[0]) + 0.7152*lin(c[1]) + 0.0722*lin(c[2])
}

func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// towards mixes a colour with another until it can be read on every surface.
func (c rgb) towards(end rgb, surfaces ...rgb) rgb {
	for step := 0.0; ; step += 0.02 {
		mixed := rgb{}
		for i := range c {
			mixed[i] = c[i] + (end[i]-c[i])*math.Min(step, 1)
		}
		ok := step >= 1
		worst := math.Inf(1)
		for _, s := range surfaces {
			worst = math.Min(worst, contrast(mixed, s))
		}
		if ok || worst >= readable {
			return mixed
		}
	}
}

// brandCSS sets the accent's tokens: on light surfaces a colour dark enough for
// white text on it, on dark ones a colour bright enough for dark text on it.
func brandCSS(colour string) ([]byte, error) {
	if colour == "" {
		colour = ownColour
	}
	c, err := parseColour(colour)
	if err != nil {
		return nil, err
	}
	white, black := rgb{1, 1, 1}, rgb{}
	light, _ := parseColour(lightSurface)
	dark, _ := parseColour(darkSurface)
	ink, _ := parseColour("#0d0f14")
	onLight, onDark := c.towards(black, white, light), c.towards(white, dark, ink)
	tokens := func(accent rgb, on string) string {
		return fmt.Sprintf("--accent: %s; --on-accent: %s;", accent, on)
	}
	const sheet = ":root { %s }\n@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) { %s } }\n:root[data-theme=dark] { " +
		"%s }\n"
	return fmt.Appendf(nil, sheet, tokens(onLight, "#ffffff"), tokens(onDark, "#0d0f14"), tokens(onDark, "#0d0f14")), nil
}
