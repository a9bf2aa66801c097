package storetest

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/trigger/condition"
)

// hostile texts that stores have been seen to change, refuse or cut.
var hostile = map[string]string{
	"NUL":       "a\x00b\x00",
	"emoji":     "\U0001F600\U0001F468\u200d\U0001F469\u200d\U0001F467 \u2764\ufe0f",
	"Korean":    "상담 환불 ㅋㅋ",
	"quotes":    `'"` + "`" + `\'; DROP TABLE x; -- %s %d $1 ?`,
	"escapes":   `\u0000 \\u0000 \n \x00 {"a":"\u0000"}`,
	"controls":  "\r\n\t\v\x01\x1f\x7f\u0085\u2028\ufeff",
	"noncharac": "\ufffe\uffff\U0010FFFF",
	"combining": "e\u0301 \u00e9 \u1100\u1161 \uac00", // the same to the eye, not to the store
	"spaces":    "  lead and trail  ",
	"html":      "<script>&amp;\u003c</script>",
	"long":      strings.Repeat("가나다라 ", 1<<16) + "end", // about 1 MiB
}

// hostileTimes are times at the edges.
var hostileTimes = []time.Time{
	{}, moment(0), time.Unix(0, 0).UTC(), time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	time.Date(2199, 2, 28, 0, 0, 0, 1000, time.UTC), time.Date(1901, 1, 1, 0, 0, 0, 0, time.UTC),
}

