package postgres

import (
	"cmp"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/driver"
)

// What the inbound flow looks for, many at a time; see eachID.
var (
	aheadHeard = `SELECT want.account, want.kind, want.chat, want.message, x.id, x.version, x.doc
		FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS want(account, kind, chat, message), LATERAL
		(SELECT id, version, doc FROM sd.messages WHERE ws = $1 AND account = want.account AND chat_kind = want.kind AND chat_id = want.chat
			AND provider = want.message AND provider <> '' OFFSET 0) x`
	aheadEarly = `SELECT want.account, want.kind, want.chat, want.message
		FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS want(account, kind, chat, message), LATERAL
		(SELECT 1 FROM sd.early WHERE ws = $1 AND account = want.account AND chat_kind = want.kind AND chat_id = want.chat
			AND message = want.message OFFSET 0) x`
	openOfThread = `(SELECT id, version, doc FROM sd.conversations WHERE ws = $1 AND thread = want.id AND thread <> '' AND ` +
		threadIsOpen + ` LIMIT 1)`
	lastOfThread = `(SELECT id, version, doc FROM sd.conversations WHERE ws = $1 AND thread = want.id AND NOT ` + threadIsOpen + `
		ORDER BY opened_at DESC, id DESC LIMIT 1)`
	itemOf = `, LATERAL (SELECT id, version, seq, doc FROM sd.items WHERE ws = $1 AND id = c.id OFFSET 0) x`
)

// readInbound reads what the inbound flow looks for.
func (a *ahead) readInbound(ws string, w driver.Wanted) []stmt {
	list := slices.Concat(a.readHeard(ws, w.Heard), a.documents.read(ws, w.Documents), a.readThreads(ws, sortedKeys(w.Threads)))
	if w.NewItems > len(a.seqs) {
		list = append(list, query(`SELECT nextval(s.name) FROM (SELECT pg_get_serial_sequence('sd.items', 'seq')::regclass AS name
			OFFSET 0) s, generate_series(1, $1)`,
			w.NewItems-len(a.seqs)).
			rows(func(r pgx.Rows) error {
				var seq int64
				err := r.Scan(&seq)
				a.seqs = append(a.seqs, seq)
				return err
			}))
	}
	return list
}

func heardKey(account channel.AccountID, chat channel.Chat, m channel.ProviderMessageID) [4]string {
	return [4]string{key(account), key(chat.Kind), key(chat.ID), key(m)}
}

func (a *ahead) readHeard(ws string, want []driver.ProviderMessage) []stmt {
	if len(want) == 0 {
		return nil
	}
	var accounts, kinds, chats, messages []string
	for _, m := range want {
		k := heardKey(m.Account, m.Chat, m.Message)
		if _, asked := a.heard[k]; asked || m.Message == "" {
			continue
		}
		a.heard[k], a.early[k] = "", false
		accounts, kinds, chats, messages = append(accounts, k[0]), append(kinds, k[1]), append(chats, k[2]), append(messages, k[3])
	}
	return []stmt{
		query(aheadHeard, ws, accounts, kinds, chats, messages).rows(func(r pgx.Rows) error {
			var at [4]string
			var id string
			var k kept
			err := r.Scan(&at[0], &at[1], &at[2], &at[3], &id, &k.version, &k.doc)
			a.heard[at] = id
			a.messages.found(id, k)
			return err
		}),
		query(aheadEarly, ws, accounts, kinds, chats, messages).rows(func(r pgx.Rows) error {
			var at [4]string
			err := r.Scan(&at[0], &at[1], &at[2], &at[3])
			a.early[at] = true
			return err
		}),
	}
}

