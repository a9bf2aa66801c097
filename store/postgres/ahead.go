package postgres

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store/driver"
)

// ahead is what a transaction that works on many rows keeps of them: they are
// read in one round trip, changed here by one piece of work after another, and
// written in one. A row that several pieces change, an agent for example, is
// written once. Whatever asks the database itself has what was changed written
// before it (see tx.flush), so that there is never more than one truth.
type ahead struct {
	items, conversations, messages keptRows
	documents                      keptDocuments

	holds  map[string]*holds // by item; of each item that is locked
	agents map[string]*keptAgent
	wheels map[string]*wheel
	epochs map[string]int64 // by lease
	bulk   bulk
	dues   dues
	ends   ends
	seqs   []int64 // for new items

	// Where nothing is found the value is empty; what was not asked for is not in
	// the map.
	heard   map[[4]string]string // messages
	early   map[[4]string]bool   // whether there is an early edit
	threads map[string]ofThread
}

// ofThread are the conversations of a thread by id, empty for none.
type ofThread struct{ open, last string }

func newAhead() *ahead {
	return &ahead{items: keptRows{}, conversations: keptRows{}, messages: keptRows{}, documents: newKeptDocuments(),
		holds: map[string]*holds{}, agents: map[string]*keptAgent{}, wheels: map[string]*wheel{}, epochs: map[string]int64{},
		heard: map[[4]string]string{}, early: map[[4]string]bool{}, threads: map[string]ofThread{}}
}

// keptRows are rows of one table by their keys.
type keptRows map[string]*kept

// kept is a row as it stands in this transaction.
type kept struct {
	stored  int64 // the version in the database, 0 for a new row
	version int64
	seq     int64 // of an item
	doc     []byte
	columns []any  // to be written besides the versions; nil: as stored
	natural string // the key by which rivals may make the same new row
}

// holds are an item's open offer and assignment as documents, nil for none.
type holds struct{ offer, assignment []byte }

// keptAgent is an agent, whose row is locked if its state may be written.
type keptAgent struct {
	routing.Agent
	locked   bool
	changed  bool
	profiles map[routing.Profile]bool // whose load is to be written
	queues   map[routing.QueueID]bool // whose turn is to be written
}

// wheel is a queue's turn, whose row is locked where there is one.
type wheel struct{ stored, turn int64 }

// Each id is looked for by itself below the others, so that the plan is the same
// for one and for many and however big the table; rows are locked in the order of
// the array.
const (
	eachID = ` FROM unnest($2::text[]) AS want(id), LATERAL `

	aheadItems = `SELECT x.id, x.version, x.seq, x.doc` + eachID +
		`(SELECT id, version, seq, doc FROM sd.items WHERE ws = $1 AND id = want.id FOR NO KEY UPDATE) x`
	aheadConversations = `SELECT x.id, x.version, 0::bigint, x.doc` + eachID +
		`(SELECT id, version, doc FROM sd.conversations WHERE ws = $1 AND id = want.id FOR NO KEY UPDATE) x`
	aheadLoads = `SELECT x.*` + eachID + `(SELECT agent, profile, used FROM sd.agent_loads
		WHERE ws = $1 AND agent = want.id AND used <> 0 OFFSET 0) x`
	aheadTurns = `SELECT x.*` + eachID + `(SELECT agent, queue, turn FROM sd.agent_turns WHERE ws = $1 AND agent = want.id OFFSET 0) x`
	aheadBeats = `SELECT x.*` + eachID + `(SELECT b.agent, b.at FROM sd.agent_beats b WHERE b.ws = $1 AND b.agent = want.id
		AND EXISTS (SELECT 1 FROM sd.agents a WHERE a.ws = b.ws AND a.id = b.agent AND a.presence <> 'offline') OFFSET 0) x`
	aheadWheels = `SELECT x.*` + eachID + `(SELECT queue, turn FROM sd.wheels WHERE ws = $1 AND queue = want.id FOR NO KEY UPDATE) x`
	aheadOffers = `SELECT x.*` + eachID + `(SELECT item, doc FROM sd.offers WHERE ws = $1 AND item = want.id AND open OFFSET 0) x`
	aheadAssign = `SELECT x.*` + eachID + `(SELECT item, doc FROM sd.assignments WHERE ws = $1 AND item = want.id AND open OFFSET 0) x`
)