var roundTripRules = []rule{
	{name: "every hostile text", run: func(e *env) {
		i := 0
		for _, name := range sortedKeys(hostile) {
			c := e.conv("t\x00" + name)
			i++
			s := hostile[name]
			c.Memo, c.Preview, c.Attributes = s, s, map[string]string{"k": s, "": ""}
			if len(s) < 1000 {
				c.Attributes[s] = "key"
			}
			m := e.msg(c.ID, int64(i))
			m.Content, m.Detail, m.Provider = text(s), s, channel.ProviderMessageID(name)
			k := conversation.Contact{ID: conversation.ContactID("k-" + name), Name: s, Memo: s}
			if len(s) > 1000 {
				k.Name = "long"
			}
			e.trip(&c, &m, &k)
		}
	}},
	{name: "every time, everywhere", run: func(e *env) {
		for i, at := range hostileTimes {
			c := e.conv("t" + at.String())
			c.OpenedAt, c.UpdatedAt, c.QueuedAt, c.ClosedAt, c.AwayAt, c.LastCustomerAt = at, at, at, at, at, at
			c.Rating = &conversation.Rating{At: at}
			c.Reply = &channel.ReplyHandle{Token: "x", Expires: at}
			m := e.msg(c.ID, int64(i+1))
			m.At, m.OccurredAt, m.EditedAt, m.UnsentAt = at, at, at, at
			k := conversation.Contact{ID: conversation.ContactID("k-" + at.String()), CreatedAt: at}
			e.trip(&c, &m, &k)
			env := envelope("k"+at.String(), "l")
			env.OccurredAt = at
			e.append(env)
			e.view(func(ctx context.Context, tx store.Tx) error {
				got, err := tx.Inbox().Envelope(ctx, env.ID)
				require.Equal(e, at, got.OccurredAt)
				return err
			})
		}
	}},
	{name: "a time in another zone comes back in UTC", run: func(e *env) {
		c := e.conv("t")
		at := moment(7)
		c.OpenedAt = at.In(time.FixedZone("KST", 9*3600))
		c.UpdatedAt = c.OpenedAt
		e.saveConv(&c)
		got := e.loadConv(c.ID)
		require.Equal(e, at, got.OpenedAt.UTC())
		list := e.pages(conversation.Filter{From: at.In(time.FixedZone("PST", -8*3600)), To: at.Add(time.Microsecond)}, 10, nil)
		require.Len(e, list, 1)
	}},
	{name: "a full conversation, message, contact and identity", run: func(e *env) {
		c, m, k := fullConversation(), fullMessage(), fullContact()
		e.trip(&c, &m, &k)
		follows := false
		i := conversation.Identity{
			ID: "id", Contact: k.ID, Kind: "line", Scope: "scope\x00", User: "U\x00u", Name: "이름", Picture: "https://p", Follows: &follows,
			FollowsAt: moment(1), WelcomedAt: moment(2), ProfileAt: moment(3), CreatedAt: moment(4),
		}
		var got conversation.Identity
		e.update(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Contacts().SaveIdentity(ctx, i)
			return err
		})
		e.view(func(ctx context.Context, tx store.Tx) (err error) {
			got, err = tx.Contacts().Identity(ctx, i.Kind, i.Scope, i.User)
			return err
		})
		i.Version = got.Version
		e.same(i, got)
		e.view(func(ctx context.Context, tx store.Tx) (err error) {
			got, err = tx.Contacts().IdentityByID(ctx, i.ID)
			return err
		})
		e.same(i, got)
	}},
	{name: "values that the program does not know", run: func(e *env) {
		c := e.conv("t")
		c.State, c.Control, c.Channel, c.Chat.Kind = "hibernating", "oracle", "telepathy", "dream"
		m := e.msg(c.ID, 1)
		m.Direction, m.Status, m.Author.Kind, m.Content.Kind, m.Reason = "sideways", "lost", "ghost", "smell", "mood"
		k := conversation.Contact{ID: "k", Language: "xx-YY"}
		e.trip(&c, &m, &k)
		other := e.conv("t") // a state that is not known holds no thread key
		e.saveConv(&other)
	}},
	{name: "the zero of everything that may be zero", run: func(e *env) {
		c := conversation.Conversation{ID: "c", Thread: "t", State: conversation.StateClosed}
		m := conversation.Message{ID: "m", Conversation: "c"}
		k := conversation.Contact{ID: "k"}
		e.trip(&c, &m, &k)
	}},
	{name: "numbers at their limits", run: func(e *env) {
		c := e.conv("t")
		c.EventSeq, c.CustomerSeq, c.Fence, c.Unread = 1<<53+1, 1<<62, 1<<53+3, 1<<31
		m := e.msg(c.ID, 1<<53+1)
		m.Content.Location = &channel.Location{Latitude: 37.566535, Longitude: -126.977969201}
		m.Content.Media = &channel.Media{Size: 1 << 53, Duration: 1<<62 + 1}
		k := conversation.Contact{ID: "k"}
		e.trip(&c, &m, &k)
	}},
	{name: "a full account, its secrets apart", run: func(e *env) {
		a := channel.Account{
			ID: "acct", Kind: "line", Name: "계정", Desk: "d", WorkStream: "w", Language: "ko-KR", Token: "full-" + string(e.ws), Scope: "s",
			Attachments: true, CustomerAttachments: true, AgentAttachments: true, Disabled: true, Deleted: true,
			Settings: json.RawMessage(`{"a":[1,2,{"b":"\u0000"}]}`),
			Messages: map[string]map[string]string{"welcome": {"ko": "안녕", "": "hi"}},
			Secrets:  map[string]channel.Secret{"token": channel.NewSecret("do not store")},
			Sealed:   []byte("\x00sealed\xff"),
		}
		e.update(func(ctx context.Context, tx store.Tx) error {
			v, err := tx.Accounts().SaveAccount(ctx, a)
			if err != nil {
				return err
			}
			_, err = tx.Accounts().SaveAccount(ctx, channel.Account{ID: "Acct", Kind: "line", Token: "second-" + string(e.ws)})
			require.Positive(e, v)
			return err
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Accounts().Account(ctx, "acct")
			require.NoError(e, err)
			require.Empty(e, got.Secrets, "a secret was stored")
			want := a
			want.Secrets, want.Version = nil, got.Version
			require.JSONEq(e, string(a.Settings), string(got.Settings))
			want.Settings, got.Settings = nil, nil
			e.same(want, got)
			list, err := tx.Accounts().Accounts(ctx)
			require.Len(e, list, 2)
			require.Equal(e, channel.AccountID("Acct"), list[0].ID)
			require.Equal(e, channel.AccountID("acct"), list[1].ID)
			return err
		})
	}},
	{name: "a full agent, its state apart", run: func(e *env) {
		a := fullAgent()
		e.update(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Agents().SaveAgent(ctx, a)
			return err
		})
		got := e.loadAgent(a.ID)
		a.Version, a.State = got.Version, got.State
		e.same(a, got)
	}},
	{name: "a full item, offer and decision", run: func(e *env) {
		it := fullItem()
		e.update(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Work().SaveItem(ctx, it)
			return err
		})
		got := e.loadItem(it.ID)
		require.Positive(e, got.Seq)
		it.Version, it.Seq = got.Version, got.Seq
		e.same(it, got)
	}},
	{name: "a full desk, work stream and queue", run: func(e *env) {
		d, w, q := fullConfig()
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Config().SaveDesk(ctx, d); err != nil {
				return err
			}
			if err := tx.Config().SaveWorkStream(ctx, w); err != nil {
				return err
			}
			return tx.Config().SaveQueue(ctx, q)
		})
		c := e.config()
		e.same(d, c.Desks[d.ID])
		e.same(w, c.WorkStreams[w.ID])
		e.same(q, c.Queues[q.ID])
	}},
	{name: "an item that a transaction wrote is read in it as others will", run: func(e *env) {
		e.agent("a", units(9))
		it := fullItem()
		it.State, it.Agent = routing.ItemQueued, ""
		var inside routing.Item
		after := func(change func(ctx context.Context, tx store.Tx, it routing.Item) error) {
			e.update(func(ctx context.Context, tx store.Tx) error {
				if err := change(ctx, tx, it); err != nil {
					return err
				}
				spoilt, err := tx.Work().Item(ctx, it.ID)
				if err != nil {
					return err
				}
				spoilt.Uses[0].Units, spoilt.Skills[0].Level, spoilt.Attributes["spoilt"] = 77, 77, "yes"
				inside, err = tx.Work().Item(ctx, it.ID)
				return err
			})
			stored := e.loadItem(it.ID)
			e.same(stored, inside)
			it = stored
		}
		save := func(ctx context.Context, tx store.Tx, it routing.Item) error {
			_, err := tx.Work().SaveItem(ctx, it)
			return err
		}
		after(save)
		it.Priority, it.Seq = 9, 0 // the order of creation stays
		after(save)
		it.EnteredAt = it.EnteredAt.Add(time.Nanosecond).In(time.FixedZone("", 3600))
		after(save)
		require.NotZero(e, it.Seq)
		var as routing.AssignmentID
		after(func(ctx context.Context, tx store.Tx, it routing.Item) error {
			r := e.assigning(it, "a")
			as = r.Assignment.ID
			return tx.Work().Reserve(ctx, r)
		})
		require.Equal(e, routing.AgentID("a"), it.Agent)
		after(func(ctx context.Context, tx store.Tx, it routing.Item) error {
			if _, err := tx.Work().EndAssignment(ctx, it.ID, as, routing.EndClosed, routing.ItemQueued, moment(9)); err != nil {
				return err
			}
			back, err := tx.Work().Item(ctx, it.ID)
			if err != nil {
				return err
			}
			back.Priority = 1
			return save(ctx, tx, back)
		})
	}},
	{name: "what was stored or loaded is nobody else's", run: func(e *env) {
		c := e.conv("t")
		c.Attributes = map[string]string{"k": "v"}
		c.Reply = &channel.ReplyHandle{Token: "x"}
		e.saveConv(&c)
		c.Attributes["k"], c.Reply.Token = "changed after the save", "changed"
		got := e.loadConv(c.ID)
		require.Equal(e, "v", got.Attributes["k"])
		got.Attributes["k"], got.Reply.Token = "changed after the load", "changed"
		require.Equal(e, "v", e.loadConv(c.ID).Attributes["k"])
		require.Equal(e, "x", e.loadConv(c.ID).Reply.Token)
	}},
}

