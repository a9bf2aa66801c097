package sangdam

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/backup"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
)

// A backup of conversations is made in the background: first which ones there
// are, then parts of some conversations each, sealed, as blobs. A part is put
// before the row that names it, so that a process which ends in the middle repeats
// one part and no more. What is masked is masked in it; a mask that is made later
// does not reach it, which is why it is not kept for long.

// BackUp asks for a file of the conversations that match and that the principal
// may see: each with its messages, record and the names of its files.
type BackUp struct {
	Key    Key                 `json:"-"`
	Filter conversation.Filter `json:"filter,omitzero"`
	// Text restricts the backup to conversations in which Search finds it, at
	// most 200.
	Text string `json:"text,omitempty"`
}

// Backup is a backup and how far it is.
type Backup struct {
	ID      string      `json:"id"`
	Version int64       `json:"-"`
	By      string      `json:"by"` // who asked for it, as the audit log names principals
	State   ErrandState `json:"state"`
	// Total is how many conversations were found, 0 while they are looked for.
	// Done are in the file; Left out are those that may not be seen any more.
	Total   int   `json:"total"`
	Done    int   `json:"done"`
	LeftOut int   `json:"left_out"`
	Bytes   int64 `json:"bytes"` // of the file
	// Reason says why it failed.
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	// Until is when the file goes, zero while it is made.
	Until     time.Time           `json:"until,omitzero"`
	Filter    conversation.Filter `json:"filter,omitzero"`
	Text      string              `json:"text,omitempty"`
	Principal Principal           `json:"principal"`
	Parts     int                 `json:"parts"` // of which it will consist
	Made      int                 `json:"made"`  // parts that are there
}

// backupPart is a part of the file: which conversations, and where they are.
type backupPart struct {
	Backup  string            `json:"backup"`
	N       int               `json:"n"`
	Version int64             `json:"-"`
	IDs     []conversation.ID `json:"ids"`
	Blob    string            `json:"blob,omitempty"`
}

var (
	backups = declare(store.Kind[Backup]{Name: "backup",
		ID:      func(b *Backup) string { return b.ID },
		Version: func(b *Backup) *int64 { return &b.Version },
		Indexes: []store.Index[Backup]{{Name: "at", Value: func(b *Backup) []byte { return store.Time(b.At) }}},
		Tags: []store.TagIndex[Backup]{{Name: "by", Values: func(b *Backup) [][]byte { return one(b.By) },
			Order: func(b *Backup) []byte { return store.Time(b.At) }}}})

	backupParts = declare(store.Kind[backupPart]{Name: "backup_part",
		ID:      func(b *backupPart) string { return fmt.Sprintf("%s/%d", b.Backup, b.N) },
		Version: func(b *backupPart) *int64 { return &b.Version }})

	opBackUp = acts("conversation.back_up", "BackUp", kindBackup, ActBackup)
)

const (
	jobBackup  = "conversation_backup"
	kindBackup = "backup"
	// backupFor is how long a backup is kept from when it was asked for.
	backupFor = 7 * 24 * time.Hour
	// inPart is how many conversations a part has, and maxPart bounds its bytes.
	inPart  = 50
	maxPart = 256 << 20
)

func init() {
	registerJob(jobKind{name: jobBackup, workers: 1, bound: always(30 * time.Minute), tries: 50}, (*Engine).backupJob,
		func(u *unit, p backupJobOf, why error) error { return backupErrands.givenUp(u, p.Backup, why) })
}

type backupJobOf struct {
	Backup string `json:"backup"`
}