// settle readies a transaction of many pieces. How long it waits for a row that
// somebody holds is bounded, which then is a clash: whoever must have the row
// waits alone. Its statements are planned once and for all, by indexes, also
// where a table is still small: a plan that reads it whole would stay when it has
// grown, and planning anew each time would cost more than the statement.
const settle = `SELECT set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_generic_plan', true),
	set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
	set_config('jit', 'off', true)`

// Ahead implements driver.Session in one round trip. What was changed is written
// before, unless nothing of it is wanted.
func (t *tx) Ahead(ctx context.Context, w driver.Wanted) (bool, error) {
	if err := t.writable(); err != nil {
		return false, err
	}
	if t.ahead == nil && t.begun && len(t.queued) > 0 { // written past what was kept, and nothing here knows of what
		if err := t.flush(ctx); err != nil {
			return false, err
		}
	}
	a, ws := t.ahead, key(t.ws)
	if a == nil {
		a = newAhead()
	}
	w, apart := a.apart(w)
	var locked, seen agentSet
	var list []stmt
	if !t.shared && !t.host {
		t.shared = true
		list = append(list, query(settle))
	}
	list = append(list, a.readWork(ws, sortedKeys(w.Items))...)
	list = append(list, a.readAgents(ws, &locked, sortedKeys(w.Agents), " FOR NO KEY UPDATE")...)
	list = append(list, a.readWheels(ws, sortedKeys(w.Queues))...)
	if w.Lease != "" {
		list = append(list, query(`SELECT epoch FROM sd.leases WHERE name = $1 FOR KEY SHARE`, key(w.Lease)).rows(func(r pgx.Rows) error {
			var epoch int64
			err := r.Scan(&epoch)
			a.epochs[key(w.Lease)] = epoch
			return err
		}))
	}
	if ids := sortedKeys(w.Conversations); len(ids) > 0 {
		list = append(list, query(aheadConversations, ws, ids).rows(a.conversations.scan))
	}
	list = append(list, a.readAgents(ws, &seen, sortedKeys(w.Glances), " OFFSET 0")...)
	list = append(list, a.readInbound(ws, w)...)
	if len(list) > 0 {
		read := t.lock
		if apart && t.begun {
			read = t.beside
		}
		if err := read(ctx, list...); err != nil {
			return false, err
		}
	}
	a.keep(seen.list, false)
	a.keep(locked.list, true)
	t.ahead = a
	return true, nil
}

// apart is what of the wanted is still to be read if it can be read beside what was
// changed here: rows that are new here are held and are all there is of them, and of
// the others none was changed.
func (a *ahead) apart(w driver.Wanted) (rest driver.Wanted, apart bool) {
	if len(w.Heard)+len(w.Documents)+len(w.Threads) > 0 {
		return w, false // they may find what is new here by something else than its id
	}
	rest = w
	rest.Items, rest.Conversations = nil, nil
	for _, id := range w.Items {
		k := a.items[key(id)]
		switch {
		case k != nil && k.stored == 0:
			if a.holds[key(id)] == nil {
				a.holds[key(id)] = &holds{}
			}
		case k != nil && k.columns != nil:
			return w, false
		default:
			rest.Items = append(rest.Items, id)
		}
	}
	for _, id := range w.Conversations {
		k := a.conversations[key(id)]
		switch {
		case k != nil && k.stored == 0:
		case k != nil && k.columns != nil:
			return w, false
		default:
			rest.Conversations = append(rest.Conversations, id)
		}
	}
	for _, id := range append(slices.Clone(w.Agents), w.Glances...) {
		if k := a.agents[key(id)]; k != nil && (k.changed || len(k.profiles)+len(k.queues) > 0) {
			return w, false
		}
	}
	for _, id := range w.Queues {
		if q := a.wheels[key(id)]; q != nil && q.turn != q.stored {
			return w, false
		}
	}
	return rest, true
}

// keep adds agents, but none without a lock over one with.
func (a *ahead) keep(list []routing.Agent, locked bool) {
	for _, v := range list {
		if had := a.agents[key(v.ID)]; had == nil || locked {
			a.agents[key(v.ID)] = &keptAgent{Agent: v, locked: locked, profiles: map[routing.Profile]bool{},
				queues: map[routing.QueueID]bool{}}
		}
	}
}

func sortedKeys[S ~string](ids []S) []string {
	out := keys(ids)
	slices.Sort(out)
	return slices.Compact(out)
}

