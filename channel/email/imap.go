package email

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
)

// fetched is a mail as the server had it.
type fetched struct {
	uid uint32
	at  time.Time
	raw []byte
}

// Mails are stored in batches: so many, or so many bytes.
const (
	batchMails = 20
	batchBytes = 4 << 20
)

// overlap is how far before the newest known mail the search begins when the
// server has given new UIDs: its days are not ours.
const overlap = 48 * time.Hour

// mailConn is a connection that is logged in.
type mailConn struct {
	*imapclient.Client
	news chan struct{} // the server told of mails
	stop func()
}

// connectIMAP opens a connection and logs in, within ctx; the caller stops it. ErrPermissionDenied when user and
// password are refused.
func (a *Adapter) connectIMAP(ctx context.Context, box Mailbox, password string) (*mailConn, error) {
	conn, err := a.dial(ctx, "tcp", net.JoinHostPort(box.Host, strconv.Itoa(box.port())))
	if err != nil {
		return nil, errs.New(errs.Unavailable, "email: the IMAP server cannot be reached")
	}
	cut := context.AfterFunc(ctx, func() { _ = conn.Close() })
	out := &mailConn{news: make(chan struct{}, 1), stop: func() { _ = conn.Close() }}
	opt := &imapclient.Options{TLSConfig: a.tlsConfig(box.Host), UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				select {
				case out.news <- struct{}{}:
				default:
				}
			}
		}}}
	switch box.Encryption {
	case Plain:
		out.Client = imapclient.New(conn, opt)
	case StartTLS:
		if out.Client, err = imapclient.NewStartTLS(conn, opt); err != nil {
			out.stop()
			return nil, errs.New(errs.Unavailable,
				"email: the IMAP server does not encrypt by STARTTLS; set encryption to tls if it speaks that")
		}
	default:
		out.Client = imapclient.New(tls.Client(conn, opt.TLSConfig), opt)
	}
	end := out.stop
	out.stop = func() { _ = out.Client.Close(); end() }
	if err := out.Client.WaitGreeting(); err != nil {
		out.stop()
		return nil, errs.New(errs.Unavailable, "email: the IMAP server does not greet; is the encryption right?")
	}
	if err := out.Client.Login(box.User, password).Wait(); err != nil {
		out.stop()
		if _, answered := errors.AsType[*imap.Error](err); answered {
			return nil, errs.New(errs.PermissionDenied, "email: the IMAP server refuses user or password")
		}
		return nil, errs.New(errs.Unavailable, "email: the connection to the IMAP server broke at the log-in")
	}
	cut() // from here on the caller ends it
	return out, nil
}

// session is one connection: it catches up, then waits for news, and again.
func (f *folderRun) session(ctx context.Context) error {
	dial, cancel := context.WithTimeout(ctx, 30*time.Second)
	c, err := f.a.connectIMAP(dial, f.box, f.acct.Secrets[f.box.secret()].Reveal())
	cancel()
	if err != nil {
		return err
	}
	defer c.stop()
	defer context.AfterFunc(ctx, c.stop)()
	// Read only: people read the same mailbox, and what they have seen is theirs.
	selected, err := c.Select(f.folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return broke(err, "the folder cannot be opened; is its name right?")
	}
	uids, at, err := f.begin(c, selected)
	if err != nil {
		return err
	}
	for {
		if err := f.fetch(ctx, c, uids, at); err != nil {
			return err
		}
		if err := f.wait(ctx, c); err != nil {
			return err
		}
		at, _ = f.p.at(f.key())
		if uids, err = after(c, at.Last); err != nil {
			return err
		}
	}
}

func broke(err error, what string) error {
	if _, answered := errors.AsType[*imap.Error](err); answered {
		return errs.New(errs.Invalid, "email: %s", what)
	}
	return errs.New(errs.Unavailable, "email: the connection to the IMAP server broke")
}

// begin says which mails are to be fetched, by where the folder was left. UIDs of
// another validity mean nothing: then everything since about the newest known
// mail is looked at again, and what is known is absorbed by its dedup key.
func (f *folderRun) begin(c *mailConn, selected *imap.SelectData) ([]uint32, place, error) {
	at, known := f.p.at(f.key())
	switch {
	case known && at.Validity == selected.UIDValidity:
		uids, err := after(c, at.Last)
		return uids, at, err
	case known:
		f.a.log.Warn("a folder has new UIDs; it is read again from its newest known mail", "account", string(f.acct.ID),
			"mailbox", f.box.Name)
		since := at.Seen
		if since.IsZero() {
			since = time.Now().Add(-30 * 24 * time.Hour)
		}
		at = place{Validity: selected.UIDValidity, Seen: at.Seen}
		uids, err := search(c, &imap.SearchCriteria{Since: since.Add(-overlap)})
		return uids, at, err
	case f.box.HistoryDays > 0:
		uids, err := search(c, &imap.SearchCriteria{Since: time.Now().Add(-time.Duration(f.box.HistoryDays) * 24 * time.Hour)})
		return uids, place{Validity: selected.UIDValidity}, err
	}
	at = place{Validity: selected.UIDValidity, Last: uint32(max(selected.UIDNext, 1) - 1), Seen: time.Now().UTC()}
	return nil, at, nil
}