// BackUp carries the command out and returns at once, while the file is made in
// the background; Backups tells how far it is. ErrConflict while an earlier
// backup of the same principal is still being made.
func (e *Engine) BackUp(ctx context.Context, p Principal, c BackUp) (Saved, error) {
	return command(ctx, e, call{opBackUp, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActBackup, Resource{Kind: kindBackup}); err != nil {
			return Saved{}, err
		}
		if e.cfg.Blobs == nil {
			return Saved{}, errs.New(errs.Unsupported, "sangdam: a backup needs a blob store; set Config.Blobs")
		}
		last, err := backupErrands.of(u.ctx, u.tx, p, 1)
		if err != nil {
			return Saved{}, err
		}
		if len(last) > 0 && last[0].State == ErrandRunning {
			return Saved{}, errs.New(errs.Conflict, "sangdam: your last backup is still being made; wait for it")
		}
		if err := c.Filter.Check(); err != nil {
			return Saved{}, err
		}
		b := Backup{ID: newID(), By: p.keyOwner(), State: ErrandRunning, At: u.tx.Now(), Filter: c.Filter, Text: c.Text, Principal: p}
		if err := backups.Save(u.ctx, u.tx, &b); err != nil {
			return Saved{}, err
		}
		u.resource.ID = b.ID
		return Saved{ID: b.ID, Version: b.Version}, u.enqueueJob(jobBackup, b.ID, backupJobOf{b.ID})
	})
}

// backupErrands are the backups as errands.
var backupErrands = errand[Backup]{kind: kindBackup, docs: backups, about: func(b *Backup) errandState {
	return errandState{id: b.ID, by: b.By, state: string(b.State), version: b.Version, over: b.State != ErrandRunning,
		percent: 100 * b.Made / max(b.Parts, 1)}
}, fail: func(b *Backup, reason string, _ time.Time) { b.State, b.Reason = ErrandFailed, reason }}

// backupJob makes one part after the other.
func (e *Engine) backupJob(ctx context.Context, j *runningJob, p backupJobOf) error {
	return backupErrands.run(e, ctx, j, p.Backup, func(ctx context.Context, b Backup) error {
		if b.Parts == 0 {
			return e.beginBackup(ctx, b)
		}
		return e.backupStep(ctx, b)
	})
}

// beginBackup finds out which conversations there are, and divides them.
func (e *Engine) beginBackup(ctx context.Context, b Backup) error {
	ids, err := e.backupOf(ctx, b)
	if errors.Is(err, ErrPermissionDenied) { // whoever asked for it may see nothing any more
		ids, err = nil, nil
	}
	if err != nil {
		return err
	}
	chunks := slices.Collect(slices.Chunk(ids, inPart))
	if len(chunks) == 0 {
		chunks = [][]conversation.ID{{}} // an empty file
	}
	for n, some := range chunks {
		err := e.db.Update(ctx, b.Principal.Workspace, func(ctx context.Context, tx store.Tx) error {
			part := backupPart{Backup: b.ID, N: n, IDs: some}
			old, err := backupParts.Get(ctx, tx, fmt.Sprintf("%s/%d", b.ID, n))
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			part.Version = old.Version // of a try that did not come to its end
			return backupParts.Save(ctx, tx, &part)
		})
		if err != nil {
			return err
		}
	}
	b.Total, b.Parts = len(ids), len(chunks)
	return e.unit(ctx, system(b.Principal.Workspace), func(u *unit) error { return backupErrands.save(u, &b) })
}

// backupOf lists what there is, in the order in which it began.
func (e *Engine) backupOf(ctx context.Context, b Backup) ([]conversation.ID, error) {
	opened := map[conversation.ID]time.Time{}
	if b.Text != "" {
		found, err := e.Search(ctx, b.Principal, b.Text, maxPage)
		for _, f := range found {
			if b.Filter.Match(f.Conversation) {
				opened[f.Conversation.ID] = f.Conversation.OpenedAt
			}
		}
		return inOrder(opened), err
	}
	_, _, err := gather(time.Time{}, math.MaxInt, func(page string) (some []touched, next string, err error) {
		list, err := e.Conversations(ctx, b.Principal, b.Filter, page, maxPage)
		for _, c := range list.Conversations {
			opened[c.ID] = c.OpenedAt
			some = append(some, touched{string(c.ID), c.UpdatedAt})
		}
		return some, list.Next, err
	})
	return inOrder(opened), err
}

func inOrder(opened map[conversation.ID]time.Time) []conversation.ID {
	ids := make([]conversation.ID, 0, len(opened))
	for id := range opened {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b conversation.ID) int {
		if c := opened[a].Compare(opened[b]); c != 0 {
			return c
		}
		return bytes.Compare([]byte(a), []byte(b))
	})
	return ids
}

