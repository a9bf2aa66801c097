package sangdam

import (
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/classify"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/trigger/condition"
)

// classify turns a conversation into an item that waits in the queue which the
// work stream's rules choose (RT2).
func (u *unit) classify(acct channel.Account, d *draft.Draft, m conversation.Message) (routing.Item, error) {
	stream := u.s.routing.WorkStreams[d.C.WorkStream]
	closed := u.closed(u.s.hoursOf(acct, ""))
	facts := condition.Map{
		"channel":  condition.Text(d.C.Channel),
		"account":  condition.Text(d.C.Account),
		"desk":     condition.Text(d.C.Desk),
		"language": condition.Text(d.C.Language),
		"contact":  condition.Text(d.C.Contact),
		"message":  condition.Text(m.Content.Text),
		"time":     condition.Time(u.tx.Now()),
		"open":     condition.Bool(!closed),
	}
	if m.Content.Postback != nil {
		facts["postback"] = condition.Text(m.Content.Postback.Data)
	}
	if len(d.C.Attributes) > 0 {
		var answers []string
		for _, k := range slices.Sorted(maps.Keys(d.C.Attributes)) {
			answers = append(answers, d.C.Attributes[k])
		}
		facts["bot.answers"] = condition.Text(strings.Join(answers, "\n"))
	}
	facts["bot.outcome"] = condition.Text(d.C.BotOutcome)
	for name, value := range d.C.Attributes {
		facts["attribute."+name] = condition.Text(value)
	}
	if err := u.e.hostFacts(facts, d.C); err != nil {
		return routing.Item{}, err
	}
	out, err := classify.Classify(stream, facts, u.tx.Now(), u.e.cfg.Seed^hashOf(string(d.C.ID)), u.e.cfg.Fields...)
	if err != nil {
		return routing.Item{}, err
	}
	it := transition.NewItem(routing.Item{ID: routing.ItemID(d.C.ID), Desk: d.C.Desk, Queue: out.Queue, Priority: out.Priority,
		Skills: out.Skills, Attributes: out.Attributes}, stream.On(string(d.C.Channel)), u.tx.Now())
	it.Contact, it.Account = string(d.C.Contact), string(d.C.Account)
	it.Attributes = maps.Clone(d.C.Attributes) // strategies see what bots learnt, too
	if it.Attributes == nil && len(out.Attributes) > 0 {
		it.Attributes = map[string]string{}
	}
	maps.Copy(it.Attributes, out.Attributes)
	return it, nil
}

// hostFacts adds the host's own facts, those of Config.Fields and no other.
func (e *Engine) hostFacts(facts condition.Map, c conversation.Conversation) error {
	own := e.cfg.Facts
	if own == nil {
		return nil
	}
	more, err := inline(e.guard, "the host", "Facts", func() (condition.Map, error) { return own(c), nil })
	if err != nil {
		return err
	}
	for _, f := range e.cfg.Fields {
		if fact, ok := more[f.Name]; ok {
			facts[f.Name] = fact
		}
	}
	return nil
}

// hashOf makes a seed of an id, the same in every process.
func hashOf(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum64()
}

// overflow does what a queue's overflow rule says for an item.
func (u *unit) overflow(d routing.Decision) error {
	it, err := u.decided(d)
	if err != nil {
		return err
	}
	return u.worker(it.ID).overflowed(it, d)
}
