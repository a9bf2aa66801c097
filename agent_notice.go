package sangdam

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// AgentNotice is what the workspace tells its agents before they work, for
// instance that their own messages are read and kept too. Without Texts no
// agent is told anything.
type AgentNotice struct {
	// Version of the texts; empty means "1". When it changes, every agent is
	// asked to confirm the notice again.
	Version string            `json:"version,omitempty"`
	Texts   map[string]string `json:"texts,omitempty"` // by language; "" for every other one
}

func (n AgentNotice) validate() error {
	if len(n.Version) > 100 {
		return errs.New(errs.Invalid, "sangdam: workspace settings: the version of the agents' notice has more than 100 bytes")
	}
	for lang, text := range n.Texts {
		if len(lang) > maxTag || len(text) > maxText {
			return errs.New(errs.Invalid, "sangdam: workspace settings: the agents' notice (%q) has more than %d bytes; shorten it",
				lang, maxText)
		}
	}
	return nil
}

// version of the words that are in force; empty when there are none.
func (n AgentNotice) version() string {
	for _, text := range n.Texts {
		if text != "" {
			return cmp.Or(n.Version, "1")
		}
	}
	return ""
}

// NoticeToConfirm is the notice that an agent has to confirm, in one language,
// and its version. Both are empty when the workspace has no notice, when the
// agent has confirmed this version, and for a principal that is not an agent.
type NoticeToConfirm struct {
	Version, Text string
}

var qNoticeToConfirm = asks("agent.notice_to_confirm", "NoticeToConfirm", kindAgent, ActList).wide(wideAgents)

// NoticeToConfirm returns the notice that the principal has to confirm before
// it works, in the language given. It is the console that asks for it: the
// commands of the Engine work without.
func (e *Engine) NoticeToConfirm(ctx context.Context, p Principal, language string) (out NoticeToConfirm, err error) {
	if err := p.made(); err != nil || p.agent() == "" {
		return out, err
	}
	known, _ := e.setups.get(p.Workspace)
	if known != nil && time.Since(known.read) < e.cfg.Poll && known.Settings.AgentNotice.version() == "" {
		return out, nil // a page asks with every request
	}
	err = e.query(ctx, p, qNoticeToConfirm, p.ID, func(ctx context.Context, tx store.Tx, _ *settings) error {
		d, err := e.currentTicketSetup(ctx, tx)
		if err != nil {
			return err
		}
		n := d.Settings.AgentNotice
		if n.version() == "" {
			return nil
		}
		_, err = consents.Get(ctx, tx, consentID("agent/"+p.ID, "", purposeAgent, n.version()))
		if errors.Is(err, ErrNotFound) {
			text := automated.Text(purposeAgent, language, automated.Texts{purposeAgent: n.Texts})
			for _, l := range slices.Sorted(maps.Keys(n.Texts)) {
				if text == "" { // in a language that nobody wrote it in: any is better than none
					text = n.Texts[l]
				}
			}
			out, err = NoticeToConfirm{n.version(), text}, nil
		}
		return err
	})
	return out, err
}

// ConfirmNotice says that the agent who is the principal has read the
// workspace's notice to its agents.
type ConfirmNotice struct {
	Key   Key             `json:"-"`
	Agent routing.AgentID `json:"agent"` // who has read it: the principal itself
	// TextVersion is the version of the notice that was read
	// (NoticeToConfirm.Version).
	TextVersion string `json:"text_version"`
}

var opConfirmNotice = acts("agent.confirm_notice", "ConfirmNotice", kindAgent, ActPresence)

// ConfirmNotice carries the command out. It is kept once for each version, with
// an entry in the audit log; only the agent itself may send it. ErrStale when
// the notice has another version by now.
func (e *Engine) ConfirmNotice(ctx context.Context, p Principal, c ConfirmNotice) (Saved, error) {
	return command(ctx, e, call{opConfirmNotice, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActPresence, Resource{Kind: kindAgent, ID: string(c.Agent), Owner: c.Agent}); err != nil {
			return Saved{}, err
		}
		if c.Agent == "" || p.agent() != c.Agent {
			return Saved{}, errs.New(errs.Invalid, "sangdam: an agent confirms the notice to agents itself")
		}
		d, err := u.ticketSetup()
		if err != nil {
			return Saved{}, err
		}
		if v := d.Settings.AgentNotice.version(); v == "" || v != c.TextVersion {
			return Saved{}, errs.New(errs.Stale, "sangdam: the notice to agents was changed meanwhile; read it again")
		}
		u.detail("purpose", "agent_notice")
		u.detail("text_version", c.TextVersion)
		it := consent{ID: consentID("agent/"+p.ID, "", purposeAgent, c.TextVersion), Agent: p.ID, Purpose: purposeAgent,
			TextVersion: c.TextVersion, At: u.tx.Now()}
		had, err := consents.Get(u.ctx, u.tx, it.ID)
		if errors.Is(err, ErrNotFound) {
			err = consents.Save(u.ctx, u.tx, &it)
			had = it
		}
		return Saved{ID: had.ID, Version: had.Version}, err
	})
}