func after(c *mailConn, last uint32) ([]uint32, error) {
	uids, err := search(c, &imap.SearchCriteria{UID: []imap.UIDSet{{imap.UIDRange{Start: imap.UID(last + 1)}}}})
	// "n:*" names the last mail even if it is older.
	return slices.DeleteFunc(uids, func(uid uint32) bool { return uid <= last }), err
}

func search(c *mailConn, what *imap.SearchCriteria) ([]uint32, error) {
	found, err := c.UIDSearch(what, nil).Wait()
	if err != nil {
		return nil, broke(err, "the server does not search")
	}
	var uids []uint32
	for _, uid := range found.AllUIDs() {
		uids = append(uids, uint32(uid))
	}
	slices.Sort(uids)
	return uids, nil
}

// fetch stores the mails in the order of their UIDs, in batches.
func (f *folderRun) fetch(ctx context.Context, c *mailConn, uids []uint32, at place) error {
	var batch []fetched
	size := 0
	flush := func() error {
		err := f.keep(ctx, at, batch...)
		batch, size = nil, 0
		return err
	}
	for _, uid := range uids {
		m, there, err := one(c, uid)
		if err != nil {
			return errors.Join(err, flush()) // what came before is stored
		}
		at.Last = max(at.Last, uid)
		if !there {
			continue // deleted meanwhile
		}
		if m.at.After(at.Seen) {
			at.Seen = m.at.UTC()
		}
		batch = append(batch, m)
		if size += len(m.raw); len(batch) >= batchMails || size >= batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if known, ok := f.p.at(f.key()); ok && known == at && len(batch) == 0 {
		return nil
	}
	return flush()
}

// one fetches a mail without marking it as read. Of one that is larger than what
// is kept, the beginning.
func one(c *mailConn, uid uint32) (fetched, bool, error) {
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: adapter.MaxLargeEnvelope}}
	cmd := c.Fetch(imap.UIDSetNum(imap.UID(uid)), &imap.FetchOptions{UID: true, InternalDate: true,
		BodySection: []*imap.FetchItemBodySection{section}})
	var found fetched
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		got, err := read(m)
		if err != nil {
			// Nothing more is asked of the command: it would read the rest of the
			// mail from a connection on which the client reads on already. The
			// session ends with the error, and the connection with it.
			return fetched{}, false, broke(err, "the server does not give a mail")
		}
		if got.uid == uid && got.raw != nil {
			found = got
		}
	}
	if err := cmd.Close(); err != nil {
		return fetched{}, false, broke(err, "the server does not give a mail")
	}
	return found, found.raw != nil, nil
}

// read takes what the server sends of one mail. A mail that ends before its
// announced length is an error: the connection was cut in it.
func read(m *imapclient.FetchMessageData) (out fetched, err error) {
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			out.uid = uint32(item.UID)
		case imapclient.FetchItemDataInternalDate:
			out.at = item.Time
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil {
				continue
			}
			raw, err := io.ReadAll(item.Literal)
			if err == nil && int64(len(raw)) < item.Literal.Size() {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return out, err
			}
			out.raw = raw
		}
	}
	return out, nil
}

// wait returns when the server tells of mails, or when it is time to look.
func (f *folderRun) wait(ctx context.Context, c *mailConn) error {
	if !c.Caps().Has(imap.CapIdle) {
		return f.doze(ctx, c)
	}
	idle, err := c.Idle()
	if err != nil {
		return broke(err, "the server does not idle")
	}
	t := time.NewTimer(f.a.poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-c.Closed():
	case <-c.news:
	case <-t.C:
	}
	if err := idle.Close(); err != nil {
		return broken(err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return broken(idle.Wait())
}

// doze waits for a while and asks, where the server tells nothing by itself.
func (f *folderRun) doze(ctx context.Context, c *mailConn) error {
	t := time.NewTimer(f.a.poll / 5)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.Closed():
		return errs.New(errs.Unavailable, "email: the IMAP server closed the connection")
	case <-t.C:
	}
	return broken(c.Noop().Wait())
}

func broken(err error) error {
	if err == nil {
		return nil
	}
	return broke(err, "the server refuses to wait")
}
