package sangdam

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// A ticket may be handed over to another system, which makes a task of it and
// reports what becomes of that (CH12). While the target is disabled nothing is
// handed over; what was handed over before keeps its link and its reports.

var (
	opHandOver       = acts("ticket.hand_over", "HandOver", kindTicket, ActTicketHandOver).versioned()
	opReportHandOver = acts("ticket.report", "ReportHandOver", kindTarget, ActTicketReport)
)

// HandOver hands a ticket over to a target whose carrier is a notify.Reporter.
type HandOver struct {
	Key     Key             `json:"-"`
	Ticket  ticket.ID       `json:"ticket"`
	Version int64           `json:"version"`
	Target  notify.TargetID `json:"target"`
	// Note is put above the ticket's own text in what the other system gets.
	Note string `json:"note,omitempty"`
}

// HandOver carries the command out. The ticket is in the state handed over at
// once; when the other system refuses it, it comes back with a comment that
// says why. As soon as the other system has named its task, the ticket has that
// name (Ticket.HandedTo). Encrypted fields are not handed over. ErrUnsupported
// for a target that is switched off or takes no tickets, ErrConflict for a
// ticket that was handed over already.
func (e *Engine) HandOver(ctx context.Context, p Principal, c HandOver) (TicketState, error) {
	return command(ctx, e, call{opHandOver, p, c.Key, c}, func(u *unit) (TicketState, error) {
		w, err := u.onTicket(c.Ticket, ActTicketHandOver)
		if err != nil {
			return TicketState{}, err
		}
		if err := ticketVersion(w, UpdateTicket{Ticket: c.Ticket, Version: c.Version}); err != nil {
			return TicketState{}, err
		}
		t, err := u.usable(c.Target)
		if err != nil {
			return TicketState{}, err
		}
		if !u.e.takesTickets(t.Kind) {
			return TicketState{}, errs.New(errs.Unsupported, "sangdam: target %q takes notices, not tickets", t.Name)
		}
		if w.now.State == ticket.HandedOver {
			return TicketState{}, errs.New(errs.Conflict, "sangdam: ticket %s was handed over already", c.Ticket)
		}
		d, err := u.editTicket(c.Ticket)
		if err != nil {
			return TicketState{}, err
		}
		if err := d.SetState(ticket.HandedOver); err != nil {
			return TicketState{}, err
		}
		d.T.HandedTo = ""
		u.detail("target", string(c.Target))
		return ticketState(d), u.handTicket(w, c)
	})
}

var qReceivers = asks("target.receivers", "Receivers", kindTicket, ActTicketHandOver).wide(wideSetUp)

// Receivers lists the targets to which HandOver can hand a ticket over, by
// name. Only ID, Kind and Name of each are filled. Whoever may hand tickets
// over may call it.
func (e *Engine) Receivers(ctx context.Context, p Principal) (out []notify.Target, err error) {
	err = e.query(ctx, p, qReceivers, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		all, err := targets.All(ctx, tx, store.List[notify.Target]{Index: targetsByName}, maxTargets)
		for _, t := range all {
			if !t.Disabled && e.takesTickets(t.Kind) {
				out = append(out, notify.Target{ID: t.ID, Kind: t.Kind, Name: t.Name})
			}
		}
		return err
	})
	return out, err
}

// takesTickets says that targets of a kind report what becomes of a ticket.
func (e *Engine) takesTickets(kind notify.Kind) bool {
	c := e.carriers[kind]
	if c == nil {
		return false
	}
	_, reports := c.c.(notify.Reporter)
	return reports
}

