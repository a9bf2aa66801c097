package line

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"github.com/sangdam/sangdam/channel/kit"
	"math/rand/v2"
	"net/http"
	"path"
	"regexp"
	"strings"
)

// scrubber replaces everything in a webhook that is not known to be harmless.
type scrubber struct{ key [32]byte }

// shape is what a value must look like to be kept at its place.
type shape int

const (
	word   shape = iota + 1 // a kind or a result: a short word in LINE's own style
	ident                   // an id without meaning outside of LINE, or a number
	number                  // a measure, also in quotes
)

var shapes = map[shape]*regexp.Regexp{
	word:   regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,39}$`),
	ident:  regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`),
	number: regexp.MustCompile(`^[0-9]{1,15}$`),
}

// kept lists the places whose values stay. Places in lists have no index.
var kept = map[string]shape{
	"events.type": word, "events.mode": word, "events.webhookEventId": ident, "events.timestamp": number,
	"events.source.type": word,
	"events.message.id":  ident, "events.message.type": word, "events.message.quotedMessageId": ident,
	"events.message.duration": number, "events.message.fileSize": number,
	"events.message.packageId": ident, "events.message.stickerId": ident, "events.message.stickerResourceType": word,
	"events.message.contentProvider.type": word,
	"events.message.imageSet.id":          ident, "events.message.imageSet.index": number, "events.message.imageSet.total": number,
	"events.message.emojis.index": number, "events.message.emojis.length": number,
	"events.message.emojis.productId": ident, "events.message.emojis.emojiId": ident,
	"events.message.mention.mentionees.type": word, "events.message.mention.mentionees.index": number,
	"events.message.mention.mentionees.length": number,
	"events.unsend.messageId":                  ident,
	"events.joined.members.type":               word, "events.left.members.type": word,
	"events.postback.params.status": word,
	"events.link.result":            word,
	"events.beacon.type":            word,
	"events.membership.type":        word, "events.membership.membershipId": ident,
	"events.module.type": word, "events.module.reason": word,
	"events.chatControl.expireAt": number,
}

// fieldNames are LINE's names besides those in kept. A name that is in neither
// is replaced, and nothing below it is kept.
var fieldNames = func() map[string]bool {
	all := map[string]bool{}
	for _, name := range strings.Fields(`destination events deliveryContext isRedelivery source userId groupId roomId replyToken
		message text emojis mention mentionees isSelf quoteToken markAsReadToken contentProvider originalContentUrl previewImageUrl
		imageSet fileName title address latitude longitude keywords unsend follow isUnblocked joined left members
		postback data params date time datetime newRichMenuAliasId link nonce beacon hwid dm membership module botId scopes
		chatControl videoPlayComplete trackingId delivery`) {
		all[name] = true
	}
	for place := range kept {
		all[place[strings.LastIndexByte(place, '.')+1:]] = true
	}
	return all
}()

// value writes valid JSON with what is private replaced. place is where it is:
// the names that lead to it, parted by dots.
func (s *scrubber) value(b *bytes.Buffer, place string, raw json.RawMessage) {
	raw = bytes.TrimSpace(raw)
	switch raw[0] {
	case '{':
		b.WriteByte('{')
		for i, m := range kit.ReadObject(raw) {
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
		for i, one := range kit.ReadList(raw) {
			if i > 0 {
				b.WriteByte(',')
			}
			below := place
			if one[0] != '{' { // LINE's lists of kept things are of objects
				below += ".?"
			}
			s.value(b, below, one)
		}
		b.WriteByte(']')
	case '"':
		text, _ := kit.TextOf(raw)
		writeString(b, s.text(place, text))
	case 't', 'f', 'n':
		b.Write(raw)
	default:
		s.number(b, place, raw)
	}
}

func (s *scrubber) number(b *bytes.Buffer, place string, raw []byte) {
	switch at := kept[place]; {
	case at == number || at == ident:
		b.Write(raw)
	case place == "events.source.userId" || place == "events.source.groupId" || place == "events.source.roomId":
		writeString(b, s.letters(string(raw), len(raw))) // Parse takes ids that are numbers; people stay apart
	default:
		b.WriteByte('0')
	}
}

// name returns a field's name and the place of its value.
func (s *scrubber) name(place, name string) (shown, below string) {
	if !fieldNames[name] {
		return s.letters(name, kit.UTF16(name)), place + ".?"
	}
	if place == "" {
		return name, name
	}
	return name, place + "." + name
}

var chatID = regexp.MustCompile(`^[UCR][0-9a-f]{32}$`)

func (s *scrubber) text(place, text string) string {
	if form, ok := kept[place]; ok && shapes[form].MatchString(text) && !chatID.MatchString(text) {
		return text
	}
	if chatID.MatchString(text) {
		sum := s.mac(text)
		return text[:1] + hex.EncodeToString(sum[:16])
	}
	switch place {
	case "events.replyToken":
		if dummyToken(text) { // LINE's own, the same for everybody
			return text
		}
	case "events.message.fileName":
		if ext := path.Ext(text); extensions[strings.ToLower(ext)] {
			return s.letters(text, kit.UTF16(text)-len(ext)) + ext
		}
	case "events.message.contentProvider.originalContentUrl", "events.message.contentProvider.previewImageUrl":
		return s.address(text)
	}
	return s.letters(text, kit.UTF16(text))
}

// nowhere ends a host's name that never leads anywhere (RFC 2606).
const nowhere = ".invalid/"

// address keeps an address one, of a host that there is not.
func (s *scrubber) address(text string) string {
	for _, scheme := range []string{"https://", "http://"} {
		rest := kit.UTF16(text) - len(scheme) - len(nowhere)
		if strings.HasPrefix(text, scheme) && rest > 0 {
			name := s.letters(text, rest)
			host := min(rest, 20)
			return scheme + name[:host] + nowhere + name[host:]
		}
	}
	return s.letters(text, kit.UTF16(text))
}

// path keeps short words of a path; anything else may be a secret.
func (s *scrubber) path(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		if !pathWord.MatchString(part) {
			parts[i] = s.letters(part, kit.UTF16(part))
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

type keptHeader struct{ name, value string }

var plainHeaders = []struct {
	name string
	form *regexp.Regexp
}{
	{"Content-Type", regexp.MustCompile(`^application/json(; ?charset=[A-Za-z0-9-]{1,20})?$`)},
	{"User-Agent", regexp.MustCompile(`^LineBotWebhook/[0-9.]{1,10}$`)},
}

// keptHeaders are those that LINE's webhooks have, when they look as LINE's do.
// The signature is not among them: it is over the body as it was.
func keptHeaders(h http.Header) []keptHeader {
	var all []keptHeader
	for _, p := range plainHeaders {
		if v := h.Get(p.name); p.form.MatchString(v) {
			all = append(all, keptHeader{p.name, v})
		}
	}
	return all
}

// writeString writes text as JSON.
func writeString(b *bytes.Buffer, text string) {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always is JSON
	}
	b.Write(quoted)
}
