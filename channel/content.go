package channel

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// ContentKind says what a Content holds. Unknown kinds are kept and treated
// as KindUnsupported by code that does not know them.
type ContentKind string

const (
	KindText        ContentKind = "text"        // Text
	KindImage       ContentKind = "image"       // a picture in Files
	KindVideo       ContentKind = "video"       // a film in Files
	KindAudio       ContentKind = "audio"       // a sound in Files
	KindFile        ContentKind = "file"        // any other file
	KindLocation    ContentKind = "location"    // a place, in Location
	KindSticker     ContentKind = "sticker"     // one of the provider's own pictures
	KindCard        ContentKind = "card"        // title, text, picture, choices; several make a carousel
	KindPostback    ContentKind = "postback"    // the customer pressed a choice; Text is what was shown
	KindRich        ContentKind = "rich"        // a provider's own format in Rich, with Text as fallback
	KindUnsupported ContentKind = "unsupported" // what the adapter does not know; Text says what it is
)

// Content is what a message says, in terms that all channels share. The zero
// value is not valid. It is stored as JSON; later versions only add fields.
type Content struct {
	Kind ContentKind `json:"kind"`
	// Text is the message's text or a file's caption, in UTF-8. For kinds
	// without words it is what search shows, and what a channel shows that
	// cannot carry the kind.
	Text string `json:"text,omitempty"`
	// Spans mark parts of Text: emoji, mentions. Offsets are bytes of Text.
	Spans []Span `json:"spans,omitempty"`
	// Media is set for image, video, audio and file.
	Media *Media `json:"media,omitempty"`
	// Attachments are further files of the message, of any kind, on channels
	// that carry several in one message (Capabilities.MaxFiles). Files lists
	// all of them.
	Attachments []Media `json:"attachments,omitempty"`
	// Location is set for location.
	Location *Location `json:"location,omitempty"`
	// Sticker is set for sticker.
	Sticker *Sticker `json:"sticker,omitempty"`
	// Cards is set for card, 1 to 10; more than one is a carousel.
	Cards []Card `json:"cards,omitempty"`
	// Choices are quick replies shown under the message.
	Choices []Choice `json:"choices,omitempty"`
	// Postback is what a pressed choice carried.
	Postback *Postback `json:"postback,omitempty"`
	// QuoteOf is the provider's id of the message that is answered, or empty.
	QuoteOf ProviderMessageID `json:"quote_of,omitempty"`
	// QuoteHandle is what the provider wants in order to quote the message
	// QuoteOf; inbound it is this message's own handle. Empty where unknown.
	QuoteHandle string `json:"quote_handle,omitempty"`
	// Rich is a provider's own message object, for KindRich only.
	Rich json.RawMessage `json:"rich,omitempty"`
	// Letter is set for mails: subject, sender and recipients.
	Letter *Letter `json:"letter,omitempty"`
}

// Letter is what a mail has beside its text.
type Letter struct {
	Subject string `json:"subject,omitempty"`
	// From, To and Cc are names and addresses as people read them: "Kim
	// <kim@example.com>". To be named in Cc gives nobody any right.
	From string   `json:"from,omitempty"`
	To   []string `json:"to,omitempty"`
	Cc   []string `json:"cc,omitempty"`
	// Verified says that, as the host's own mail server found, the mail really
	// comes from the sender's domain. Without it anybody may have written under
	// this name.
	Verified bool `json:"verified,omitempty"`
	// Automatic names the sign in the mail by which a machine was recognised as
	// its sender; empty for a person's mail.
	Automatic string `json:"automatic,omitempty"`
	// Problems say which parts of the mail could not be read as they were sent.
	Problems []string `json:"problems,omitempty"`
}

// Span is a marked part of Content.Text.
type Span struct {
	Start  int    `json:"start"` // byte offset
	Length int    `json:"length"`
	Kind   string `json:"kind"` // emoji, mention, mention_all, mention_self; of mails: quoted, signature
	Ref    string `json:"ref,omitempty"`
}

