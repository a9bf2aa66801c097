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

// Content is what a message says, in terms that every channel shares. The zero
// value is not valid. Persisted as JSON; fields are only ever added.
type Content struct {
	Kind ContentKind `json:"kind"`
	// Text is the message's text, a caption, or for kinds without words the
	// fallback that search and a channel lacking the kind show. UTF-8.
	Text string `json:"text,omitempty"`
	// Spans mark parts of Text: emoji, mentions. Offsets are bytes of Text.
	Spans []Span `json:"spans,omitempty"`
	// Media is set for image, video, audio and file.
	Media *Media `json:"media,omitempty"`
	// Attachments are further files that go with the message, of whatever kind,
	// on channels that carry several (Capabilities.MaxFiles). See Files.
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
	// Letter is set for mails: what they say beside their text.
	Letter *Letter `json:"letter,omitempty"`
}

// Letter is what a mail says beside its text.
type Letter struct {
	Subject string `json:"subject,omitempty"`
	// From, To and Cc are names and addresses as people read them: "Kim
	// <kim@example.com>". Who is in copy is named here and gains no rights.
	From string   `json:"from,omitempty"`
	To   []string `json:"to,omitempty"`
	Cc   []string `json:"cc,omitempty"`
	// Verified: the sender's domain vouches for the mail, by the judgement of the
	// host's own server. Without it anybody may have written under this name.
	Verified bool `json:"verified,omitempty"`
	// Automatic is the sign by which a machine was recognised; empty for people.
	Automatic string `json:"automatic,omitempty"`
	// Problems say what could not be read as it was sent.
	Problems []string `json:"problems,omitempty"`
}

// Span is a marked part of Content.Text.
type Span struct {
	Start  int    `json:"start"` // byte offset
	Length int    `json:"length"`
	Kind   string `json:"kind"` // emoji, mention, mention_all, mention_self; of mails: quoted, signature
	Ref    string `json:"ref,omitempty"`
}

// Media describes an attachment. Inbound it starts with Provider or URL and gets
// a Blob when a job has fetched it. Outbound it has the Blob of an upload, or
// the URL of a file elsewhere; with a Blob the URL, where the channel needs one,
// is a link to it.
type Media struct {
	Name string `json:"name,omitempty"` // safe generated or checked name
	Type string `json:"type,omitempty"` // media type as sniffed or told
	Size int64  `json:"size,omitempty"` // bytes; 0 unknown
	// Duration of video and audio.
	Duration time.Duration `json:"duration,omitempty"`
	// Blob is the name in the blob store.
	Blob string `json:"blob,omitempty"`
	// Provider is the provider's reference, usable with MediaFetcher.
	Provider string `json:"provider,omitempty"`
	// Form says that it is the message's own text in another form, such as the HTML
	// of a mail. It goes when a part of the text is masked.
	Form bool `json:"form,omitempty"`
	// ContentID is by which name the message's own HTML shows the file; empty
	// where there is none.
	ContentID string `json:"content_id,omitempty"`
	// URL is an outside address; fetching it goes through the guarded client.
	URL string `json:"url,omitempty"`
	// Preview is an outside address of a small picture, for image and video.
	Preview string `json:"preview,omitempty"`
	// Track asks to be told when the customer has watched a video to its end,
	// see EventWatched. A channel that cannot tell sends it all the same.
	Track bool `json:"track,omitempty"`
	// Set groups an album: id, position from 1, and total where known.
	SetID    string `json:"set_id,omitempty"`
	SetIndex int    `json:"set_index,omitempty"`
	SetTotal int    `json:"set_total,omitempty"`
	// State says how far the library is with it.
	State MediaState `json:"state,omitempty"`
	// Reason is why it is gone or failed.
	Reason Reason `json:"reason,omitempty"`
}

// MediaState says how far the library is with an attachment. It is empty in what
// an adapter parsed and in what a host wants to send.
type MediaState string

// States of an attachment.
const (
	MediaPending MediaState = "pending" // it is being fetched, if need be for a day
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

// Sticker is a provider's sticker.
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

// Files lists the message's files: Media first, then Attachments. Their places
// are their numbers, from 0, wherever a file of a message is named.
func (c Content) Files() []Media {
	var all []Media
	if c.Media != nil {
		all = append(all, *c.Media)
	}
	return append(all, c.Attachments...)
}

// WithFile returns the content with another n-th file; c stays as it is. A
// number that no file has changes nothing.
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

// KindOf is the kind of content that a file of the media type is shown as.
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
