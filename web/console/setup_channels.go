package console

import (
	"cmp"
	"net/http"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/routing"
)

// channelsView lists the accounts on every channel, and what a new one needs.
type channelsView struct {
	Rows  []channelRow
	Kinds []channelKind
	Saved bool
}

type channelRow struct {
	ID, Name, Desk, Stream, Language string
	Kind                             channel.Kind
	Tickets                          bool // what comes becomes tickets
	Off, Forbidden                   bool
}

type channelKind struct {
	Kind      channel.Kind
	Before    string // what must be there first
	Forbidden bool   // by the workspace's policy
}

// beforeOf names the text that says what must be there before an account of a
// channel is made.
func beforeOf(k channel.Kind) string {
	switch k {
	case kindLINE, kindWebChat, kindMail:
		return string(k)
	}
	return "other"
}

// channels is the page of them.
func (q *request) channels() error {
	ctx := q.r.Context()
	accounts, err := q.engine.Accounts(ctx, q.p)
	if err != nil {
		return err
	}
	cfg, err := q.engine.Configuration(ctx, q.p)
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	s, err := q.workspaceSettings()
	if err != nil {
		return err
	}
	forbidden := map[channel.Kind]bool{}
	for _, k := range s.Channels.Forbidden {
		forbidden[k] = true
	}
	v := channelsView{Saved: q.r.FormValue("saved") != ""}
	for _, a := range accounts {
		if a.Deleted {
			continue
		}
		w := cfg.WorkStreams[a.WorkStream]
		v.Rows = append(v.Rows, channelRow{ID: string(a.ID), Name: cmp.Or(a.Name, string(a.ID)), Kind: a.Kind, Language: a.Language,
			Desk: cmp.Or(d.Desks[a.Desk], string(a.Desk)), Stream: cmp.Or(w.Name, string(a.WorkStream)),
			Tickets: w.Tickets, Off: a.Disabled,
			Forbidden: forbidden[a.Kind]})
	}
	for _, k := range d.Kinds {
		v.Kinds = append(v.Kinds, channelKind{k, beforeOf(k), forbidden[k]})
	}
	q.page(http.StatusOK, "channels", q.lang.t("channels.title"), "setup", v)
	return nil
}

// nextStep is what an administrator does after an account is saved.
type nextStep struct{ What, Path string }

// nextSteps lead from an account to what makes it work.
func (q *request) nextSteps(a channel.Account) ([]nextStep, error) {
	cfg, err := q.engine.Configuration(q.r.Context(), q.p)
	if err != nil {
		return nil, err
	}
	stream := "/setup/streams/" + escaped(string(a.WorkStream))
	out := []nextStep{{"rules", stream + "#rules"}, {"bot", stream}}
	if w := cfg.WorkStreams[a.WorkStream]; w.Queue != "" {
		out = append(out, nextStep{"queue", "/setup/queues/" + escaped(string(w.Queue))})
	}
	return append(out, nextStep{"desk", "/setup/desks/" + escaped(string(a.Desk))},
		nextStep{"triggers", "/triggers?subject=" + subjectFor(cfg, a)}), nil
}

// subjectFor is the kind of record that an account's messages become.
func subjectFor(cfg routing.Configuration, a channel.Account) string {
	if cfg.WorkStreams[a.WorkStream].Tickets {
		return "ticket"
	}
	return "conversation"
}
