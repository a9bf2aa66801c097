package sangdam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// names of the contacts that somebody finds.
func (w *replayWorld) names(p sangdam.Principal, text string) []string {
	w.t.Helper()
	found, err := w.eng.FindContacts(w.ctx, p, text, 50)
	require.NoError(w.t, err)
	out := []string{}
	for _, c := range found {
		out = append(out, c.Name)
	}
	return out
}

func (w *replayWorld) contact(c conversation.Contact) conversation.ContactID {
	w.t.Helper()
	saved, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: c})
	require.NoError(w.t, err)
	return saved.Contact
}

// Names and messages are found by one rule, whatever keyboard wrote them.
func TestContactsAreFoundAsMessagesAre(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.contact(conversation.Contact{Name: "김미나", Phone: "010-1234-5678"})
		w.contact(conversation.Contact{Name: norm.NFD.String("김미란"), Email: "ＭＩＲＡＮ@example.com"})
		w.contact(conversation.Contact{Name: "ＡＢＣ상사"})
		w.line.User("Mina").SendText(norm.NFD.String("ＡＢＣ 환불 요청합니다"))
		w.settle()
		w.settle()
		for _, form := range []norm.Form{norm.NFC, norm.NFD} {
			require.Len(t, w.names(w.host, form.String("김미")), 2)
			got, err := w.eng.Search(w.ctx, w.host, form.String("환불"), 10)
			require.NoError(t, err)
			require.Len(t, got, 1)
		}
		require.Equal(t, []string{"ＡＢＣ상사"}, w.names(w.host, "abc"))
		require.Len(t, w.names(w.host, "miran@"), 1)
		for _, typed := range []string{"010-1234-5678", "01012345678", "010 12", "+82 10-1234-5678", "82-10-1234", "1234-5678", "5678"} {
			require.Equal(t, []string{"김미나"}, w.names(w.host, typed), typed)
		}
		require.Empty(t, w.names(w.host, "+81 90 1234"))
	})
}

// What an earlier program stored has no entry and no desk: the first start of
// this one gives both.
func TestContactsOfAnEarlierProgramAreFoundAndSeen(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.otherDesk("other", "a3")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		id := w.of(mina).Contact.ID
		require.NoError(t, w.db.Backend().Update(w.ctx, ws, func(ctx context.Context, tx driver.Tx) error {
			contact, err := tx.Documents.Get(ctx, driver.Keys{Kind: "contact", IDs: []string{string(id)}})
			if err != nil {
				return err
			}
			earlier := contact[0]
			earlier.Body, earlier.Tags = edited(t, earlier.Body, map[string]any{"name": "김미나", "phone": "+82 10-1234-5678"}), []driver.Tag{}
			earlier.Index[0] = []byte(id)
			of, err := tx.Documents.List(ctx, driver.Range{Kind: "identity"}, driver.Place{}, 10)
			if err != nil {
				return err
			}
			for _, i := range of {
				if i.Doc.Body = edited(t, i.Body, nil); bytes.Contains(i.Body, []byte(id)) {
					i.Index[0] = []byte(id)
					err = errors.Join(err, tx.Documents.Put(ctx, []driver.Doc{i.Doc}))
				}
			}
			return errors.Join(err, tx.Documents.Put(ctx, []driver.Doc{earlier}))
		}))
		_, _, err := w.eng.Contact(w.ctx, w.agent("a3"), id)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		require.NoError(t, w.db.System().PutMeta(w.ctx, "contacts/"+ws, []byte(strconv.Itoa(store.ContactsDecl)), []byte("0")))

		w.again()
		if w.real {
			require.Eventually(t, func() bool { return len(w.names(w.agent("a3"), "김미")) > 0 }, 20*time.Second, 50*time.Millisecond)
		} else {
			w.pass(15 * time.Second) // the indexer looks at what other processes wrote
		}

		require.Equal(t, []string{"김미나"}, w.names(w.agent("a3"), "김미"))
		require.Equal(t, []string{"김미나"}, w.names(w.agent("a3"), "1234-5678"))
		require.Empty(t, w.names(w.agent("a1"), "김미"))
		_, _, err = w.eng.Contact(w.ctx, w.agent("a3"), id)
		require.NoError(t, err)
	})
}

// edited is a document without desks and with other members.
func edited(t *testing.T, body []byte, members map[string]any) []byte {
	t.Helper()
	all := map[string]any{}
	require.NoError(t, json.Unmarshal(body, &all))
	delete(all, "desks")
	maps.Copy(all, members)
	out, err := json.Marshal(all)
	require.NoError(t, err)
	return out
}

// again is a new process on the same data.
func (w *replayWorld) again() {
	w.t.Helper()
	w.halt()
	w.next()
}

// next is a new process after halt.
func (w *replayWorld) next() {
	w.t.Helper()
	if !w.real {
		w.resume()
		return
	}
	var err error
	w.eng, err = sangdam.New(w.cfg)
	require.NoError(w.t, err)
	w.run()
}
