package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/ticket"
)

// Masking in the console: a range of a text is selected and masked, what was
// found is masked with one click, and who has the right asks for what a mask
// hides. The Engine decides in the end; what it would refuse has no button.

// maskingView is what a page needs to offer masking.
type maskingView struct {
	On     bool // a range can be masked
	Reveal bool // what masks hide can be asked for
}

// found is personal data that is proposed for masking, under its text.
type found struct {
	Span  string
	Label string
}

// marked is a text in parts: plain, links, masks, and what was found.
func (q *request) marked(text string, masks []privacy.MaskedSpan, findings []privacy.Finding) []segment {
	type mark struct {
		privacy.Span
		mask, found string
	}
	var marks []mark
	for _, m := range masks {
		marks = append(marks, mark{m.Span, m.ID, ""})
	}
	for _, f := range findings {
		marks = append(marks, mark{f.Span, "", string(f.Type)})
	}
	slices.SortFunc(marks, func(a, b mark) int { return cmp.Compare(a.Start, b.Start) })
	var out []segment
	at := 0
	for _, m := range marks {
		if m.Start < at || m.End > len(text) {
			continue // of another text than this one
		}
		out = append(out, links(text[at:m.Start])...)
		out = append(out, segment{Text: text[m.Start:m.End], Mask: m.mask, Found: m.found})
		at = m.End
	}
	return append(out, links(text[at:])...)
}

// proposed names what was found, each with the range to mask.
func (q *request) proposed(findings []privacy.Finding) []found {
	var out []found
	for _, f := range findings {
		out = append(out, found{Span: strconv.Itoa(f.Start) + "-" + strconv.Itoa(f.End), Label: q.lang.of("found", string(f.Type))})
	}
	return out
}

// ranges are those of a form, as "from-to" in bytes.
func (q *request) ranges() ([]privacy.Span, error) {
	if err := q.r.ParseForm(); err != nil {
		return nil, errs.New(errs.Invalid, "console: %s", q.lang.t("masking.bad_range"))
	}
	var out []privacy.Span
	for _, raw := range q.r.PostForm["span"] {
		from, to, _ := strings.Cut(raw, "-")
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA != nil || errB != nil {
			return nil, errs.New(errs.Invalid, "console: %s", q.lang.t("masking.bad_range"))
		}
		out = append(out, privacy.Span{Start: a, End: b})
	}
	return out, nil
}

// maskMessage masks ranges of a message.
func (q *request) maskMessage() error {
	spans, err := q.ranges()
	if err != nil {
		return err
	}
	_, err = q.engine.MaskMessage(q.r.Context(), q.p,
		sangdam.MaskMessage{Key: q.key(), Message: conversation.MessageID(q.r.PathValue("id")),
			Version: q.number("version"), Spans: spans})
	return q.maskedThen(err)
}

// maskTicket masks ranges of a text of a ticket.
func (q *request) maskTicket() error {
	spans, err := q.ranges()
	if err != nil {
		return err
	}
	done, err := q.engine.MaskTicket(q.r.Context(), q.p, sangdam.MaskTicket{Key: q.key(), Ticket: ticket.ID(q.r.PathValue("id")),
		Part: ticket.Part(q.r.PostFormValue("part")), Version: q.number("version"), Spans: spans})
	if err == nil && len(done.Warnings) > 0 {
		q.tell("/tickets/"+url.PathEscape(string(done.Ticket)), word{Warnings: q.lang.warned(done.Warnings)})
	}
	return q.maskedThen(err)
}

// maskPlace is the mask that a form names.
func (q *request) maskPlace(ofTicket bool) sangdam.MaskedPlace {
	at := sangdam.MaskedPlace{Mask: q.r.PostFormValue("mask")}
	if ofTicket {
		at.Ticket, at.Part = ticket.ID(q.r.PathValue("id")), ticket.Part(q.r.PostFormValue("part"))
	} else {
		at.Message = conversation.MessageID(q.r.PathValue("id"))
	}
	return at
}

func (q *request) revealMessage() error { return q.reveal(false) }
func (q *request) revealTicket() error  { return q.reveal(true) }
func (q *request) unmaskMessage() error { return q.unmask(false) }
func (q *request) unmaskTicket() error  { return q.unmask(true) }

// reveal answers what a mask hides, to the page's script alone.
func (q *request) reveal(ofTicket bool) error {
	original, err := q.engine.Reveal(q.r.Context(), q.p, sangdam.Reveal{Key: q.key(), Place: q.maskPlace(ofTicket),
		Reason: q.r.PostFormValue("reason")})
	if err != nil {
		return err
	}
	q.json(http.StatusOK, map[string]string{"text": original})
	return nil
}

// revealField answers what an encrypted field of a ticket holds, a text, a date or
// a number, to the page's script alone.
func (q *request) revealField() error {
	id, code := ticket.ID(q.r.PathValue("id")), q.r.PathValue("code")
	v, err := q.engine.RevealTicketField(q.r.Context(), q.p, id, code)
	if err != nil {
		return err
	}
	q.json(http.StatusOK, map[string]string{"text": q.fieldView(ticket.Field{Code: code}, v).Value})
	return nil
}

// unmask takes a mask away; the form's button is the confirmation.
func (q *request) unmask(ofTicket bool) error {
	_, err := q.engine.Unmask(q.r.Context(), q.p, sangdam.Unmask{Key: q.key(), Place: q.maskPlace(ofTicket), Version: q.number("version"),
		Reason: q.r.PostFormValue("reason"), Confirm: q.checked("confirm")})
	return q.maskedThen(err)
}

// maskedThen leads back to where the form was.
func (q *request) maskedThen(err error) error {
	if err != nil {
		return err
	}
	if q.asJSON() {
		q.json(http.StatusOK, map[string]bool{"done": true})
		return nil
	}
	if c := q.r.PostFormValue("conversation"); c != "" {
		return q.shown(conversation.ID(c))
	}
	return q.done("/tickets/" + url.PathEscape(q.r.PathValue("id")))
}
