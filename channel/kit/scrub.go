package kit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Recording says what of a provider's webhooks a Recorder may keep. A place is
// the names that lead to a value, parted by dots; lists have no index:
// "events.message.type".
type Recording struct {
	// Name begins errors, the package's name: "line".
	Name string
	// MaxBytes and MaxDepth bound a body, as they bound what the adapter takes.
	MaxBytes, MaxDepth int
	// List: a body may be a list of events, not an object alone.
	List bool
	// Kept lists the places whose values stay, when they look as said.
	Kept map[string]Shape
	// Names are the provider's names of fields besides those in Kept. A name that
	// is in neither is replaced, and nothing below it is kept.
	Names []string
	// People are the places of ids of people and chats, which stay apart from
	// each other even where they are numbers.
	People []string
	// Alias replaces what is known by its form wherever it stands, such as an id
	// that must keep its form to be one; hash makes 32 bytes that stand for the
	// text. Nil: there is none. What ok is false of is as if there were none.
	Alias func(text string, hash func() [32]byte) (alias string, ok bool)
	// Same reports a value that is the same for everybody and stays. Nil: none.
	Same func(place, text string) bool
	// Files are the places of file names, which keep a usual extension, Addresses
	// those of addresses, which stay addresses, of hosts that there are not.
	Files, Addresses []string
	// Headers are kept when they look as said.
	Headers map[string]*regexp.Regexp
}

// Shape is what a value must look like to be kept at its place.
type Shape int

// The shapes.
const (
	Word   Shape = iota + 1 // a kind or a result: a short word
	Ident                   // an id without meaning outside of the provider, or a number
	Number                  // a measure, also in quotes
)

// scrubber replaces everything in a webhook that is not known to be harmless.
type scrubber struct {
	Recording
	names map[string]bool
	key   [32]byte
}

var shapes = map[Shape]*regexp.Regexp{
	Word:   regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,39}$`),
	Ident:  regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`),
	Number: regexp.MustCompile(`^[0-9]{1,15}$`),
}

// value writes valid JSON with what is private replaced. place is where it is:
// the names that lead to it, parted by dots.
func (s *scrubber) value(b *bytes.Buffer, place string, raw json.RawMessage) {
	raw = bytes.TrimSpace(raw)
	switch raw[0] {
	case '{':
		b.WriteByte('{')
		for i, m := range ReadObject(raw) {
			if i > 0 {
				b.WriteByte(',')
			}
			name, below := s.name(place, string(m.Key))
			writeString(b, name)
			b.WriteByte(':')
			s.value(b, below, m.Value)
		}
		b.WriteByte('}')
	case '[':
		b.WriteByte('[')
		for i, one := range ReadList(raw) {
			if i > 0 {
				b.WriteByte(',')
			}
			below := place
			if one[0] != '{' { // lists of kept things are of objects
				below += ".?"
			}
			s.value(b, below, one)
		}
		b.WriteByte(']')
	case '"':
		text, _ := TextOf(raw)
		writeString(b, s.text(place, text))
	case 't', 'f', 'n':
		b.Write(raw)
	default:
		s.number(b, place, raw)
	}
}

func (s *scrubber) number(b *bytes.Buffer, place string, raw []byte) {
	switch at := s.Kept[place]; {
	case at == Number || at == Ident:
		b.Write(raw)
	case slices.Contains(s.People, place):
		writeString(b, s.letters(string(raw), len(raw)))
	default:
		b.WriteByte('0')
	}
}

// name returns a field's name and the place of its value.
func (s *scrubber) name(place, name string) (shown, below string) {
	if !s.names[name] {
		return s.letters(name, UTF16(name)), place + ".?"
	}
	if place == "" {
		return name, name
	}
	return name, place + "." + name
}

func (s *scrubber) text(place, text string) string {
	if s.Alias != nil {
		if alias, ok := s.Alias(text, func() [32]byte { return s.mac(text) }); ok {
			return alias
		}
	}
	if form, ok := s.Kept[place]; ok && shapes[form].MatchString(text) || s.Same != nil && s.Same(place, text) {
		return text
	}
	if slices.Contains(s.Addresses, place) {
		return s.address(text)
	}
	if ext := path.Ext(text); slices.Contains(s.Files, place) && extensions[strings.ToLower(ext)] {
		return s.letters(text, UTF16(text)-len(ext)) + ext
	}
	return s.letters(text, UTF16(text))
}

// nowhere ends a host's name that never leads anywhere (RFC 2606).
const nowhere = ".invalid/"

// address keeps an address one, of a host that there is not.
func (s *scrubber) address(text string) string {
	for _, scheme := range []string{"https://", "http://"} {
		rest := UTF16(text) - len(scheme) - len(nowhere)
		if strings.HasPrefix(text, scheme) && rest > 0 {
			name := s.letters(text, rest)
			host := min(rest, 20)
			return scheme + name[:host] + nowhere + name[host:]
		}
	}
	return s.letters(text, UTF16(text))
}

// path keeps short words of a path; anything else may be a secret.
func (s *scrubber) path(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		if !pathWord.MatchString(part) {
			parts[i] = s.letters(part, UTF16(part))
		}
	}
	return strings.Join(parts, "/")
}

var pathWord = regexp.MustCompile(`^[a-z]{0,16}$`)

// letters makes n letters that stand for a text. The text is hashed once: it
// may be two megabytes.
func (s *scrubber) letters(text string, n int) string {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8(s.mac(text)).Read(out) // never fails
	for i, c := range out {
		out[i] = 'a' + c%26
	}
	return string(out)
}

func (s *scrubber) mac(text string) [sha256.Size]byte {
	h := hmac.New(sha256.New, s.key[:])
	h.Write([]byte(text))
	return [sha256.Size]byte(h.Sum(nil))
}

// extensions of file names that say nothing but the kind of file.
var extensions = func() map[string]bool {
	all := map[string]bool{}
	for _, ext := range strings.Fields(`pdf doc docx xls xlsx ppt pptx hwp hwpx txt csv rtf odt ods odp md json xml html
		zip 7z rar gz tar jpg jpeg png gif webp heic bmp svg tif tiff mp4 mov avi mkv webm mp3 m4a wav aac ogg flac bin`) {
		all["."+ext] = true
	}
	return all
}()

// headers names those that are kept. The signature is never among them: it is
// over the body as it was.
func (s *scrubber) headers(h http.Header) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.Headers)), func(name string) bool {
		return !s.Headers[name].MatchString(h.Get(name))
	})
}

// writeString writes text as JSON.
func writeString(b *bytes.Buffer, text string) {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always is JSON
	}
	b.Write(quoted)
}
