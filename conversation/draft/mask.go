package draft

import (
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
)

// Hide masks ranges of a message's text (bytes) and returns what they hide, by
// the ids that mask gives. Emoji and mentions stay marked where they are; those
// in a hidden part are no longer. The subject of a mail says the words no longer
// either, and what it said is not kept.
func Hide(m conversation.Message, spans []privacy.Span, mask func(privacy.Span) privacy.MaskedSpan) (conversation.Message,
	map[string]string) {
	h := privacy.Hide(m.Content.Text, m.Masks, spans, mask)
	if len(h.Originals) == 0 {
		return m, nil
	}
	m, _ = withoutInSubject(rewritten(m, h), h.Originals)
	return m, h.Originals
}

// withoutInSubject is a mail whose subject does not say the words, and whether it
// did.
func withoutInSubject(m conversation.Message, originals map[string]string) (conversation.Message, bool) {
	if m.Content.Letter == nil {
		return m, false
	}
	safe := *m.Content.Letter
	safe.Subject = privacy.Conceal(safe.Subject, originals)
	did := safe.Subject != m.Content.Letter.Subject
	m.Content.Letter = &safe
	return m, did
}

// rewritten is the message with another text.
func rewritten(m conversation.Message, h privacy.Hidden) conversation.Message {
	var marked []channel.Span
	for _, s := range m.Content.Spans {
		if to, ok := h.Moved(privacy.Span{Start: s.Start, End: s.Start + s.Length}); ok {
			s.Start, s.Length = to.Start, to.End-to.Start
			marked = append(marked, s)
		}
	}
	m.Content.Text, m.Content.Spans, m.Masks = h.Text, marked, h.Masks
	return m
}

// Mask masks ranges of a stored message, see Hide, and what copies of them the
// conversation keeps: the preview and what a bot remembers. m is as it was.
func (d *Draft) Mask(m conversation.Message, spans []privacy.Span, actor string,
	mask func(privacy.Span) privacy.MaskedSpan) (conversation.Message,
	map[string]string) {
	hidden, originals := Hide(m, spans, mask)
	if len(originals) == 0 {
		return m, nil
	}
	d.previewFollows(m, hidden)
	for _, kept := range []map[string]string{d.C.BotData, d.C.Attributes} {
		for k, v := range kept {
			kept[k] = privacy.Conceal(v, originals)
		}
	}
	d.event(conversation.Event{Kind: conversation.EvMask, Message: m.ID, Actor: actor}, m.Direction != conversation.Internal)
	d.put(hidden)
	return hidden, originals
}

// MaskSubject takes words that were masked elsewhere out of the subject of a
// stored mail, whose text does not say them; it reports whether they stood there.
func (d *Draft) MaskSubject(m conversation.Message, originals map[string]string, actor string) (conversation.Message, bool) {
	hidden, did := withoutInSubject(m, originals)
	if did {
		d.event(conversation.Event{Kind: conversation.EvMask, Message: m.ID, Actor: actor}, m.Direction != conversation.Internal)
		d.put(hidden)
	}
	return hidden, did
}

// Unmask shows what a mask hides again; it reports whether the message has that
// mask. What a bot remembered stays masked.
func (d *Draft) Unmask(m conversation.Message, id, original, actor string) (conversation.Message, bool) {
	h, ok := privacy.Show(m.Content.Text, m.Masks, id, original)
	if !ok {
		return m, false
	}
	shown := rewritten(m, h)
	d.previewFollows(m, shown)
	d.event(conversation.Event{Kind: conversation.EvUnmask, Message: m.ID, Actor: actor}, m.Direction != conversation.Internal)
	d.put(shown)
	return shown, true
}

func (d *Draft) previewFollows(was, is conversation.Message) {
	if d.C.Preview == conversation.Preview(was.Content) {
		d.C.Preview = conversation.Preview(is.Content)
	}
}