// trip stores the three, loads them back and stores them a second time.
func (e *env) trip(c *conversation.Conversation, m *conversation.Message, k *conversation.Contact) {
	e.Helper()
	for range 2 {
		var cv, mv, kv int64
		e.update(func(ctx context.Context, tx store.Tx) (err error) {
			if cv, err = tx.Conversations().SaveConversation(ctx, *c); err != nil {
				return err
			}
			if mv, err = tx.Conversations().SaveMessage(ctx, *m); err != nil {
				return err
			}
			kv, err = tx.Contacts().SaveContact(ctx, *k)
			return err
		})
		c.Version, m.Version, k.Version = cv, mv, kv
		e.view(func(ctx context.Context, tx store.Tx) error {
			gotC, err := tx.Conversations().Conversation(ctx, c.ID)
			require.NoError(e, err)
			e.same(*c, gotC)
			gotM, err := tx.Conversations().Message(ctx, m.ID)
			require.NoError(e, err)
			e.same(*m, gotM)
			gotK, err := tx.Contacts().Contact(ctx, k.ID)
			require.NoError(e, err)
			e.same(*k, gotK)
			return nil
		})
	}
}

func fullConversation() conversation.Conversation {
	return conversation.Conversation{
		ID: "c", Thread: "contact:k/stream:w", State: conversation.StateActive, Live: true, Desk: "d", WorkStream: "w", Account: "acct",
		Channel: "line", Chat: channel.Chat{Kind: channel.ChatGroup, ID: "G1"}, Contact: "k", Identity: "id", Language: "ko",
		Agent: "a", LastAgent: "b", Control: conversation.ControlBot, Fence: 3, Bot: "script", BotData: map[string]string{"step": "2"},
		Reply: &channel.ReplyHandle{Token: "t", Expires: moment(1)}, EventSeq: 9, CustomerSeq: 7, Previous: "c0", MergedInto: "c9",
		OpenedAt: moment(1), QueuedAt: moment(2), AssignedAt: moment(3), LastCustomerAt: moment(4), LastAgentAt: moment(5),
		FirstAnswerAt: moment(6), WrapUpAt: moment(7), ClosedAt: moment(8), UpdatedAt: moment(9), EndedBy: "customer", EndReason: "done",
		AwayAt: moment(10), Handled: true, Unread: 4, Category: "refund", Memo: "memo", Attributes: map[string]string{"a": "b"},
		Rating: &conversation.Rating{Score: 5, Comment: "좋아요", At: moment(11), Closure: moment(8)}, Preview: "preview",
	}
}

