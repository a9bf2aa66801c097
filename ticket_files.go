package sangdam

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// Files of tickets: what comments and fields name, with the names that people
// know them by.

// TicketFile describes a file that a comment or a field of a ticket names.
// Engine.TicketFile opens it.
type TicketFile struct {
	Blob string `json:"blob"`
	// Name is the file's name as it was uploaded, made safe. It is empty for
	// files that were stored by a version which kept no names, and for those
	// that the host put into the blob store itself.
	Name string `json:"name,omitempty"`
	Type string `json:"type,omitempty"`
	Size int64  `json:"size,omitempty"`

	Version int64     `json:"-"`
	Ticket  ticket.ID `json:"ticket"`
}

var ticketFiles = declare(store.Kind[TicketFile]{Name: "ticket_file", Decl: 1,
	ID:      func(f *TicketFile) string { return f.Blob },
	Version: func(f *TicketFile) *int64 { return &f.Version }})

// ownerTicket is how the record of a blob names the ticket that it belongs to.
const ownerTicket = "ticket:"

// referFiles records files that a ticket names, as refer does for messages, and
// remembers what is known of them for what leaves with the unit.
func (u *unit) referFiles(t ticket.ID, files []string) error {
	for _, name := range files {
		kept, err := u.tx.Blobs().Blob(u.ctx, name)
		if err == nil {
			if ours, err := belongsTo(u.ctx, u.tx, kept, t); err != nil || !ours {
				return cmpErr(err, noUpload())
			}
		}
		media := channel.Media{Blob: name, Type: kept.Type, Size: kept.Size, State: channel.MediaReady}
		switch {
		case err == nil:
			if media.Name, err = u.nameOfFile(name); err != nil {
				return err
			}
		case errors.Is(err, ErrNotFound):
			if media, err = u.takeFile(t, name); err != nil {
				return err
			}
		default:
			return err
		}
		u.knowFile(media)
	}
	return nil
}

// belongsTo says that a file belongs to a ticket: given to it, or to one that was
// merged into it.
func belongsTo(ctx context.Context, tx store.Tx, kept driver.Blob, t ticket.ID) (bool, error) {
	owner, is := strings.CutPrefix(kept.Owner, ownerTicket)
	for hops := 0; is && hops <= maxMerged && owner != ""; hops++ {
		if owner == string(t) {
			return true, nil
		}
		of, err := tickets.Get(ctx, tx, owner)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		owner = string(of.MergedInto)
	}
	return false, nil
}

// nameOfFile is the name of a file that a ticket has already.
func (u *unit) nameOfFile(blob string) (string, error) {
	if known, is := u.ticketFiles[blob]; is {
		return known.Name, nil
	}
	f, err := ticketFiles.Get(u.ctx, u.tx, blob)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return f.Name, err
}

// takeFile makes an upload a file of the ticket.
func (u *unit) takeFile(t ticket.ID, name string) (channel.Media, error) {
	up, err := u.takeUpload(name)
	if err != nil {
		return channel.Media{}, err
	}
	media := up.media()
	media.Blob, media.State = name, channel.MediaReady
	if err := u.tx.Blobs().Reference(u.ctx, driver.Blob{Name: name, Type: media.Type, Size: media.Size, SHA256: up.SHA256,
		Owner: ownerTicket + string(t), CreatedAt: u.tx.Now()}); err != nil || media.Name == "" {
		return media, err
	}
	return media, ticketFiles.Save(u.ctx, u.tx, &TicketFile{Blob: name, Name: media.Name, Type: media.Type, Size: media.Size, Ticket: t})
}

func (u *unit) knowFile(m channel.Media) {
	if u.ticketFiles == nil {
		u.ticketFiles = map[string]channel.Media{}
	}
	if _, known := u.ticketFiles[m.Blob]; !known {
		u.ticketFiles[m.Blob] = m
	}
}

// filesOf are the files that a ticket names in its fields and these entries, and
// after them those of the tickets that were merged into it, each once, without
// fields that are hidden from the reader.
func filesOf(ctx context.Context, tx store.Tx, t ticket.Ticket, entries []ticket.Entry, hidden []string) ([]TicketFile, error) {
	names, err := fileNamesOf(ctx, tx, t, entries, hidden)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, nil
	}
	known, err := ticketFiles.GetAll(ctx, tx, names...)
	if err != nil {
		return nil, err
	}
	var out []TicketFile
	for _, name := range names {
		of := func(f TicketFile) bool { return f.Blob == name }
		if slices.ContainsFunc(out, of) {
			continue
		}
		f := TicketFile{Blob: name, Ticket: t.ID}
		if at := slices.IndexFunc(known, of); at >= 0 {
			f = known[at]
		}
		out = append(out, f)
	}
	return out, nil
}