func (u *unit) handTicket(w *ticketWork, c HandOver) error {
	s, err := u.ticketSetup()
	if err != nil {
		return err
	}
	t := w.now
	p := &pulledTicket{u: u, w: w, now: ticket.Facts{Ticket: &t, Fields: s.Fields}}
	values, err := p.values()
	if err != nil {
		return err
	}
	delete(values, "record.link") // the carrier has a place of its own for it
	text := forwarded(values)
	if c.Note != "" {
		text = c.Note + "\n\n" + text
	}
	data, err := json.Marshal(map[string]routing.AgentID{"agent": u.p.agent()})
	if err != nil {
		return err
	}
	n := notify.Notice{ID: fmt.Sprintf("%s-%d", t.ID, t.Entries+1), Event: "ticket.handed_over", Subject: "ticket:" + string(t.ID),
		Title: fmt.Sprintf("[#%d] %s", t.Number, oneLine(t.Title)), Text: text, Link: u.e.link(kindTicket, string(t.ID)), Data: data}
	params, err := json.Marshal(thenHandedParams{Ticket: t.ID, Target: c.Target})
	if err != nil {
		return err
	}
	_, err = u.deliver(Delivery{Target: c.Target, Notice: n}, driver.Then{On: channel.OutboxSent, Do: thenHanded, Params: params},
		driver.Then{On: channel.OutboxFailed, Do: thenHanded, Params: params})
	return err
}

// thenHanded follows the outcome of a hand-over.
const thenHanded = "handed_over"

type thenHandedParams struct {
	Ticket ticket.ID       `json:"ticket"`
	Target notify.TargetID `json:"target"`
}

// thenHandedOver notes what the other system calls the ticket; without such a
// name it was refused, and the ticket comes back.
func (u *unit) thenHandedOver(_ driver.OutboxRow, got string, params json.RawMessage) error {
	var p thenHandedParams
	if err := json.Unmarshal(params, &p); err != nil {
		return err
	}
	w, err := u.ticketWork(p.Ticket)
	if err != nil || w.now.State != ticket.HandedOver || w.now.MergedInto != "" {
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return err // it was taken back meanwhile
	}
	d, err := u.editTicket(p.Ticket)
	if err != nil {
		return err
	}
	if got != "" {
		d.T.HandedTo = handedTo(p.Target, got)
		return nil
	}
	if err := u.takeBack(d); err != nil {
		return err
	}
	return d.Comment("The hand-over was refused; see the deliveries of target " + string(p.Target) + ".")
}

// takeBack gives a ticket that was handed over to whom it had before.
func (u *unit) takeBack(d *ticket.Draft) error {
	if d.T.Agent == "" {
		return d.SetState(ticket.Unassigned)
	}
	return d.SetState(ticket.InProgress)
}

// handedTo is what a ticket is called where it was handed over.
func handedTo(target notify.TargetID, task string) string { return string(target) + "/" + task }

// ReportHandOver tells what became of a ticket that was handed over to another
// system. For carriers that can read that system's web hooks, TargetHooks calls
// it; for a system of its own the host does.
type ReportHandOver struct {
	Key    Key             `json:"-"`
	Target notify.TargetID `json:"target"`
	Report notify.Report   `json:"report"`
}

// ReportHandOver carries the command out. When the other system's task is done,
// the ticket becomes solved; when the task is opened again, the ticket becomes
// handed over again; a comment is added as an internal one. A ticket that
// somebody has taken back meanwhile keeps its state. ErrNotFound for a task
// that no ticket was handed over to.
func (e *Engine) ReportHandOver(ctx context.Context, p Principal, c ReportHandOver) (TicketState, error) {
	return command(ctx, e, call{opReportHandOver, p, c.Key, c}, func(u *unit) (TicketState, error) {
		if err := u.allow(ActTicketReport, Resource{Kind: kindTarget, ID: string(c.Target)}); err != nil {
			return TicketState{}, err
		}
		page, err := tickets.List(u.ctx, u.tx,
			store.List[storedTicket]{Tag: withHanded, Value: store.Exact(handedTo(c.Target, c.Report.Task)),
				Desc: true, Limit: 1})
		if err != nil {
			return TicketState{}, err
		}
		if len(page.Items) == 0 {
			return TicketState{}, errs.New(errs.NotFound, "sangdam: no ticket was handed over to target %s as %q", c.Target,
				shortened(c.Report.Task))
		}
		w, err := u.mergedInto(page.Items[0].ID)
		if err != nil {
			return TicketState{}, err
		}
		d, err := u.editTicket(w.now.ID)
		if err != nil {
			return TicketState{}, err
		}
		u.resource = ticketResource(w.now)
		return ticketState(d), u.reported(d, c.Report)
	})
}

