package sangdam

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// Queries that a console asks besides those of its records.

// Directory holds the names behind the ids that an agent meets in conversations
// and events, and to whom a conversation may be transferred. It holds no
// settings and no secrets.
type Directory struct {
	Agents []Colleague                `json:"agents"` // by id
	Desks  map[routing.DeskID]string  `json:"desks"`
	Queues map[routing.QueueID]string `json:"queues"`
	// RetiredDesks and RetiredQueues are those of them that are out of use: whoever
	// chooses one is better not shown them.
	RetiredDesks  []routing.DeskID                   `json:"retired_desks,omitempty"`
	RetiredQueues []routing.QueueID                  `json:"retired_queues,omitempty"`
	WorkStreams   map[routing.WorkStreamID]string    `json:"work_streams"`
	Accounts      map[channel.AccountID]NamedAccount `json:"accounts"`
	// Kinds are those of the channels that have an adapter, in alphabetical
	// order.
	Kinds []channel.Kind `json:"kinds"`
	// TargetKinds are those of the targets that have a carrier, in alphabetical
	// order.
	TargetKinds []notify.Kind `json:"target_kinds"`
	// TargetForms are what targets are made of, of those kinds whose carrier is a
	// notify.Describer. They are for reading alone.
	TargetForms map[notify.Kind]notify.Form          `json:"target_forms,omitempty"`
	Members     map[routing.DeskID][]routing.AgentID `json:"members"`
}

// Colleague is an agent as other agents see it.
type Colleague struct {
	ID       routing.AgentID  `json:"id"`
	Name     string           `json:"name"`
	Presence routing.Presence `json:"presence"`
	Disabled bool             `json:"disabled,omitempty"`
	// Open is how many offers and conversations the agent has in hand. It
	// counts those too that the reader may not see.
	Open int `json:"open"`
}

// NamedAccount is an account as agents see it.
type NamedAccount struct {
	Name string         `json:"name"`
	Kind channel.Kind   `json:"kind"`
	Desk routing.DeskID `json:"desk"`
	// AgentAttachments says that agents may send files on it.
	AgentAttachments bool `json:"agent_attachments,omitempty"`
}

var qDirectory = asks("agent.directory", "Directory", "agents", ActList).wide(wideAgents)

// Directory returns the names of the workspace's desks, queues, work streams
// and accounts, which every agent may know, and of those agents that the
// principal may see.
func (e *Engine) Directory(ctx context.Context, p Principal) (Directory, error) {
	var out Directory
	err := e.query(ctx, p, qDirectory, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		out = Directory{Desks: map[routing.DeskID]string{}, Queues: map[routing.QueueID]string{},
			WorkStreams: map[routing.WorkStreamID]string{},
			Accounts:    map[channel.AccountID]NamedAccount{}, Members: map[routing.DeskID][]routing.AgentID{}}
		agents, err := e.agentsSeen(ctx, tx, s, p)
		if err != nil {
			return err
		}
		seen := map[routing.AgentID]bool{}
		for _, a := range agents {
			seen[a.ID] = true
			out.Agents = append(out.Agents,
				Colleague{ID: a.ID, Name: a.Name, Presence: a.State.Presence, Disabled: a.Disabled, Open: a.State.Open})
		}
		out.Kinds, out.TargetKinds = slices.Sorted(maps.Keys(e.adapters)), slices.Sorted(maps.Keys(e.carriers))
		out.TargetForms = e.targetForms()
		out.name(s, seen)
		return nil
	})
	return out, err
}

// name fills in what there is by its names.
func (out *Directory) name(s *settings, seen map[routing.AgentID]bool) {
	for id, d := range s.routing.Desks {
		if out.Desks[id] = d.Name; d.Retired {
			out.RetiredDesks = append(out.RetiredDesks, id)
		}
		out.Members[id] = slices.DeleteFunc(slices.Clone(s.routing.Members[id]), func(a routing.AgentID) bool { return !seen[a] })
	}
	for id, q := range s.routing.Queues {
		if out.Queues[id] = q.Name; q.Retired {
			out.RetiredQueues = append(out.RetiredQueues, id)
		}
	}
	slices.Sort(out.RetiredDesks)
	slices.Sort(out.RetiredQueues)
	for id, w := range s.routing.WorkStreams {
		out.WorkStreams[id] = w.Name
	}
	for id, a := range s.accounts {
		out.Accounts[id] = NamedAccount{Name: a.Name, Kind: a.Kind, Desk: a.Desk, AgentAttachments: a.Attachments && a.AgentAttachments}
	}
}

