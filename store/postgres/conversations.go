package postgres

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/driver"
)

type conversations struct{ *tx }

func scanConversation(r pgx.Rows) (conversation.Conversation, error) {
	var version int64
	var doc []byte
	if err := r.Scan(&version, &doc); err != nil {
		return conversation.Conversation{}, err
	}
	c, err := decode[conversation.Conversation](doc)
	c.Version = version
	return c, err
}

// Conversation implements driver.ConversationRepo.
func (c conversations) Conversation(ctx context.Context, id conversation.ID) (conversation.Conversation, error) {
	if k := c.keptConversation(id); k != nil && c.usable() == nil {
		return k.conversation()
	}
	return one(ctx, c.tx, "conversation", query(`SELECT version, doc FROM sd.conversations WHERE ws = $1 AND id = $2`, key(c.ws), key(id)),
		scanConversation)
}

// threadIsOpen is State.HoldsThread in SQL, as the partial index has it.
var threadIsOpen = "state IN ('" + strings.Join(keys(conversation.ThreadHolders()), "', '") + "')"

// ByThread implements driver.ConversationRepo.
func (c conversations) ByThread(ctx context.Context, thread string) (open, last *conversation.Conversation, err error) {
	into := func(to **conversation.Conversation) func(pgx.Rows) error {
		return func(r pgx.Rows) error {
			v, err := scanConversation(r)
			*to = &v
			return err
		}
	}
	open, last, asked, err := c.ahead.thread(thread)
	if err = errors.Join(err, c.usable()); asked || err != nil {
		return open, last, err
	}
	err = c.read(ctx,
		query(`SELECT version, doc FROM sd.conversations WHERE ws = $1 AND thread = $2 AND thread <> '' AND `+threadIsOpen, key(c.ws),
			key(thread)).rows(into(&open)),
		query(`SELECT version, doc FROM sd.conversations WHERE ws = $1 AND thread = $2 AND NOT `+threadIsOpen+`
			ORDER BY opened_at DESC, id DESC LIMIT 1`, key(c.ws), key(thread)).rows(into(&last)))
	if err != nil {
		return nil, nil, err
	}
	return open, last, nil
}

// SaveConversation implements driver.ConversationRepo.
func (c conversations) SaveConversation(ctx context.Context, v conversation.Conversation) (int64, error) {
	doc, err := encode(v)
	if err != nil {
		return 0, err
	}
	columns := []any{key(v.Thread), key(v.State), key(v.Desk), key(v.WorkStream), key(v.Account),
		key(v.Channel), key(v.Contact), key(v.Agent), key(v.Category), v.Handled, v.OpenedAt, v.UpdatedAt}
	if k := c.keptConversation(v.ID); k != nil {
		version, err := c.change(k, v.Version, doc, columns)
		c.ahead.moved(v)
		return version, err
	}
	if c.ahead != nil && v.Version == 0 {
		c.ahead.moved(v)
		return c.create(c.ahead.conversations, key(v.ID), kept{doc: doc, columns: columns, natural: key(v.Thread)})
	}
	c.ahead.moved(v)
	args := slices.Concat([]any{key(c.ws), key(v.ID)}, columns, []any{doc})
	if v.Version == 0 {
		return 1, c.write(ctx, query(`INSERT INTO sd.conversations (ws, id, version, thread, state, desk, work_stream, account, channel,
			contact, agent, category, handled, opened_at, updated_at, doc)
			VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`, args...))
	}
	return v.Version + 1, c.write(ctx, asClash("conversation", `UPDATE sd.conversations SET version = version + 1, thread = $3, state = $4,
		desk = $5, work_stream = $6, account = $7, channel = $8, contact = $9, agent = $10, category = $11, handled = $12,
		opened_at = $13, updated_at = $14, doc = $15 WHERE ws = $1 AND id = $2 AND version = $16 RETURNING 1`, append(args, v.Version)...))
}

// List implements driver.ConversationRepo.
func (c conversations) List(ctx context.Context, f conversation.Filter, after *driver.ConversationPlace,
	limit int) ([]conversation.Conversation, error) {
	return many(ctx, c.tx, c.listed("version, doc", f, after, limit), scanConversation)
}