// readWork reads items and what holds them.
func (a *ahead) readWork(ws string, items []string) []stmt {
	if len(items) == 0 {
		return nil
	}
	for _, id := range items {
		a.holds[id] = &holds{}
	}
	document := func(of func(*holds) *[]byte) func(pgx.Rows) error {
		return func(r pgx.Rows) error {
			var item string
			var doc []byte
			err := r.Scan(&item, &doc)
			*of(a.holds[item]) = doc
			return err
		}
	}
	return []stmt{
		query(aheadItems, ws, items).rows(a.items.scan),
		query(aheadOffers, ws, items).rows(document(func(h *holds) *[]byte { return &h.offer })),
		query(aheadAssign, ws, items).rows(document(func(h *holds) *[]byte { return &h.assignment })),
	}
}

// readAgents reads agents with all they have.
func (a *ahead) readAgents(ws string, s *agentSet, ids []string, lock string) []stmt {
	if s.at = map[string]int{}; len(ids) == 0 {
		return nil
	}
	return []stmt{
		query(`SELECT x.*`+eachID+`(SELECT id, version, presence, reason, elig_rev, rev, open, idle_since, doc
			FROM sd.agents WHERE ws = $1 AND id = want.id`+lock+`) x`, ws, ids).rows(s.agent),
		query(aheadLoads, ws, ids).rows(s.load), query(aheadTurns, ws, ids).rows(s.turn), query(aheadBeats, ws, ids).rows(s.beat),
	}
}

// readWheels reads and locks the queues' turns.
func (a *ahead) readWheels(ws string, queues []string) []stmt {
	if len(queues) == 0 {
		return nil
	}
	for _, q := range queues {
		if a.wheels[q] == nil { // else it may still have to be written, which comes before
			a.wheels[q] = &wheel{}
		}
	}
	return []stmt{query(aheadWheels, ws, queues).rows(func(r pgx.Rows) error {
		var queue string
		var turn int64
		err := r.Scan(&queue, &turn)
		*a.wheels[queue] = wheel{turn, turn}
		return err
	})}
}

func (rows keptRows) scan(r pgx.Rows) error {
	var id string
	var k kept
	err := r.Scan(&id, &k.version, &k.seq, &k.doc)
	k.stored = k.version
	rows[id] = &k
	return err
}

// create keeps a new row, which is written with the others.
func (t *tx) create(rows keptRows, id string, k kept) (int64, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	t.wrote = true
	k.version = 1
	rows[id] = &k
	return 1, nil
}

// change puts a newer row in place of the one in the version. Another version is
// a clash, which ends the transaction as one of the server's does.
func (t *tx) change(k *kept, version int64, doc []byte, columns []any) (int64, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	if version != k.version {
		t.failed = driver.ErrClash
		return 0, t.failed
	}
	t.wrote = true
	k.version, k.doc, k.columns = version+1, doc, columns
	return k.version, nil
}

// add adds rows to a table, together with those of other pieces of work where the
// transaction read ahead.
func (t *tx) add(ctx context.Context, in *insert, rows ...[]any) error {
	if len(rows) == 0 {
		return t.writable()
	}
	if t.ahead == nil {
		return t.write(ctx, in.of(key(t.ws), rows))
	}
	if err := t.writable(); err != nil {
		return err
	}
	t.wrote = true
	for _, r := range rows {
		t.ahead.bulk.add(in, r)
	}
	return nil
}

// forget writes what was changed and keeps nothing any more: what follows asks
// the database.
func (t *tx) forget(ctx context.Context) error {
	if t.ahead == nil {
		return nil
	}
	err := t.flush(ctx)
	t.ahead = nil
	return err
}

func (t *tx) keptItem(id routing.ItemID) *kept {
	if t.ahead == nil {
		return nil
	}
	return t.ahead.items[key(id)]
}

func (t *tx) keptConversation(id conversation.ID) *kept {
	if t.ahead == nil {
		return nil
	}
	return t.ahead.conversations[key(id)]
}

// glanced are the agents of the ids, ordered, if all of them are kept.
func (a *ahead) glanced(ids []routing.AgentID) (list []routing.Agent, all bool) {
	if a == nil || ids == nil {
		return nil, false
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		k := a.agents[key(id)]
		if k == nil {
			return nil, false
		}
		list = append(list, k.copy())
	}
	return list, true
}