func (u *unit) reported(d *ticket.Draft, r notify.Report) error {
	if said := strings.TrimSpace(r.Comment); said != "" {
		if r.By != "" {
			said = oneLine(r.By) + ": " + said
		}
		if err := d.Comment(cutTo(strings.ToValidUTF8(said, ""), ticket.MaxBody-8)); err != nil {
			return err
		}
	}
	switch {
	case r.State == notify.Done && d.T.State == ticket.HandedOver:
		return d.SetState(ticket.Solved)
	case r.State == notify.Working && d.T.State == ticket.Solved:
		return d.SetState(ticket.HandedOver)
	case r.State != "" && r.State != notify.Done && r.State != notify.Working:
		return errs.New(errs.Invalid, "sangdam: a report tells of %q; use %s or %s", shortened(string(r.State)),
			notify.Working, notify.Done)
	}
	return nil
}

// maxReport bounds the request of a receiver.
const maxReport = 1 << 20

// TargetHooks serves the web hooks by which other systems report on tickets
// that were handed over to them. The last three elements of the request's path
// are the workspace, the target and the target's secret "hook". It answers 404
// for any other path and for a target that does not exist, 400 for a body that
// the carrier cannot read, and 503 when the report could not be stored, so that
// the other system sends it again. A report on an unknown task is answered like
// a known one and has no effect.
func (e *Engine) TargetHooks() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil { // without the value: it may hold the body
				e.log.Error("a hook of a target panicked", "where", errs.Where())
				refuse(w, http.StatusInternalServerError)
			}
		}()
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed)
			return
		}
		if status := e.serveTargetHook(w, r); status != http.StatusOK {
			refuse(w, status)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
}

func (e *Engine) serveTargetHook(w http.ResponseWriter, r *http.Request) int {
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) < 4 {
		return http.StatusNotFound
	}
	parts = parts[len(parts)-3:]
	ws, name := id.Workspace(parts[0]), notify.TargetID(parts[1])
	t, err := e.hooked(r.Context(), ws, name, parts[2])
	if err != nil {
		return HTTPStatus(err)
	}
	raw, err := io.ReadAll(safehttp.Body(w, r, maxReport, safehttp.BodyWithin))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return http.StatusRequestEntityTooLarge
	}
	if err != nil {
		return http.StatusBadRequest
	}
	c := e.carriers[t.Kind]
	reports, err := c.reports(t, raw)
	if err != nil {
		return http.StatusBadRequest
	}
	for _, report := range reports {
		if err := e.reported(r.Context(), ws, name, report); err != nil {
			e.trouble("what a target reports could not be kept", err)
			return http.StatusServiceUnavailable
		}
	}
	return http.StatusOK
}

// reported keeps a report of a target. One about what is not there, or that
// cannot be, is passed over: to repeat it would not help.
func (e *Engine) reported(ctx context.Context, ws id.Workspace, name notify.TargetID, report notify.Report) error {
	key := Key("")
	if report.ID != "" {
		key = Key(hashedKey(string(name) + "\x00" + report.Task + "\x00" + report.ID))
	}
	_, err := e.ReportHandOver(ctx, Host(ws), ReportHandOver{Key: key, Target: name, Report: report})
	for _, final := range []error{ErrNotFound, ErrConflict, ErrUnsupported, ErrInvalid} {
		if errors.Is(err, final) {
			return nil
		}
	}
	return err
}

// hooked is a target that may be reported to under the secret; ErrNotFound.
func (e *Engine) hooked(ctx context.Context, ws WorkspaceID, name notify.TargetID, secret string) (t notify.Target, err error) {
	err = e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
		t, err = targets.Get(ctx, tx, string(name))
		return err
	})
	if errors.Is(err, ErrInvalid) { // no name that a workspace or target could have
		return t, noSuch(kindTarget)
	}
	if err != nil {
		return t, err
	}
	c := e.carriers[t.Kind]
	if c == nil {
		return t, noSuch(kindTarget)
	}
	if t.Secrets, err = e.openTarget(ctx, ws, t); err != nil {
		return t, err
	}
	want := t.Secrets[notify.SecretHook].Reveal()
	if len(want) < notify.MinHook || subtle.ConstantTimeCompare([]byte(want), []byte(secret)) != 1 {
		return t, noSuch(kindTarget)
	}
	return t, nil
}
