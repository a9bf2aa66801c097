package sqlite

import (
	"context"
	"math"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

const messageColumns = `doc, version`

func scanMessage(w raw.Row) (conversation.Message, error) {
	var m conversation.Message
	err := decode(w.View(0), &m)
	m.Version = w.Int(1)
	return m, err
}

// chatKey is a chat as one column.
func chatKey(c channel.Chat) string { return string(c.Kind) + "/" + c.ID }

func (r conversations) Message(_ context.Context, k driver.MessageKey) (conversation.Message, error) {
	if k.ID != "" {
		return one(r.tx, scanMessage, "message "+string(k.ID), `SELECT `+messageColumns+` FROM messages WHERE ws = ? AND id = ?`,
			r.ws, string(k.ID))
	}
	return one(r.tx, scanMessage, "message with this provider id", `SELECT `+messageColumns+` FROM messages
		WHERE ws = ? AND account = ? AND chat = ? AND provider = ? AND provider <> ''`, r.ws, string(k.Account), chatKey(k.Chat),
		string(k.ProviderMessage.Message))
}

func (r conversations) SaveMessage(_ context.Context, m conversation.Message) (int64, error) {
	doc, err := encode(m)
	if err != nil {
		return 0, err
	}
	if m.Version == 0 {
		return r.saved("message", string(m.ID), 0, `INSERT INTO messages (ws, id, version, conversation, seq, account, chat, provider, doc)
			VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)`,
			[]any{r.ws, string(m.ID), string(m.Conversation), m.Seq, string(m.Account), chatKey(m.Chat), string(m.Provider), doc}, "", nil)
	}
	return r.saved("message", string(m.ID), m.Version, "", nil, `UPDATE messages SET version = version + 1,
		conversation = ?, seq = ?, account = ?, chat = ?, provider = ?, doc = ? WHERE ws = ? AND id = ? AND version = ?`,
		[]any{string(m.Conversation), m.Seq, string(m.Account), chatKey(m.Chat), string(m.Provider), doc, r.ws, string(m.ID), m.Version})
}

func (r conversations) Messages(_ context.Context, id conversation.ID, p driver.MessagePage) ([]conversation.Message, error) {
	beyond := `seq > ? ORDER BY seq`
	if p.Back {
		beyond = `seq < ? ORDER BY seq DESC`
		if p.Seq == 0 {
			p.Seq = math.MaxInt64
		}
	}
	out, err := list(r.tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE ws = ? AND conversation = ? AND `+beyond+` LIMIT ?`, r.ws, string(id), p.Seq, p.Limit)
	if p.Back {
		slices.Reverse(out)
	}
	return out, err
}

func (r conversations) AppendEvents(_ context.Context, evs ...conversation.Event) error {
	if err := r.writable(); err != nil {
		return err
	}
	for _, e := range evs {
		doc, err := encode(e)
		if err != nil {
			return err
		}
		r.later.history = append(r.later.history, historyRow{string(e.Conversation), e.Seq, doc})
	}
	return nil
}

func (r conversations) Events(_ context.Context, id conversation.ID, after int64, limit int) ([]conversation.Event, error) {
	if err := r.insertLater(); err != nil {
		return nil, err
	}
	return list(r.tx, scanDoc[conversation.Event], `SELECT doc FROM conversation_events
		WHERE ws = ? AND conversation = ? AND seq > ? ORDER BY seq LIMIT ?`, r.ws, string(id), after, limit)
}
