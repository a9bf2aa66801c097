package sqlite

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// TestNothingOfAnErasedPersonIsLeft: no byte of it in the
// database, its log or the search index.
func TestNothingOfAnErasedPersonIsLeft(t *testing.T) {
	dir := t.TempDir()
	db := openTest(t, Options{Dir: dir})
	const secret, token, kept = "901010-1234567", "eraseme", "keepme"
	contact := conversation.Contact{ID: "k", Name: "Kim " + secret, Phone: secret}
	message := conversation.Message{ID: "m", Conversation: "c", Seq: 1}
	message.Content.Text = secret
	put := func(m conversation.MessageID, tok string) func(context.Context, store.Tx) error {
		return func(ctx context.Context, tx store.Tx) error {
			return tx.Search().Put(ctx, m, "c", time.Unix(1e9, 0), []string{tok})
		}
	}
	update(t, db, func(ctx context.Context, tx store.Tx) (err error) {
		if contact.Version, err = tx.Contacts().SaveContact(ctx, contact); err != nil {
			return err
		}
		if message.Version, err = tx.Conversations().SaveMessage(ctx, message); err != nil {
			return err
		}
		return tx.Vault().PutSealed(ctx, "k", "key", []byte(secret))
	})
	update(t, db, put("m", token))
	for i := range 20 { // so that the tokens lie in several parts of the index
		update(t, db, put(conversation.MessageID(name("m", i)), kept))
	}
	appendKeys(t, db, "l", "k")

	update(t, db, func(ctx context.Context, tx store.Tx) error {
		contact.Name, contact.Phone, message.Content.Text = "", "", ""
		if _, err := tx.Contacts().SaveContact(ctx, contact); err != nil {
			return err
		}
		if _, err := tx.Conversations().SaveMessage(ctx, message); err != nil {
			return err
		}
		if err := tx.Search().Delete(ctx, "m"); err != nil {
			return err
		}
		return tx.Vault().DropOwner(ctx, "k")
	})
	require.NoError(t, Scrub(t.Context(), db))
	for _, file := range []string{dataFile, dataFile + "-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		require.False(t, bytes.Contains(content, []byte(secret)), "%s holds the secret", file)
		require.False(t, bytes.Contains(content, []byte(token)), "%s holds the token", file)
	}
	view(t, db, func(ctx context.Context, tx store.Tx) error {
		hits, err := tx.Search().Find(ctx, []string{kept}, driver.SearchHit{}, 100)
		require.Len(t, hits, 20)
		return err
	})
	update(t, db, saving("goes on"))
}
