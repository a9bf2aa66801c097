package sangdam

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
)

// putBackup stores a part, small and sealed.
func (e *Engine) putBackup(ctx context.Context, ws WorkspaceID, part string, lines []byte) (blob.Info, error) {
	key, err := e.restKey(ctx, ws)
	if err != nil {
		return blob.Info{}, err
	}
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	if _, err := z.Write(lines); err != nil {
		return blob.Info{}, err
	}
	if err := z.Close(); err != nil {
		return blob.Info{}, err
	}
	sealed, err := key.Seal(backupPlace(ws, part), small.Bytes())
	if err != nil {
		return blob.Info{}, err
	}
	return e.cfg.Blobs.Put(ctx, bytes.NewReader(sealed), maxPart)
}

var qBackups = asks("backup.list", "Backups", kindBackup, ActBackup).wide(wideNumber)

// Backups lists the principal's own backups, newest first, at most ten. A
// backup that has expired is no longer listed.
func (e *Engine) Backups(ctx context.Context, p Principal) (out []Backup, err error) {
	err = e.query(ctx, p, qBackups, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		list, err := backupErrands.of(ctx, tx, p, 10)
		out = []Backup{}
		for _, b := range list {
			if tx.Now().Before(b.At.Add(backupFor)) {
				out = append(out, b)
			}
		}
		return err
	})
	return out, err
}

var qWriteBackup = asks("backup.write", "WriteBackup", kindBackup, ActBackup)

// WriteBackup writes the file of a backup that is ready: one line of JSON for
// each conversation (backup.Line). The audit log keeps that it was fetched.
// ErrNotFound for a backup that has expired or is somebody else's, ErrConflict
// for one that is still being made. An error after the first byte leaves an
// incomplete file, whose last line may be cut off.
func (e *Engine) WriteBackup(ctx context.Context, p Principal, id string, to io.Writer) error {
	var b Backup
	err := e.unit(ctx, p, func(u *unit) (err error) {
		if err := u.allow(qWriteBackup.Actions[0], Resource{Kind: qWriteBackup.Resources[0], ID: id}); err != nil {
			return err
		}
		if b, err = u.readyBackup(id); err != nil {
			return err
		}
		u.resource.ID = id
		u.detail("conversations", fmt.Sprint(b.Done))
		return u.audit(ActBackup, "taken")
	})
	if errors.Is(err, ErrPermissionDenied) {
		e.auditRefusal(ctx, p, ActBackup, Resource{Kind: kindBackup, ID: id})
	}
	if err != nil {
		return err
	}
	for n := range b.Parts {
		if err := e.writeBackupPart(ctx, b, n, to); err != nil {
			return err
		}
	}
	return nil
}

// readyBackup is a backup of the principal's own that has its file.
func (u *unit) readyBackup(id string) (Backup, error) {
	b, err := backups.Get(u.ctx, u.tx, id)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && (b.By != u.p.keyOwner() || !u.tx.Now().Before(b.At.Add(backupFor))):
		return b, noSuch(kindBackup)
	case err != nil:
		return b, err
	case b.State == ErrandFailed:
		return b, errs.New(errs.Conflict, "sangdam: the backup failed and has no file; ask for another one")
	case b.State != ErrandReady:
		return b, errs.New(errs.Conflict, "sangdam: the backup is still being made")
	}
	return b, nil
}

func (e *Engine) writeBackupPart(ctx context.Context, b Backup, n int, to io.Writer) error {
	ws := b.Principal.Workspace
	key, err := e.restKey(ctx, ws)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%s/%d", b.ID, n)
	var part backupPart
	err = e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
		part, err = backupParts.Get(ctx, tx, id)
		return err
	})
	if err != nil {
		return err
	}
	sealed, err := e.sealedPart(ctx, part.Blob)
	if err != nil {
		return err
	}
	small, err := key.Open(backupPlace(ws, id), sealed)
	if err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(small))
	if err != nil {
		return err
	}
	_, err = io.Copy(to, z)
	return err
}

// sealedPart reads what is stored of a part.
func (e *Engine) sealedPart(ctx context.Context, blob string) ([]byte, error) {
	body, err := e.cfg.Blobs.Open(ctx, blob)
	if err != nil {
		return nil, err
	}
	sealed, err := io.ReadAll(io.LimitReader(body, maxPart))
	return sealed, errors.Join(err, body.Close())
}

func init() { registerPurge(purgeBackups) }

// purgeBackups takes back what is expired, a backup at a time: its parts, whose
// bytes the sweep deletes, and then itself.
func purgeBackups(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
	page, err := backups.List(ctx, tx, store.List[Backup]{Index: "at", To: store.Time(tx.Now().Add(-backupFor)), Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return 0, err
	}
	b := page.Items[0]
	for range purgeChunk {
		n := b.Parts - 1
		if n < 0 {
			return purgeChunk, backups.Delete(ctx, tx, &b) // there may be another
		}
		part, err := backupParts.Get(ctx, tx, fmt.Sprintf("%s/%d", b.ID, n))
		if err == nil {
			err = backupParts.Delete(ctx, tx, &part)
		}
		if err == nil && part.Blob != "" {
			err = tx.Blobs().Release(ctx, part.Blob)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, err
		}
		b.Parts--
	}
	return purgeChunk, backups.Save(ctx, tx, &b)
}
