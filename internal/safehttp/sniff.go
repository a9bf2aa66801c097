package safehttp

import (
	"bytes"
	"net/http"
	"strings"
)

// sniffLen is how many bytes of a file tell its type.
const sniffLen = 1024

// Sniff returns the media type that the first bytes of a file show, without
// parameters; application/octet-stream when they show none. 1024 bytes are
// enough. What a server or a file name claims plays no part in it.
func Sniff(head []byte) string {
	head = head[:min(len(head), sniffLen)]
	if t := sniffContainer(head); t != "" {
		return t
	}
	t, _, _ := strings.Cut(http.DetectContentType(head), ";")
	switch t {
	case "text/plain", "text/xml", "text/html", "application/octet-stream":
		return sniffMarkup(head, t)
	case "audio/wave":
		return "audio/wav"
	case "application/ogg":
		return "audio/ogg"
	}
	return t
}

// sniffContainer knows what http.DetectContentType does not: the brands of the
// ISO base media file format (ISO/IEC 14496-12, 4.3) and raw audio frames.
func sniffContainer(head []byte) string {
	if len(head) >= 12 && string(head[4:8]) == "ftyp" {
		switch brand := string(head[8:12]); brand {
		case "M4A ", "M4B ":
			return "audio/mp4"
		case "heic", "heix", "hevc", "mif1", "msf1":
			return "image/heic"
		case "avif", "avis":
			return "image/avif"
		case "qt  ":
			return "video/quicktime"
		default:
			if strings.HasPrefix(brand, "3g") {
				return "video/3gpp"
			}
			return "video/mp4"
		}
	}
	if len(head) >= 2 && head[0] == 0xFF {
		switch head[1] {
		case 0xFB, 0xFA, 0xF3, 0xF2:
			return "audio/mpeg"
		case 0xF1, 0xF9:
			return "audio/aac"
		}
	}
	return ""
}

// sniffMarkup tells SVG and HTML from text and from other XML. It errs towards
// markup, which is never shown inline.
func sniffMarkup(head []byte, t string) string {
	lower := bytes.ToLower(bytes.ReplaceAll(head, []byte{0}, nil)) // UTF-16 as well
	switch {
	case bytes.Contains(lower, []byte("<svg")):
		return "image/svg+xml"
	case bytes.Contains(lower, []byte("<html")), bytes.Contains(lower, []byte("<script")), bytes.Contains(lower, []byte("<!doctype html")):
		return "text/html"
	case bytes.Contains(lower, []byte("<?xml")):
		return "text/xml"
	}
	return t
}

// inlineTypes are the types that a browser may show in our pages: pictures,
// sound and film, in which nothing runs. SVG, HTML, XML and PDF are not among
// them, nor is text, which some browsers guess at.
var inlineTypes = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true,
	"audio/mpeg": true, "audio/mp4": true, "audio/aac": true, "audio/ogg": true, "audio/wav": true,
	"video/mp4": true, "video/webm": true,
}

// Inline says whether a file of this sniffed type may be shown in the page;
// else it is a download.
func Inline(mediaType string) bool { return inlineTypes[mediaType] }