// Media describes an attachment. One that a customer sends begins with Provider
// or URL and gets a Blob when a job has fetched it. One that is sent to a
// customer has the Blob of an upload or the URL of a file elsewhere; for a Blob
// the library makes the URL where the channel needs one.
type Media struct {
	Name string `json:"name,omitempty"` // made safe to show and to save under
	Type string `json:"type,omitempty"` // media type, as the bytes show it or the provider tells it
	Size int64  `json:"size,omitempty"` // bytes; 0 unknown
	// Duration of video and audio.
	Duration time.Duration `json:"duration,omitempty"`
	// Blob is the file's name in the blob store; empty until its bytes are
	// stored.
	Blob string `json:"blob,omitempty"`
	// Provider is the provider's reference, usable with MediaFetcher.
	Provider string `json:"provider,omitempty"`
	// Form says that the file is the message's own text in another form, such
	// as the HTML of a mail. It is deleted when a part of the text is masked.
	Form bool `json:"form,omitempty"`
	// ContentID is the name by which the HTML of a mail shows the file inside
	// its text; empty where it does not.
	ContentID string `json:"content_id,omitempty"`
	// URL is the file's address outside. The library fetches it only through a
	// client that refuses private networks (Config.AllowPrivate).
	URL string `json:"url,omitempty"`
	// Preview is an outside address of a small picture, for image and video.
	Preview string `json:"preview,omitempty"`
	// Track asks for an event when the customer has watched a video to its end
	// (adapter.EventWatched). A channel that has no such event sends the video
	// all the same.
	Track bool `json:"track,omitempty"`
	// SetID, SetIndex and SetTotal group the pictures of an album: the album's
	// id, this one's position from 1, and the number of pictures, 0 where it is
	// not known.
	SetID    string `json:"set_id,omitempty"`
	SetIndex int    `json:"set_index,omitempty"`
	SetTotal int    `json:"set_total,omitempty"`
	// State says how far the library is with fetching the file.
	State MediaState `json:"state,omitempty"`
	// Reason says why the file is gone or failed.
	Reason Reason `json:"reason,omitempty"`
}

// MediaState says how far the library is with fetching an attachment. It is
// empty in what an adapter has parsed and in what a host wants to send.
type MediaState string

// States of an attachment.
const (
	MediaPending MediaState = "pending" // it is being fetched; tries go on for a day
	MediaReady   MediaState = "ready"   // Blob has the bytes
	MediaGone    MediaState = "gone"    // the provider does not have it any more
	MediaFailed  MediaState = "failed"  // given up; it can be asked for again
	MediaRefused MediaState = "refused" // attachments are switched off for the account
)

// Location is a point with a name.
type Location struct {
	Title     string  `json:"title,omitempty"`
	Address   string  `json:"address,omitempty"`
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// Sticker is one of the provider's own stickers.
type Sticker struct {
	Package string `json:"package"`
	ID      string `json:"id"`
	// Kind is the provider's resource type, kept as sent.
	Kind     string   `json:"kind,omitempty"`
	Keywords []string `json:"keywords,omitempty"`
	Text     string   `json:"text,omitempty"`
}

// Card is a picture with title, text and choices.
type Card struct {
	Title   string   `json:"title,omitempty"`
	Text    string   `json:"text"`
	Image   string   `json:"image,omitempty"` // https address
	Choices []Choice `json:"choices,omitempty"`
}

// Files lists the message's files: Media first, then Attachments. Wherever a
// file of a message is named by a number, it is the index in this list, from 0.
func (c Content) Files() []Media {
	var all []Media
	if c.Media != nil {
		all = append(all, *c.Media)
	}
	return append(all, c.Attachments...)
}

// WithFile returns a copy of the content in which the n-th file, from 0, is
// replaced. Where there is no n-th file nothing is replaced.
func (c Content) WithFile(n int, m Media) Content {
	if c.Media != nil {
		if n == 0 {
			c.Media = &m
			return c
		}
		n--
	}
	if n >= 0 && n < len(c.Attachments) {
		c.Attachments = slices.Clone(c.Attachments)
		c.Attachments[n] = m
	}
	return c
}

// KindOf returns the kind of content as which a file of the media type is
// shown: image, video, audio or file.
func KindOf(mediaType string) ContentKind {
	switch kind, sub, _ := strings.Cut(mediaType, "/"); {
	case kind == "image" && !strings.HasPrefix(sub, "svg"):
		return KindImage
	case kind == "video":
		return KindVideo
	case kind == "audio":
		return KindAudio
	}
	return KindFile
}

// Text returns the content of a plain text message.
func Text(s string) Content { return Content{Kind: KindText, Text: s} }