// copy is the agent for somebody who may change its maps.
func (a *keptAgent) copy() routing.Agent {
	v := a.Agent
	v.State.Load, v.State.Turns = maps.Clone(a.State.Load), maps.Clone(a.State.Turns)
	return v
}

func (k *kept) item() (routing.Item, error) {
	it, err := decode[routing.Item](k.doc)
	it.Version, it.Seq = k.version, k.seq
	return it, err
}

func (k *kept) conversation() (conversation.Conversation, error) {
	c, err := decode[conversation.Conversation](k.doc)
	c.Version = k.version
	return c, err
}

// rows are what Lock asks for, if all of it is kept.
func (a *ahead) rows(k driver.WorkKey) (rows transition.Rows, all bool, err error) {
	if a == nil || k.Offer != "" {
		return rows, false, nil
	}
	kept, held := a.items[key(k.Item)], a.holds[key(k.Item)]
	if kept == nil || held == nil {
		return rows, false, nil
	}
	it, err := kept.item()
	if err != nil {
		return rows, false, err
	}
	rows.Item = &it
	want := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(k.Agents), it.Agent))))
	for _, id := range want {
		if id == "" {
			continue
		}
		agent := a.agents[key(id)]
		if agent == nil || !agent.locked {
			return rows, false, nil
		}
		rows.Agents = append(rows.Agents, agent.copy())
	}
	if rows.Offer, err = documentOf[routing.Offer](held.offer); err != nil {
		return rows, false, err
	}
	if rows.Assignment, err = documentOf[routing.Assignment](held.assignment); err != nil {
		return rows, false, err
	}
	if k.Lease != "" {
		rows.Epoch, all = a.epochs[key(k.Lease)]
		return rows, all, nil
	}
	return rows, true, nil
}

func documentOf[T any](doc []byte) (*T, error) {
	if doc == nil {
		return nil, nil
	}
	v, err := decode[T](doc)
	return &v, err
}

// takes reports whether a change concerns nothing but what is kept. One that ends
// a hold does not: the new hold would be written before the old one ends.
func (a *ahead) takes(c transition.Change) bool {
	if a == nil || c.EndedOffer != nil || c.EndedAssignment != nil || a.items[key(c.Item.ID)] == nil {
		return false
	}
	for _, ch := range c.Agents {
		if a.agents[key(ch.ID)] == nil {
			return false
		}
	}
	return c.Turn == "" || a.wheels[key(c.Item.Queue)] != nil && a.agents[key(c.Turn)] != nil
}

// put is Put on what is kept.
func (w work) put(ctx context.Context, c transition.Change) error {
	doc, err := encode(c.Item)
	if err != nil {
		return err
	}
	a, id := w.ahead, key(c.Item.ID)
	if _, err := w.change(a.items[id], c.Item.Version-1, doc, []any{key(c.Item.State), key(c.Item.Agent)}); err != nil {
		return err
	}
	if err := w.putHolds(ctx, c); err != nil {
		return err
	}
	for _, ch := range c.Agents {
		agent := a.agents[key(ch.ID)]
		agent.State, agent.changed = ch.State, true
		for _, p := range ch.Profiles {
			agent.profiles[p] = true
		}
	}
	if c.Turn != "" {
		q, agent := a.wheels[key(c.Item.Queue)], a.agents[key(c.Turn)]
		q.turn++
		agent.State.Turns = maps.Clone(agent.State.Turns)
		if agent.State.Turns == nil {
			agent.State.Turns = map[routing.QueueID]int64{}
		}
		agent.State.Turns[c.Item.Queue], agent.queues[c.Item.Queue] = q.turn, true
	}
	w.news |= driver.NewsRouting
	return nil
}

// putHolds adds the new offer or assignment, and the decision.
func (w work) putHolds(ctx context.Context, c transition.Change) error {
	held := w.ahead.holds[key(c.Item.ID)]
	if o := c.Offer; o != nil {
		row, err := offerRow(*o)
		if err == nil {
			held.offer = row[len(row)-1].([]byte)
			err = w.add(ctx, intoOffers, row)
		}
		if err != nil {
			return err
		}
	}
	if as := c.Assignment; as != nil {
		row, err := assignmentRow(*as)
		if err == nil {
			held.assignment = row[len(row)-1].([]byte)
			err = w.add(ctx, intoAssignments, row)
		}
		if err != nil {
			return err
		}
	}
	if c.Decision == nil {
		return nil
	}
	doc, err := encode(*c.Decision)
	if err != nil {
		return err
	}
	return w.add(ctx, intoDecisions, []any{key(c.Item.ID), doc})
}

