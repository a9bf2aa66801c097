package ticket

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
)

// Part names a text of a ticket: TitlePart, BodyPart, or CommentPart of an entry.
type Part string

// The parts of the inquiry.
const (
	TitlePart Part = "title"
	BodyPart  Part = "body"
)

const commentPrefix = "entry/"

// CommentPart names what the entry of that number says.
func CommentPart(seq int64) Part { return Part(commentPrefix + strconv.FormatInt(seq, 10)) }

// Comment is the entry whose text a part is; false for a part of the inquiry and
// for what is no part.
func (p Part) Comment() (seq int64, ok bool) {
	rest, is := strings.CutPrefix(string(p), commentPrefix)
	seq, err := strconv.ParseInt(rest, 10, 64)
	return seq, is && err == nil && seq > 0
}

// text is the part of the inquiry within a ticket.
func (p Part) text(t *Ticket) (*string, error) {
	switch p {
	case TitlePart:
		return &t.Title, nil
	case BodyPart:
		return &t.Body, nil
	}
	return nil, errs.New(errs.Invalid, "ticket: %q is no text of the inquiry; use title or body", clip(string(p)))
}

// Text is what a part of the inquiry says, with its masks. ErrInvalid for any part
// but TitlePart and BodyPart.
func (t Ticket) Text(p Part) (string, []privacy.MaskedSpan, error) {
	s, err := p.text(&t)
	if err != nil {
		return "", nil, err
	}
	return *s, t.Masks[p], nil
}

// Hide masks ranges of a part of the inquiry and returns what they hide, by the id
// of the mask; nil where nothing was hidden. What the ticket was before counts as
// masked too, so that the entry of this Draft does not tell of it; the entries that
// were written before are for Rewritten. ErrInvalid for any part but TitlePart and
// BodyPart.
func (d *Draft) Hide(p Part, spans []privacy.Span, mask func(privacy.Span) privacy.MaskedSpan) (originals map[string]string, err error) {
	text, err := p.text(&d.T)
	if err != nil {
		return nil, err
	}
	h := privacy.Hide(*text, d.T.Masks[p], spans, mask)
	if len(h.Originals) == 0 {
		return nil, nil
	}
	if was, err := p.text(&d.was); err == nil && *was == *text {
		*was = h.Text
	}
	*text = h.Text
	d.setMasks(p, h.Masks)
	if d.was.ID != "" {
		d.Note(Masked, p)
	}
	return h.Originals, nil
}

// Show puts back what the mask of the id hides in a part of the inquiry; false
// where the part has no such mask. ErrInvalid for any part but TitlePart and
// BodyPart.
func (d *Draft) Show(p Part, id, original string) (bool, error) {
	text, err := p.text(&d.T)
	if err != nil {
		return false, err
	}
	h, ok := privacy.Show(*text, d.T.Masks[p], id, original)
	if !ok {
		return false, nil
	}
	*text = h.Text
	d.setMasks(p, h.Masks)
	d.Note(Unmasked, p)
	return true, nil
}

func (d *Draft) setMasks(p Part, masks []privacy.MaskedSpan) {
	d.T.Masks = maps.Clone(d.T.Masks)
	if d.T.Masks == nil {
		d.T.Masks = map[Part][]privacy.MaskedSpan{}
	}
	if d.T.Masks[p] = masks; len(masks) == 0 {
		delete(d.T.Masks, p)
	}
}

// Note makes the entry one of the kind (Masked or Unmasked) about the part. An
// entry that is about something already stays as it is.
func (d *Draft) Note(k EntryKind, about Part) {
	if d.entry.Kind == "" {
		d.entry.Kind, d.entry.About = k, about
	}
}

// HideSaid masks ranges of what the entry says, which Comment, Answer or Reply
// gave it, before it is stored. It returns what they hide, by the id of the mask.
func (d *Draft) HideSaid(spans []privacy.Span, mask func(privacy.Span) privacy.MaskedSpan) (originals map[string]string) {
	d.entry, originals = d.entry.Hide(spans, mask)
	return originals
}

// Hide masks ranges of what an entry says, and returns the masked entry and what
// the masks hide, by their ids.
func (e Entry) Hide(spans []privacy.Span, mask func(privacy.Span) privacy.MaskedSpan) (Entry, map[string]string) {
	h := privacy.Hide(e.Text, e.Masks, spans, mask)
	if len(h.Originals) > 0 {
		e.Text, e.Masks = h.Text, h.Masks
	}
	return e, h.Originals
}

// Show puts back what the mask of the id hides in the entry's text; false where it
// has no such mask.
func (e Entry) Show(id, original string) (Entry, bool) {
	h, ok := privacy.Show(e.Text, e.Masks, id, original)
	if ok {
		e.Text, e.Masks = h.Text, h.Masks
	}
	return e, ok
}

// Rewritten is an entry of the history after a part of the inquiry was masked: the
// value was of that part becomes the value is, and in its other values, those of
// earlier days, whatever the masks hide (originals) is concealed. It reports
// whether anything differs. Of all entries rewritten so, Replay makes the masked
// ticket.
func (e Entry) Rewritten(p Part, was, is string, originals map[string]string) (Entry, bool) {
	changed := false
	again := func(raw json.RawMessage) json.RawMessage {
		var v string
		if json.Unmarshal(raw, &v) != nil || bytes.Equal(raw, null) {
			return raw
		}
		now := is
		if v != was {
			now = privacy.Conceal(v, originals)
		}
		if now == v {
			return raw
		}
		changed = true
		out, _ := json.Marshal(now) // a string can always be encoded
		return out
	}
	e.Changes = slices.Clone(e.Changes)
	for i := range e.Changes {
		if c := &e.Changes[i]; c.Member == string(p) {
			c.Was, c.Now = again(c.Was), again(c.Now)
		}
	}
	return e, changed
}