func scanHead(r pgx.Rows) (driver.ConversationHead, error) {
	var v [8]string
	var h driver.ConversationHead
	err := r.Scan(&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &h.UpdatedAt)
	h.ID, h.State, h.Desk, h.Agent = unkey[conversation.ID](v[0]), unkey[conversation.State](v[1]), unkey[conversation.DeskID](v[2]),
		unkey[conversation.AgentID](v[3])
	h.Account, h.Channel, h.WorkStream = unkey[channel.AccountID](v[4]), unkey[channel.Kind](v[5]), unkey[conversation.WorkStreamID](v[6])
	h.Contact, h.UpdatedAt = unkey[conversation.ContactID](v[7]), micro(h.UpdatedAt)
	return h, err
}

// Heads implements driver.HeadRepo.
func (c conversations) Heads(ctx context.Context, f conversation.Filter, after *driver.ConversationPlace,
	limit int) ([]driver.ConversationHead, error) {
	const columns = "id, state, desk, agent, account, channel, work_stream, contact, updated_at"
	return many(ctx, c.tx, c.listed(columns, f, after, limit), scanHead)
}

// listed reads columns of a page of a list.
func (c conversations) listed(columns string, f conversation.Filter, after *driver.ConversationPlace, limit int) stmt {
	where, args := filterSQL(f, []any{key(c.ws)})
	if after != nil {
		args = append(args, after.UpdatedAt, key(after.ID))
		n := strconv.Itoa(len(args) - 1)
		where += ` AND (updated_at < $` + n + ` OR updated_at = $` + n + ` AND id > $` + strconv.Itoa(len(args)) + `)`
	}
	args = append(args, limit)
	return query(`SELECT `+columns+` FROM sd.conversations WHERE ws = $1`+where+
		` ORDER BY updated_at DESC, id LIMIT $`+strconv.Itoa(len(args)), args...)
}