func backupPlace(ws WorkspaceID, part string) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "backup_part", Row: part, Column: "file"}
}

// backupStep makes the next part.
func (e *Engine) backupStep(ctx context.Context, b Backup) error {
	ws := b.Principal.Workspace
	id := fmt.Sprintf("%s/%d", b.ID, b.Made)
	var part backupPart
	err := e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
		part, err = backupParts.Get(ctx, tx, id)
		return err
	})
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, c := range part.IDs {
		n := lines.Len()
		err := e.backupLine(ctx, b.Principal, c, &lines)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrPermissionDenied) {
			lines.Truncate(n)
			b.LeftOut++
			continue
		}
		if err != nil {
			return err
		}
		b.Done++
	}
	b.Bytes += int64(lines.Len())
	info, err := e.putBackup(ctx, ws, id, lines.Bytes())
	if err != nil {
		return err
	}
	part.Blob = info.Name
	if b.Made++; b.Made == b.Parts {
		b.State, b.Until = ErrandReady, b.At.Add(backupFor)
	}
	return e.unit(ctx, system(ws), func(u *unit) error {
		err := u.tx.Blobs().Reference(u.ctx, driver.Blob{Name: info.Name, Type: "application/octet-stream", Size: info.Size,
			SHA256: info.SHA256, Owner: kindBackup + ":" + b.ID, CreatedAt: u.tx.Now()})
		if err != nil {
			return err
		}
		part := part // the function may run twice
		if err := backupParts.Save(u.ctx, u.tx, &part); err != nil {
			return err
		}
		return backupErrands.save(u, &b)
	})
}

// backupLine writes one conversation, asking for it in the principal's name.
func (e *Engine) backupLine(ctx context.Context, p Principal, id conversation.ID, to io.Writer) error {
	d, err := e.Conversation(ctx, p, id)
	if err != nil {
		return err
	}
	messages := d.Messages
	for d.Earlier {
		some, err := e.EarlierMessages(ctx, p, id, messages[0].Seq, maxPage)
		if err != nil {
			return err
		}
		messages = append(some, messages...)
		d.Earlier = len(some) == maxPage
	}
	c := d.Conversation
	line := backup.Line{Conversation: c.ID, Channel: c.Channel, Account: c.Account, Desk: c.Desk, Agent: c.Agent, State: c.State,
		Handled: c.Handled, OpenedAt: c.OpenedAt, ClosedAt: c.ClosedAt, EndedBy: c.EndedBy, EndReason: c.EndReason, Category: c.Category,
		Memo: c.Memo, Tags: c.Tags, Attributes: coarse(c.Attributes), Rating: c.Rating, Messages: []backup.Message{},
		Events: []conversation.Event{}}
	if d.Contact != nil {
		line.Customer = d.Contact.Name
	}
	for _, m := range messages {
		out := backup.Message{ID: m.ID, At: m.At, Direction: m.Direction, Author: m.Author, Kind: m.Content.Kind, Text: m.Content.Text,
			Status: m.Status, EditedAt: m.EditedAt, UnsentAt: m.UnsentAt}
		for _, f := range m.Content.Files() {
			out.Files = append(out.Files, backup.Attachment{Name: f.Name, Type: f.Type, Size: f.Size, State: f.State})
		}
		line.Messages = append(line.Messages, out)
	}
	for after := int64(0); ; {
		some, err := e.ConversationEvents(ctx, p, id, after, maxPage)
		if err != nil {
			return err
		}
		line.Events = append(line.Events, some...)
		if len(some) < maxPage {
			break
		}
		after = some[len(some)-1].Seq
	}
	return json.NewEncoder(to).Encode(line)
}

// coarse leaves of the customer's address the network: who reads a backup wants
// to know where from, not who.
func coarse(attributes map[string]string) map[string]string {
	addr, err := netip.ParseAddr(attributes["ip"])
	if err != nil {
		return attributes
	}
	bits := 16
	if addr = addr.Unmap(); addr.Is6() {
		bits = 32
	}
	net, err := addr.Prefix(bits)
	out := maps.Clone(attributes)
	if out["ip"] = net.String(); err != nil {
		delete(out, "ip")
	}
	return out
}
