package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
)

// Before an agent works, it confirms what the workspace tells its agents: that
// what they write may be read and kept. Until then every page leads to the notice,
// and nothing can be changed.

// noticePath is the page of the notice.
const noticePath = "/notice"

// withoutNotice are served to whoever has not confirmed: the frame of the page,
// and what keeps it alive.
var withoutNotice = []string{noticePath, "/alive", "/events", "/bar", "/preferences"}

// unconfirmed answers a request of an agent who has to confirm first. It reports
// whether it did.
func (q *request) unconfirmed(rt route) (bool, error) {
	if slices.Contains(withoutNotice, rt.path) {
		return false, nil
	}
	n, err := q.engine.NoticeToConfirm(q.r.Context(), q.p, q.lang.tag)
	if err != nil || n.Version == "" {
		return false, err
	}
	to := q.o.Prefix + noticePath
	switch {
	case q.swaps():
		q.w.Header().Set("HX-Redirect", to)
		q.w.WriteHeader(http.StatusForbidden)
	case strings.Contains(q.r.Header.Get("Accept"), "text/html"):
		http.Redirect(q.w, q.r, to, http.StatusSeeOther)
	default:
		http.Error(q.w, q.lang.t("notice.first"), http.StatusForbidden)
	}
	return true, nil
}

// noticePage shows what is to be confirmed.
func (q *request) noticePage() error {
	n, err := q.engine.NoticeToConfirm(q.r.Context(), q.p, q.lang.tag)
	if err != nil {
		return err
	}
	if n.Version == "" {
		return q.done("/conversations")
	}
	q.page(http.StatusOK, "notice", q.lang.t("notice.title"), "", n)
	return nil
}

func (q *request) confirmNotice() error {
	c := sangdam.ConfirmNotice{Key: q.key(), Agent: routing.AgentID(q.p.ID), TextVersion: q.value("version")}
	if _, err := q.engine.ConfirmNotice(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/conversations")
}

// agentNoticeForm is the page on which administrators write the notice.
type agentNoticeForm struct {
	Version int64
	Notice  sangdam.AgentNotice
	Texts   []textForm
}

func (q *request) agentNotice() error {
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	return q.editNotice(set.Settings, nil)
}

func (q *request) editNotice(s sangdam.WorkspaceSettings, failed error) error {
	f := agentNoticeForm{Version: s.Version, Notice: s.AgentNotice}
	f.Texts = q.lang.inLanguages("text.agent", besides(s.AgentNotice.Texts), s.AgentNotice.Texts)
	return q.edit("agent-notice", q.lang.t("notice.setup"), "notice", f, failed)
}

func (q *request) saveAgentNotice() error {
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	s := set.Settings
	s.Version = q.number("version")
	s.AgentNotice = sangdam.AgentNotice{Version: q.value("text_version"), Texts: q.texts()["agent"]}
	saved, err := q.engine.SaveWorkspaceSettings(q.r.Context(), q.p, sangdam.SaveWorkspaceSettings{Key: q.key(), Settings: s})
	if err != nil {
		return q.editNotice(s, err)
	}
	return q.saved("/setup/", "notice", saved.Warnings)
}