var qMay = asks("workspace.may", "May", kindWorkspace).also(kindTicket).wide(wideAgents)

// May returns nil when the principal may do the action somewhere in the
// workspace, and otherwise the error that a command would return, so that a
// console can leave out what would be refused. An action on tickets is asked
// about tickets in general. Whether a single record allows it, only the command
// itself says.
func (e *Engine) May(ctx context.Context, p Principal, a Action) error {
	op, id := *qMay, string(p.Workspace)
	op.Actions = []Action{a}
	if strings.HasPrefix(string(a), kindTicket+".") {
		op.Resources, id = []string{kindTicket}, ""
	}
	return e.query(ctx, p, &op, id, func(context.Context, store.Tx, *settings) error { return nil })
}

var qContactNames = asks("contact.names", "ContactNames", "contacts", ActList)

// ContactNames returns the names of those contacts among ids that the principal
// may see, for lists of conversations. At most 200 ids at once.
func (e *Engine) ContactNames(ctx context.Context, p Principal, ids ...conversation.ContactID,
) (map[conversation.ContactID]string, error) {
	if len(ids) > maxPage {
		return nil, errs.New(errs.Invalid, "sangdam: at most %d names are looked up at once, not %d", maxPage, len(ids))
	}
	out := map[conversation.ContactID]string{}
	err := e.query(ctx, p, qContactNames, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		found, err := tx.Contacts().ContactsByID(ctx, ids)
		if err != nil {
			return err
		}
		for _, c := range found {
			if ok, err := e.sees(ctx, w, contactResource(c)); err != nil {
				return err
			} else if ok {
				out[c.ID] = c.Name
			}
		}
		return nil
	})
	return out, err
}

var qEarlierMessages = asks("conversation.earlier_messages", "EarlierMessages", kindConversation, ActRead)

// EarlierMessages returns the newest messages of a conversation with a Seq
// below before, oldest first, at most limit (1 to 200). A console uses it to go
// back in a long conversation.
func (e *Engine) EarlierMessages(ctx context.Context, p Principal, id conversation.ID, before int64, limit int,
) (out []conversation.Message, err error) {
	err = e.read(ctx, p, qEarlierMessages, id, func(ctx context.Context, tx store.Tx, _ conversation.Conversation) (err error) {
		out, err = tx.Conversations().Latest(ctx, id, before, min(max(limit, 1), maxPage))
		return err
	})
	return out, err
}

// Queued is a conversation that waits for an agent, or is offered to one.
type Queued struct {
	Item         routing.Item              `json:"item"`
	Conversation conversation.Conversation `json:"conversation"`
}

var qQueues = asks("conversation.queued", "Queues", "conversations", ActList)

// Queues lists the conversations that wait for an agent or are offered to one
// and that the principal may see, by queue and within a queue in the order of
// waiting, at most limit (1 to 200) in all.
func (e *Engine) Queues(ctx context.Context, p Principal, limit int) ([]Queued, error) {
	limit = min(max(limit, 1), maxPage)
	var out []Queued
	err := e.query(ctx, p, qQueues, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		var items []routing.Item
		err = tx.Work().Open(ctx, func(it routing.Item) {
			if it.State != routing.ItemAssigned {
				items = append(items, it)
			}
		})
		if err != nil {
			return err
		}
		if out, err = e.queued(ctx, tx, w, items, limit); err != nil {
			return err
		}
		slices.SortStableFunc(out, func(a, b Queued) int { return strings.Compare(string(a.Item.Queue), string(b.Item.Queue)) })
		return nil
	})
	return out, err
}

// queued are those of the items that may be seen.
func (e *Engine) queued(ctx context.Context, tx store.Tx, w Who, items []routing.Item, limit int) ([]Queued, error) {
	out := []Queued{}
	for _, it := range items {
		cv, err := tx.Conversations().Conversation(ctx, conversation.ID(it.ID))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ok, err := e.sees(ctx, w, conversationResource(cv))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, Queued{it, cv})
		}
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