func fullMessage() conversation.Message {
	return conversation.Message{
		ID: "m", Conversation: "c", Seq: 3, CustomerSeq: 2, Direction: conversation.Outbound,
		Author: conversation.Author{Kind: conversation.ByAgent, Agent: "a", Identity: "id", Name: "Kim"},
		Content: channel.Content{
			Kind: channel.KindCard, Text: "text", Spans: []channel.Span{{Start: 1, Length: 2, Kind: "emoji", Ref: "r"}},
			Media: &channel.Media{Name: "n", Type: "image/png", Size: 9, Duration: time.Second, Blob: "b", SetID: "s",
				SetIndex: 1, SetTotal: 2, State: "ready"},
			Location: &channel.Location{Title: "t", Latitude: 37.5, Longitude: 127},
			Sticker:  &channel.Sticker{Package: "1", ID: "2", Keywords: []string{"k"}},
			Cards:    []channel.Card{{Title: "t", Text: "x", Choices: []channel.Choice{{Label: "l", Kind: "uri", URI: "https://u"}}}},
			Choices:  []channel.Choice{{Label: "l", Kind: "postback", Data: "d"}},
			Postback: &channel.Postback{Data: "d", Params: map[string]string{"p": "q"}}, QuoteOf: "99007199254740993", QuoteHandle: "h",
			Rich: json.RawMessage(`{"type":"flex"}`),
		},
		Masks: []privacy.MaskedSpan{{Span: privacy.Span{Start: 0, End: 3}, ID: "k1", Owner: "contact:k", Type: privacy.Card, By: "agent:a",
			At: moment(5)}},
		Sources: []channel.EnvelopeID{"env"}, Account: "acct", Chat: userChat, Provider: "9007199254740993",
		Status: conversation.StatusFailed, Reason: channel.ReasonQuota, Detail: "detail", OccurredAt: moment(1), At: moment(2),
		EditedAt: moment(3), UnsentAt: moment(4), ReadHandle: "rh", Automated: "welcome", ResendOf: "m0",
	}
}

func fullContact() conversation.Contact {
	return conversation.Contact{
		ID: "k", Name: "김철수", Email: "k@example.com", Phone: "010-0000-0000", Memo: "memo", Language: "ko", Picture: "https://p",
		Known: true, MergedInto: "k2", CreatedAt: moment(1), Attributes: map[string]string{"vip": "yes"},
	}
}