// writes are the statements for all that was changed since the last ones: the
// tables and their rows in one order for all transactions.
func (a *ahead) writes(ws string) []stmt {
	if a == nil {
		return nil
	}
	return slices.Concat(a.items.writes(ws, intoItems, ofItems), a.agentWrites(ws), a.documents.writes(ws),
		a.conversations.writes(ws, intoConversations, ofConversations),
		a.messages.writes(ws, intoMessages, ofMessages), a.bulk.take(ws), a.dues.take(ws), a.ends.take(ws))
}

// writes replaces the rows that were changed, in the order of their ids, and then
// adds the new ones, in the order of the keys in which rivals may meet them.
func (rows keptRows) writes(ws string, into *insert, of *replacement) []stmt {
	var list []stmt
	var fresh, changed [][]any
	ids := slices.SortedFunc(maps.Keys(rows), func(x, y string) int {
		return cmp.Or(cmp.Compare(rows[x].natural, rows[y].natural), cmp.Compare(x, y))
	})
	for _, id := range ids {
		k := rows[id]
		if k.columns == nil {
			continue
		}
		if k.stored == 0 {
			row := []any{id, k.version, k.doc}
			if k.seq != 0 {
				row = append(row, k.seq)
			}
			fresh = append(fresh, append(row, k.columns...))
		} else {
			changed = append(changed, append([]any{id, k.stored, k.version, k.doc}, k.columns...))
		}
		k.stored, k.columns, k.natural = k.version, nil, ""
	}
	if len(changed) > 0 {
		list = append(list, of.of(ws, changed))
	}
	if len(fresh) > 0 {
		list = append(list, into.of(ws, fresh))
	}
	return list
}

// agentWrites are the states, loads and turns of agents, each once, and the
// queues' turns.
func (a *ahead) agentWrites(ws string) []stmt {
	var list []stmt
	var loads, turns struct {
		agents, names []string
		values        []int64
	}
	var states [][]any
	for _, id := range slices.Sorted(maps.Keys(a.agents)) {
		agent := a.agents[id]
		if agent.changed {
			states = append(states, stateRow(id, agent.State))
		}
		for _, p := range slices.Sorted(maps.Keys(agent.profiles)) {
			loads.agents, loads.names = append(loads.agents, id), append(loads.names, key(p))
			loads.values = append(loads.values, int64(agent.State.Load[p]))
		}
		for _, q := range slices.Sorted(maps.Keys(agent.queues)) {
			turns.agents, turns.names = append(turns.agents, id), append(turns.names, key(q))
			turns.values = append(turns.values, agent.State.Turns[q])
		}
		agent.changed = false
		clear(agent.profiles)
		clear(agent.queues)
	}
	if len(states) > 0 {
		list = append(list, ofStates.of(ws, states))
	}
	if len(loads.agents) > 0 {
		list = append(list, query(`INSERT INTO sd.agent_loads (ws, agent, profile, used)
			SELECT $1::text, agent, profile, used FROM unnest($2::text[], $3::text[], $4::bigint[]) AS u(agent, profile, used)
			ON CONFLICT (ws, agent, profile) DO UPDATE SET used = excluded.used`, ws, loads.agents, loads.names, loads.values))
	}
	if len(turns.agents) > 0 {
		list = append(list, query(`INSERT INTO sd.agent_turns (ws, agent, queue, turn)
			SELECT $1::text, agent, queue, turn FROM unnest($2::text[], $3::text[], $4::bigint[]) AS u(agent, queue, turn)
			ON CONFLICT (ws, agent, queue) DO UPDATE SET turn = excluded.turn`, ws, turns.agents, turns.names, turns.values))
	}
	for _, q := range slices.Sorted(maps.Keys(a.wheels)) {
		if w := a.wheels[q]; w.turn != w.stored {
			list = append(list, asClash("turn", `INSERT INTO sd.wheels AS w (ws, queue, turn) VALUES ($1, $2, $3)
				ON CONFLICT (ws, queue) DO UPDATE SET turn = excluded.turn WHERE w.turn = $4 RETURNING 1`, ws, q, w.turn, w.stored))
			w.stored = w.turn
		}
	}
	return list
}