// filterSQL adds the conditions of the fields that are set.
func filterSQL(f conversation.Filter, args []any) (string, []any) {
	var where strings.Builder
	add := func(condition string, arg any) {
		args = append(args, arg)
		where.WriteString(" AND " + strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	if len(f.States) > 0 {
		add("state = ANY(?)", keys(f.States))
		if !slices.Contains(f.States, conversation.StateClosed) {
			where.WriteString(" AND state <> 'closed'") // lets the partial index serve
		}
	}
	if f.Agent != "" {
		add("agent = ? AND agent <> ''", key(f.Agent))
	}
	if f.Contact != "" {
		add("contact = ? AND contact <> ''", key(f.Contact))
	}
	if f.Account != "" {
		add("account = ?", key(f.Account))
	}
	if f.Channel != "" {
		add("channel = ?", key(f.Channel))
	}
	if len(f.Desks) > 0 {
		add("desk = ANY(?)", keys(f.Desks))
	}
	if f.WorkStream != "" {
		add("work_stream = ?", key(f.WorkStream))
	}
	if f.Category != "" {
		add("category = ?", key(f.Category))
	}
	if f.Handled != nil {
		add("handled = ?", *f.Handled)
	}
	if !f.From.IsZero() {
		add("opened_at >= ?", f.From)
	}
	if !f.To.IsZero() {
		add("opened_at < ?", f.To)
	}
	if f.IDs != nil {
		add("id = ANY(?)", keys(f.IDs))
	}
	if w := f.Within; w != nil {
		args = append(args, keys(w.Desks), key(w.Owner))
		where.WriteString(" AND (desk = ANY($" + strconv.Itoa(len(args)-1) + ") OR agent <> '' AND agent = $" +
			strconv.Itoa(len(args)) + ")")
	}
	return where.String(), args
}

func scanMessage(r pgx.Rows) (conversation.Message, error) {
	var version int64
	var doc []byte
	if err := r.Scan(&version, &doc); err != nil {
		return conversation.Message{}, err
	}
	m, err := decode[conversation.Message](doc)
	m.Version = version
	return m, err
}

// Message implements driver.ConversationRepo.
func (c conversations) Message(ctx context.Context, k driver.MessageKey) (conversation.Message, error) {
	if k.ID == "" {
		return c.heard(ctx, k.ProviderMessage)
	}
	if k := c.keptMessage(k.ID); k != nil && c.usable() == nil {
		return k.message()
	}
	return one(ctx, c.tx, "message", query(`SELECT version, doc FROM sd.messages WHERE ws = $1 AND id = $2`, key(c.ws), key(k.ID)),
		scanMessage)
}

// heard is the message that a provider calls so.
func (c conversations) heard(ctx context.Context, m driver.ProviderMessage) (conversation.Message, error) {
	if k, asked := c.ahead.message(m.Account, m.Chat, m.Message); asked && c.usable() == nil {
		if k == nil {
			return conversation.Message{}, errNotFound("message")
		}
		return k.message()
	}
	return one(ctx, c.tx, "message",
		query(`SELECT version, doc FROM sd.messages WHERE ws = $1 AND account = $2 AND chat_kind = $3 AND chat_id = $4
		AND provider = $5 AND provider <> ''`, key(c.ws), key(m.Account), key(m.Chat.Kind), key(m.Chat.ID), key(m.Message)), scanMessage)
}

// SaveMessage implements driver.ConversationRepo.
func (c conversations) SaveMessage(ctx context.Context, m conversation.Message) (int64, error) {
	doc, err := encode(m)
	if err != nil {
		return 0, err
	}
	columns := []any{key(m.Conversation), m.Seq, key(m.Account), key(m.Chat.Kind), key(m.Chat.ID), key(m.Provider)}
	if a := c.ahead; a != nil {
		known := a.messages[key(m.ID)]
		if known != nil || m.Version == 0 {
			a.named(m)
		}
		if known != nil {
			return c.change(known, m.Version, doc, columns)
		}
		if m.Version == 0 {
			at := heardKey(m.Account, m.Chat, m.Provider)
			return c.create(a.messages, key(m.ID), kept{doc: doc, columns: columns, natural: strings.Join(at[:], "\x00")})
		}
	}
	args := slices.Concat([]any{key(c.ws), key(m.ID)}, columns, []any{doc})
	if m.Version == 0 {
		return 1, c.write(ctx,
			query(`INSERT INTO sd.messages (ws, id, version, conversation, seq, account, chat_kind, chat_id, provider, doc)
			VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9)`, args...))
	}
	return m.Version + 1,
		c.write(ctx, asClash("message", `UPDATE sd.messages SET version = version + 1, conversation = $3, seq = $4, account = $5,
		chat_kind = $6, chat_id = $7, provider = $8, doc = $9 WHERE ws = $1 AND id = $2 AND version = $10 RETURNING 1`,
			append(args, m.Version)...))
}

// Messages implements driver.ConversationRepo.
func (c conversations) Messages(ctx context.Context, id conversation.ID, p driver.MessagePage) ([]conversation.Message, error) {
	beyond := `seq > $3 ORDER BY seq, id`
	if p.Back {
		beyond = `seq < $3 ORDER BY seq DESC, id DESC`
		if p.Seq == 0 {
			p.Seq = math.MaxInt64
		}
	}
	out, err := many(ctx, c.tx, query(`SELECT version, doc FROM sd.messages WHERE ws = $1 AND conversation = $2 AND `+beyond+` LIMIT $4`,
		key(c.ws), key(id), p.Seq, p.Limit), scanMessage)
	if p.Back {
		slices.Reverse(out)
	}
	return out, err
}

// AppendEvents implements driver.ConversationRepo. Events of a conversation that
// follow each other are a row, whose number is that of the last.
func (c conversations) AppendEvents(ctx context.Context, evs ...conversation.Event) error {
	var rows [][]any
	for len(evs) > 0 {
		l := list{}
		for l.n < len(evs) && evs[l.n].Conversation == evs[0].Conversation && evs[l.n].Seq == evs[0].Seq+int64(l.n) && !l.full() {
			if err := l.add(&evs[l.n]); err != nil {
				return err
			}
		}
		rows = append(rows, []any{key(evs[0].Conversation), evs[l.n-1].Seq, l.end()})
		evs = evs[l.n:]
	}
	return c.add(ctx, intoConversationEvents, rows...)
}

// Events implements driver.ConversationRepo.
func (c conversations) Events(ctx context.Context, id conversation.ID, after int64, limit int) ([]conversation.Event, error) {
	rows, err := many(ctx, c.tx,
		query(`SELECT doc FROM sd.conversation_events WHERE ws = $1 AND conversation = $2 AND seq > $3 ORDER BY seq LIMIT $4`,
			key(c.ws), key(id), after, limit), func(r pgx.Rows) ([]conversation.Event, error) {
			var doc []byte
			if err := r.Scan(&doc); err != nil {
				return nil, err
			}
			return elements[conversation.Event](doc)
		})
	evs := slices.DeleteFunc(slices.Concat(rows...), func(e conversation.Event) bool { return e.Seq <= after })
	return evs[:min(len(evs), limit)], err
}