func (a *ahead) readThreads(ws string, threads []string) []stmt {
	if len(threads) == 0 {
		return nil
	}
	for _, t := range threads {
		a.threads[t] = ofThread{}
	}
	found := func(put func(*ofThread, string)) func(pgx.Rows) error {
		return func(r pgx.Rows) error {
			var thread, id string
			var k kept
			err := r.Scan(&thread, &id, &k.version, &k.doc)
			of := a.threads[thread]
			put(&of, id)
			a.threads[thread] = of
			a.conversations.found(id, k)
			return err
		}
	}
	item := func(r pgx.Rows) error {
		var id string
		var k kept
		err := r.Scan(&id, &k.version, &k.seq, &k.doc)
		a.items.found(id, k)
		return err
	}
	return []stmt{
		query(`SELECT want.id, x.id, x.version, x.doc`+eachID+openOfThread+` x`, ws,
			threads).rows(found(func(t *ofThread, id string) { t.open = id })),
		query(`SELECT want.id, x.id, x.version, x.doc`+eachID+lastOfThread+` x`, ws,
			threads).rows(found(func(t *ofThread, id string) { t.last = id })),
		query(`SELECT x.id, x.version, x.seq, x.doc`+eachID+openOfThread+` c`+itemOf, ws, threads).rows(item),
		query(`SELECT x.id, x.version, x.seq, x.doc`+eachID+lastOfThread+` c`+itemOf, ws, threads).rows(item),
	}
}

// found keeps a row, unless it is there already: what is kept may be locked.
func (rows keptRows) found(id string, k kept) {
	if rows[id] == nil {
		k.stored = k.version
		rows[id] = &k
	}
}

// message is what a provider calls so, if that was asked for; nil for none.
func (a *ahead) message(account channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) (k *kept, asked bool) {
	if a == nil || p == "" {
		return nil, false
	}
	id, asked := a.heard[heardKey(account, chat, p)]
	return a.messages[id], asked
}

// noEarly says that there is no early edit of the message, as far as was asked.
func (a *ahead) noEarly(account channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) bool {
	if a == nil {
		return false
	}
	there, asked := a.early[heardKey(account, chat, p)]
	return asked && !there
}

// mayBeEarly forgets what was known of early edits of the message.
func (a *ahead) mayBeEarly(account channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) {
	if a != nil {
		delete(a.early, heardKey(account, chat, p))
	}
}

// thread are the conversations of a thread, if that was asked for.
func (a *ahead) thread(thread string) (open, last *conversation.Conversation, asked bool, err error) {
	if a == nil {
		return nil, nil, false, nil
	}
	of, asked := a.threads[key(thread)]
	read := func(id string) *conversation.Conversation {
		k := a.conversations[id]
		if k == nil || err != nil {
			return nil
		}
		c, wrong := k.conversation()
		err = wrong
		return &c
	}
	return read(of.open), read(of.last), asked, err
}

// moved follows a conversation that was saved to its place in its thread. Where
// what came before it is not known, the database is asked.
func (a *ahead) moved(c conversation.Conversation) {
	if a == nil {
		return
	}
	thread, id := key(c.Thread), key(c.ID)
	maps.DeleteFunc(a.threads, func(t string, of ofThread) bool { return t != thread && (of.open == id || of.last == id) })
	of, asked := a.threads[thread]
	if !asked {
		return
	}
	kept := c.Version == 0 || a.conversations[id] != nil
	if kept && slices.Contains(conversation.ThreadHolders(), c.State) && of.last != id && cmp.Or(of.open, id) == id {
		of.open = id
		a.threads[thread] = of
		return
	}
	delete(a.threads, thread)
}

// seq is the next number for a new item, 0 when there is none left.
func (a *ahead) seq() int64 {
	if a == nil || len(a.seqs) == 0 {
		return 0
	}
	next := a.seqs[0]
	a.seqs = a.seqs[1:]
	return next
}

func (t *tx) keptMessage(id conversation.MessageID) *kept {
	if t.ahead == nil {
		return nil
	}
	return t.ahead.messages[key(id)]
}

// named notes what the provider calls a message that is saved.
func (a *ahead) named(m conversation.Message) {
	if at := heardKey(m.Account, m.Chat, m.Provider); m.Provider != "" {
		a.heard[at] = key(m.ID)
	}
}

func (k *kept) message() (conversation.Message, error) {
	m, err := decode[conversation.Message](k.doc)
	m.Version = k.version
	return m, err
}
