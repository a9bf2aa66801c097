package privacy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/sangdam/sangdam/internal/fold"
)

const (
	// MaxFileName is the longest name that SafeName returns, in bytes of UTF-8.
	MaxFileName = 120
	// maxExtension is the longest extension it keeps when it cuts a name.
	maxExtension = 16
	// namelessFile stands for a name of which nothing is left.
	namelessFile = "file"
)

// SafeName returns a file name that is harmless on every system and close to
// what the sender chose: the last element of a path, NFC, without control,
// format and direction characters, with _ for what file systems, shells of
// Windows and headers treat as special, not hidden, not a device (CON, NUL,
// COM1 …), at most MaxFileName bytes with its extension kept. It is "file"
// when nothing is left. SafeName of a safe name is that name. It is for
// showing and downloading; attachments are stored under names of their own.
func SafeName(name string) string {
	name = norm.NFC.String(strings.ToValidUTF8(firstBytes(name, 4*MaxIndexed), ""))
	var b strings.Builder
	for _, r := range lastElement(name) {
		if r = safeRune(r); r >= 0 {
			b.WriteRune(r)
		}
	}
	// Dropping characters may have brought letters and marks together.
	name = trimName(norm.NFC.String(b.String()))
	if device(name) {
		name = "_" + name
	}
	if name = shorten(name); name == "" {
		return namelessFile
	}
	return name
}

func lastElement(name string) string {
	name = strings.TrimRight(name, `/\`)
	return name[strings.LastIndexAny(name, `/\`)+1:]
}

// safeRune returns r, what stands for it, or -1 when it is dropped.
func safeRune(r rune) rune {
	switch {
	case unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp) || r == '\t':
		return ' '
	case unicode.IsControl(r), fold.Invisible(r), r == utf8.RuneError, unicode.Is(unicode.Co, r):
		return -1
	case strings.ContainsRune("<>:\"|?*%;`$&'\u2044\u2215\u29f8\uff0f\uff3c\u2024\u2025\u2026", r):
		return '_'
	}
	return r
}

// trimName removes blanks and dots at both ends and a dash that a shell would
// take for an option.
func trimName(name string) string {
	return strings.TrimRight(strings.TrimLeft(name, " .-"), " .")
}

// device reports whether Windows takes the name for a device, whatever its
// extension.
func device(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	port, isPort := strings.CutPrefix(stem, "COM")
	if !isPort {
		port, isPort = strings.CutPrefix(stem, "LPT")
	}
	return isPort && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "0123456789¹²³")
}

// shorten cuts the stem so that the name fits.
func shorten(name string) string {
	if len(name) <= MaxFileName {
		return name
	}
	extension := ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && len(name)-dot <= maxExtension {
		extension = name[dot:]
	}
	stem := firstBytes(name[:len(name)-len(extension)], MaxFileName-len(extension))
	return trimName(stem) + extension
}