// Heard is the automated message that a customer would get who writes at a
// certain time.
type Heard struct {
	Open      bool   `json:"open"`
	Holiday   bool   `json:"holiday,omitempty"`
	Exception string `json:"exception,omitempty"` // its name
	// Message names the automated message (greeting, away or holiday), and Text
	// is what it says; both are empty where the customer would get none.
	Message string `json:"message,omitempty"`
	Text    string `json:"text,omitempty"`
	// Until is when the operating hours next open or close; zero when they
	// never do.
	Until time.Time `json:"until,omitzero"`
}

var qWouldHear = asks("account.would_hear", "WouldHear", kindAccount, ActConfigure).wide(wideSetUp)

// WouldHear says which automated message a customer of the account would get
// whose first message, in the language given, came at the time given. It goes
// by the settings as they are now. The operating hours are the first that are
// set: those of the account, the desk, the work stream's own queue, the work
// stream, the workspace. For a real message classification might choose another
// queue with other hours. It needs ActConfigure.
func (e *Engine) WouldHear(ctx context.Context, p Principal, account channel.AccountID, language string, at time.Time) (Heard, error) {
	var out Heard
	err := e.query(ctx, p, qWouldHear, string(account), func(ctx context.Context, tx store.Tx, s *settings) error {
		acct, _, err := e.account(s, account)
		if err != nil {
			return err
		}
		out = Heard{Open: true, Message: automated.Greeting}
		u := &unit{e: e, ctx: ctx, tx: tx, s: s, p: p}
		if sched := s.hoursOf(acct, ""); sched != nil {
			st := sched.At(at)
			out.Open, out.Holiday, out.Exception = st.Open, st.Holiday, st.Exception
			if next, ok := sched.NextChange(at); ok {
				out.Until = next
			}
		}
		if !out.Open {
			out.Message = automated.Away
			if out.Holiday && u.automatedText(acct, automated.Holiday, language) != "" {
				out.Message = automated.Holiday
			}
		}
		if out.Text = u.automatedText(acct, out.Message, language); out.Text == "" {
			out.Message = ""
		}
		return nil
	})
	return out, err
}

// Undelivered is a message to a customer that failed, or of which nobody knows
// whether it arrived.
type Undelivered struct {
	Conversation conversation.Conversation `json:"conversation"`
	Message      conversation.Message      `json:"message"`
}

// Bounds of the search for undelivered messages.
const (
	undeliveredAmong  = 200 // conversations that changed last
	undeliveredLatest = 20  // messages of each
)

var qUndelivered = asks("conversation.undelivered", "Undelivered", "conversations", ActList)

// Undelivered lists the messages to customers that failed, or of which nobody
// knows whether they arrived, and that were not sent again; newest first. It
// looks at the latest 20 messages of the 200 conversations that changed last
// and that the principal may see.
func (e *Engine) Undelivered(ctx context.Context, p Principal) ([]Undelivered, error) {
	var out []Undelivered
	err := e.query(ctx, p, qUndelivered, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		list, _, err := e.seen(ctx, tx, w, conversation.Filter{}, "", undeliveredAmong, lookedAt)
		if err != nil {
			return err
		}
		out = []Undelivered{}
		for _, c := range list {
			latest, err := tx.Conversations().Latest(ctx, c.ID, 0, undeliveredLatest)
			if err != nil {
				return err
			}
			out = append(out, undeliveredOf(c, latest)...)
		}
		slices.SortStableFunc(out, func(a, b Undelivered) int { return b.Message.At.Compare(a.Message.At) })
		return nil
	})
	return out, err
}

// undeliveredOf are those of the messages that did not arrive and were not sent
// again, the newest first.
func undeliveredOf(c conversation.Conversation, latest []conversation.Message) (out []Undelivered) {
	again := map[conversation.MessageID]bool{}
	for _, m := range latest {
		again[m.ResendOf] = true
	}
	for _, m := range slices.Backward(latest) {
		if (m.Status == conversation.StatusFailed || m.Status == conversation.StatusUnknown) && !again[m.ID] {
			out = append(out, Undelivered{c, m})
		}
	}
	return out
}