// fileNamesOf names the files of a ticket and of those that were merged into it.
func fileNamesOf(ctx context.Context, tx store.Tx, t ticket.Ticket, entries []ticket.Entry, hidden []string) ([]string, error) {
	names := filesNamedBy(shownTicket(t, hidden), entries)
	for _, l := range t.Links {
		if l.As != ticket.MergedOf {
			continue
		}
		merged, err := tickets.Get(ctx, tx, string(l.To))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		said, err := entriesOf(ctx, tx, l.To, max(0, merged.Entries-maxPage), maxPage)
		if err != nil {
			return nil, err
		}
		names = append(names, filesNamedBy(shownTicket(merged.Ticket, hidden), said)...)
	}
	return names, nil
}

// filesNamedBy are the names of a ticket's files, in the order of its fields and
// entries.
func filesNamedBy(t ticket.Ticket, entries []ticket.Entry) (names []string) {
	for _, code := range slices.Sorted(maps.Keys(t.Fields)) {
		names = append(names, t.Fields[code].Files...)
	}
	for _, e := range entries {
		names = append(names, e.Files...)
	}
	return names
}

// CommentFiles says which files a comment on a ticket takes.
type CommentFiles struct {
	// Count is the largest number of files of one comment, and Each the largest
	// size of one of them in bytes. Both are 0 where the engine keeps no files.
	Count int   `json:"count"`
	Each  int64 `json:"each"`
	// By is how a public comment reaches the customer: "chat", "mail", or ""
	// where it is not sent.
	By string `json:"by,omitempty"`
	// PublicCount is the largest number of files that a public comment sends to
	// the customer, and PublicBytes their largest size together in bytes; 0
	// means that only Each bounds the size.
	PublicCount int   `json:"public_count"`
	PublicBytes int64 `json:"public_bytes,omitempty"`
}

var qCommentFiles = asks("ticket.comment_files", "CommentFiles", kindTicket, ActRead)

// CommentFiles tells how many files, and how large ones, a comment on a ticket
// may have now; whoever may read the ticket may ask. The answer is for a form:
// UpdateTicket checks the files again.
func (e *Engine) CommentFiles(ctx context.Context, p Principal, id ticket.ID) (out CommentFiles, err error) {
	err = e.readTicket(ctx, p, qCommentFiles, id, func(ctx context.Context, tx store.Tx, _ Who, t ticket.Ticket) error {
		if e.cfg.Blobs == nil {
			return nil
		}
		out.Count, out.Each = ticket.MaxValueFiles, e.cfg.MaxMedia
		s, err := e.fresh(ctx, tx)
		if err != nil {
			return err
		}
		u := &unit{e: e, ctx: ctx, tx: tx, s: s, p: p}
		if by, err := u.chatTakes(t, &out); err != nil || by {
			return err
		}
		return u.postTakes(t, &out)
	})
	return out, err
}

// chatTakes says what the ticket's conversation carries; false where nothing can
// be said there.
func (u *unit) chatTakes(t ticket.Ticket, out *CommentFiles) (bool, error) {
	if t.Conversation == "" {
		return false, nil
	}
	cv, err := u.tx.Conversations().Conversation(u.ctx, t.Conversation)
	if err != nil {
		return false, err
	}
	acct, ad, err := u.e.account(u.s, cv.Account)
	if err != nil || acct.Deleted || acct.Disabled {
		return false, nil
	}
	out.By = "chat"
	if caps := ad.Capabilities(); u.agentFiles(cv) == nil && caps.Send[channel.KindFile] != adapter.Rejected {
		out.PublicCount = min(max(caps.MaxFiles, 1), out.Count)
	}
	return true, nil
}

// postTakes says what the workspace's target for mail carries.
func (u *unit) postTakes(t ticket.Ticket, out *CommentFiles) error {
	s, err := u.ticketSetup()
	if err != nil || s.Settings.Tickets.AnswerBy == "" || t.Requester.Email == "" {
		return err
	}
	to, err := u.usable(s.Settings.Tickets.AnswerBy)
	if errors.Is(err, ErrUnsupported) || errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if out.By, out.PublicBytes = "mail", u.e.carriers[to.Kind].files; out.PublicBytes > 0 {
		out.PublicCount = out.Count
	}
	return nil
}

var qTicketFile = asks("ticket.file", "TicketFile", kindTicket, ActRead)

// TicketFile opens a file that a comment or a field of a ticket names, or one
// of a ticket that was merged into it, for whoever may read the ticket. name is
// TicketFile.Blob. ErrNotFound when the ticket names no such file.
func (e *Engine) TicketFile(ctx context.Context, p Principal, id ticket.ID, name string) (*Attachment, error) {
	media := channel.Media{Blob: name}
	err := e.readTicket(ctx, p, qTicketFile, id, func(ctx context.Context, tx store.Tx, _ Who, _ ticket.Ticket) error {
		kept, err := tx.Blobs().Blob(ctx, name)
		if errors.Is(err, ErrNotFound) {
			return noSuch("attachment")
		}
		if err != nil {
			return err
		}
		if ours, err := belongsTo(ctx, tx, kept, id); err != nil || !ours {
			return cmpErr(err, noSuch("attachment"))
		}
		f, err := ticketFiles.Get(ctx, tx, name)
		if media.Name = privacy.SafeName(f.Name); errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.openFile(ctx, p.Workspace, media)
}