func fullHours() *hours.Calendar {
	return &hours.Calendar{Zone: "Asia/Seoul", Week: hours.Every([]hours.Interval{{From: hours.At(9, 0), To: hours.At(18, 30)},
		{From: hours.At(22, 0), To: hours.At(2, 0)}}, time.Monday, time.Sunday)}
}

func fullAgent() routing.Agent {
	return routing.Agent{
		ID: "agent\x00 김", Name: "Kim", Picture: "https://p", Email: "a@b", Role: "supervisor",
		Permissions: []routing.Permission{routing.PermitChat, "levitate"},
		Capacity:    map[routing.Profile]int{routing.ProfileUnits: 5, "channel:line": 2, "host": 0},
		Skills:      []routing.Skill{{Name: "english", Level: 3}}, Hours: fullHours(), Disabled: true,
		Assign: routing.AssignmentSwitches{Ticket: true, Chat: true, Control: true}, Attributes: map[string]string{"a": "b"},
	}
}

func fullItem() routing.Item {
	return routing.Item{
		ID: "i", State: routing.ItemQueued, Desk: "d", WorkStream: "w", Queue: "q", Mode: routing.Pick, Permission: routing.PermitPhone,
		Presences: []routing.Presence{routing.Online, "focus"}, Priority: -3,
		Uses:   []routing.Use{{Profile: routing.ProfileUnits, Units: 2}, {Profile: "channel:line", Units: 1}},
		Skills: []routing.Skill{{Name: "s", Level: 2}}, SkillMatch: routing.SkillRelaxed, RelaxAfter: time.Minute, Relaxed: 1,
		AutoAccept: true, OfferFor: time.Second, QueuedAt: moment(1), EnteredAt: moment(2), Preferred: "p", PreferredUntil: moment(3),
		Designated: "x", Declined: []routing.AgentID{"b", "a"}, Visited: []routing.QueueID{"q0", "q"}, Attempt: 4,
		Contact: "k", Attributes: map[string]string{"a": "b"}, Overflowed: []string{"q/0"},
	}
}

func fullConfig() (routing.Desk, routing.WorkStream, routing.Queue) {
	priority := 0
	texts := map[string]map[string]string{"away": {"": "later", "ko": "나중에"}}
	d := routing.Desk{ID: "d", Name: "상담", Description: "x", Hours: fullHours(), Seats: 3, Messages: texts,
		Since: moment(1)}
	w := routing.WorkStream{
		ID: "w", Name: "W", ChannelKind: "line", Live: true, Mode: routing.Push, Cost: 2, ChannelCost: 1,
		Presences: []routing.Presence{routing.Online}, Queue: "q",
		Rules: []routing.Rule{{
			Name: "r", When: condition.Condition{All: []condition.Clause{{Field: "text", Op: condition.Contains, Value: "환불"}}},
			Queue: "q", Split: []routing.Share{{Queue: "q", Percent: 100}}, Priority: &priority,
			Skills: []routing.Skill{{Name: "s", Level: 1}},
			Set:    map[string]string{"a": "b"}, Stop: true,
		}},
		SkillMatch: routing.SkillExact, RelaxAfter: time.Minute, AutoAccept: true, OfferFor: time.Second, WrapUp: time.Minute,
		AutoClose: time.Hour, ReopenFor: 72 * time.Hour, KeepAgentFor: time.Minute, RecentAgentWithin: time.Hour,
		HoldWhileWaiting: true, Bot: "bot", ThreadPerAccount: true, Hours: fullHours(), Messages: texts,
	}
	q := routing.Queue{
		ID: "q", Name: "Q", Strategy: "weighted", Members: []routing.AgentID{"b", "a"}, Weights: map[routing.AgentID]int{"a": 3},
		Rank: map[routing.AgentID]int{"b": 1}, Designated: "a", AgeingPerMinute: 0.1, Hours: fullHours(),
		Overflow: []routing.Overflow{{When: routing.OverflowWait, After: time.Minute, Limit: 3, Do: routing.OverflowQueue, Queue: "q2",
			Message: "m"}},
	}
	return d, w, q
}
