package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// repliesView lists the quick replies that somebody has.
type repliesView struct{ Rows []replyRow }

type replyRow struct {
	ID, Title, Code, Whose, Text string
}

// replyForm is the page of one.
type replyForm struct {
	Reply  sangdam.QuickReply
	Whose  []choice
	Texts  []textForm
	Places string
	// Fixed: it is everybody's or a desk's, and who reads this may not change it.
	Fixed bool
}

func (q *request) replies() error {
	list, err := q.engine.QuickReplies(q.r.Context(), q.p, "")
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	v := repliesView{}
	for _, r := range list {
		row := replyRow{ID: r.ID, Title: r.Title, Code: r.Code, Whose: q.lang.t("replies.all")}
		switch {
		case r.Owner != "":
			row.Whose = q.lang.t("replies.mine")
		case r.Desk != "":
			row.Whose = q.lang.t("replies.of_desk", deskName(d, r.Desk))
		}
		for _, l := range append([]string{q.lang.tag, ""}, sortedKeys(r.Texts)...) {
			if row.Text == "" {
				row.Text = conversation.Preview(channel.Text(r.Texts[l]))
			}
		}
		v.Rows = append(v.Rows, row)
	}
	q.page(http.StatusOK, "replies", q.lang.t("replies.title"), "", v)
	return nil
}

func deskName(d *sangdam.Directory, id routing.DeskID) string {
	if name := d.Desks[id]; name != "" {
		return name
	}
	return string(id)
}

// findReply is the stored one; a new one is the reader's own.
func (q *request) findReply(id string) (sangdam.QuickReply, error) {
	if id == "new" {
		return sangdam.QuickReply{Owner: routing.AgentID(q.p.ID)}, nil
	}
	list, err := q.engine.QuickReplies(q.r.Context(), q.p, "")
	if err != nil {
		return sangdam.QuickReply{}, err
	}
	for _, r := range list {
		if r.ID == id {
			return r, nil
		}
	}
	return sangdam.QuickReply{}, errNoPage
}

func (q *request) reply() error {
	r, err := q.findReply(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	return q.editReply(r, nil)
}

func (q *request) editReply(r sangdam.QuickReply, failed error) error {
	d, err := q.directory()
	if err != nil {
		return err
	}
	shares := q.may(sangdam.ActConfigure) == nil
	f := replyForm{Reply: r, Fixed: r.Owner == "" && !shares}
	for _, p := range sangdam.QuickReplyPlaceholders() {
		f.Places += " #{" + p + "}"
	}
	f.Places = strings.TrimSpace(f.Places)
	f.Whose = []choice{{"", q.lang.t("replies.mine"), r.Owner != ""}}
	if shares {
		f.Whose = append(f.Whose, choice{"all", q.lang.t("replies.all"), r.Owner == "" && r.Desk == ""})
		for _, c := range usable(q, d.Desks, d.RetiredDesks, func(id routing.DeskID) bool { return r.Desk == id }) {
			f.Whose = append(f.Whose, choice{"desk:" + c.Value, q.lang.t("replies.of_desk", c.Label), c.Chosen})
		}
	}
	f.Texts = q.lang.inLanguages("text.reply", besides(r.Texts), r.Texts)
	title := r.Title
	if title == "" {
		title = q.lang.t("replies.new")
	}
	return q.edit("reply", title, q.r.PathValue("id"), f, failed)
}

func (q *request) saveReply() error {
	r, err := q.findReply(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	if q.checked("delete") {
		c := sangdam.DeleteQuickReply{Key: q.key(), Reply: r.ID, Version: q.number("version")}
		if err := q.engine.DeleteQuickReply(q.r.Context(), q.p, c); err != nil {
			return err
		}
		return q.done("/replies")
	}
	r.Version, r.Title, r.Code, r.Texts = q.number("version"), q.value("title"), q.value("code"), q.texts()["reply"]
	r.Owner, r.Desk = "", ""
	switch whose := q.value("whose"); {
	case whose == "":
		r.Owner = routing.AgentID(q.p.ID)
	case strings.HasPrefix(whose, "desk:"):
		r.Desk = routing.DeskID(strings.TrimPrefix(whose, "desk:"))
	}
	saved, err := q.engine.SaveQuickReply(q.r.Context(), q.p, sangdam.SaveQuickReply{Key: q.key(), Reply: r})
	if err != nil {
		return q.editReply(r, err)
	}
	return q.saved("/replies/", escaped(saved.ID), saved.Warnings)
}

// canned lists what may be said for what was typed after the slash: quick replies
// for the conversation, filled, and then templates of tickets.
func (q *request) canned() error {
	text := q.r.FormValue("q")
	out := []cannedView{}
	if id := q.r.FormValue("conversation"); id != "" {
		replies, err := q.engine.RepliesFor(q.r.Context(), q.p, conversation.ID(id), text)
		if err != nil {
			return err
		}
		for _, r := range replies {
			out = append(out, cannedView{r.Title, r.Code, r.Text})
		}
	}
	list, err := q.engine.Templates(q.r.Context(), q.p, sangdam.TemplateFilter{Text: text})
	if err != nil {
		return err
	}
	for _, t := range list {
		out = append(out, cannedView{t.Title, t.SearchCode, t.Body})
	}
	slices.SortStableFunc(out, func(a, b cannedView) int { // what was typed whole, or begun, is meant
		return rankOf(a, text) - rankOf(b, text)
	})
	q.json(http.StatusOK, out[:min(len(out), 12)])
	return nil
}

func rankOf(c cannedView, typed string) int {
	switch {
	case typed != "" && strings.EqualFold(c.Code, typed):
		return 0
	case typed != "" && strings.HasPrefix(strings.ToLower(c.Code), strings.ToLower(typed)):
		return 1
	}
	return 2
}
