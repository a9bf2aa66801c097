package sangdam_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/mail"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
)

// rival is a command that replaces something, given by two people who have both
// read one version: first is what the one does, second what the other tries.
type rival struct{ first, second func() error }

// saved and deleted are rivals over a thing of the set-up, which a save makes in
// version 1 before.
func saved(t *testing.T, save func(version int64) error) rival {
	t.Helper()
	require.NoError(t, save(0))
	again := func() error { return save(1) }
	return rival{again, again}
}

// deleted are rivals over a thing that was deleted and made anew: its version
// goes on, so that who still shows the first one cannot change the second.
func deleted(t *testing.T, save, del func(version int64) error) rival {
	t.Helper()
	require.NoError(t, save(0))
	require.NoError(t, del(1))
	require.NoError(t, save(0))
	require.ErrorIs(t, save(1), sangdam.ErrStale)
	require.ErrorIs(t, del(1), sangdam.ErrStale)
	return rival{func() error { return save(3) }, func() error { return del(3) }}
}

// Of two people who save at once, the second one is told, whatever it is that
// they save. The test walks the table of commands: one that takes a version and
// has no rival here fails it.
func TestEveryCommandThatReplacesRefusesAStaleVersion(t *testing.T) {
	var o outside
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		all := rivalsOfSetUp(w.world)
		for _, more := range []map[string]rival{rivalsOfTexts(t, d), rivalsOfTickets(t, d), rivalsOfRules(t, d), rivalsOfTalk(t, d)} {
			maps.Copy(all, more)
		}
		for _, op := range commands() {
			r, is := all[op.Method]
			require.Equal(t, op.Versioned, is, "%s takes a version if and only if it has a rival", op.Method)
			if is {
				require.NoError(t, r.first(), op.Method)
				require.ErrorIs(t, r.second(), sangdam.ErrStale, op.Method)
			}
		}
	}, withOutside(&o))
}

func rivalsOfSetUp(w *world) map[string]rival {
	out := map[string]rival{}
	methods := map[string]string{"desk": "SaveDesk", "queue": "SaveQueue", "work stream": "SaveWorkStream", "account": "SaveAccount",
		"agent": "SaveAgent", "contact": "SaveContact"}
	for _, thing := range setUpThings(w) {
		out[methods[thing.name]] = rival{func() error { return thing.save("first", "") }, func() error { return thing.save("second", "") }}
	}
	planned := w.configuration().Version
	out["Apply"] = rival{func() error { return nil }, func() error { // what the desk's rival saved is in between
		return errOf(w.eng.Apply(w.ctx, w.host, sangdam.Apply{Version: planned}))
	}}
	out["DeleteAccount"] = rival{func() error { return nil }, func() error {
		return w.eng.DeleteAccount(w.ctx, w.host, sangdam.DeleteAccount{Account: w.acct.ID, Version: w.acct.Version})
	}}
	agents, err := w.eng.Agents(w.ctx, w.host)
	require.NoError(w.t, err)
	last := agents[len(agents)-1]
	switches := func(chat bool) func() error {
		return func() error {
			return errOf(w.eng.SetSwitches(w.ctx, w.host, sangdam.SetSwitches{Agent: last.ID, Version: last.Version, Chat: chat}))
		}
	}
	out["SetSwitches"] = rival{switches(!last.Assign.Chat), switches(last.Assign.Chat)}
	var file bytes.Buffer
	require.NoError(w.t, png.Encode(&file, image.NewGray(image.Rect(0, 0, 8, 8))))
	picture := func() error {
		return errOf(w.eng.SaveDeskPicture(w.ctx, w.host, sangdam.SaveDeskPicture{Desk: "support", Body: bytes.NewReader(file.Bytes())}))
	}
	out["SaveDeskPicture"] = rival{picture, picture}
	had, err := w.eng.TicketSetup(w.ctx, w.host)
	require.NoError(w.t, err)
	var changes atomic.Int64 // two may save at once
	settings := func() error {
		s := had.Settings
		s.CompleteAfter += time.Duration(changes.Add(1)) * time.Hour
		return errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: s}))
	}
	require.NoError(w.t, settings())
	had, err = w.eng.TicketSetup(w.ctx, w.host)
	require.NoError(w.t, err)
	out["SaveWorkspaceSettings"] = rival{settings, settings}
	return out
}

// rivalsOfTexts are those of the documents of people at work: s is saved twice,
// d is saved and deleted.
func rivalsOfTexts(t *testing.T, d *ticketDesk) map[string]rival {
	e, ctx, p := d.eng, d.ctx, d.host
	out := map[string]rival{}
	both := func(kind string, save, del func(id string, version int64) error) {
		out["Save"+kind] = saved(t, func(v int64) error { return save("s", v) })
		out["Delete"+kind] = deleted(t, func(v int64) error { return save("d", v) }, func(v int64) error { return del("d", v) })
	}
	both("ConversationView", func(id string, v int64) error {
		return errOf(e.SaveConversationView(ctx, p,
			sangdam.SaveConversationView{View: sangdam.ConversationView{ID: id, Version: v, Name: id}}))
	}, func(id string, v int64) error {
		return e.DeleteConversationView(ctx, p, sangdam.DeleteConversationView{View: id, Version: v})
	})
	both("QuickReply", func(id string, v int64) error {
		return errOf(e.SaveQuickReply(ctx, p, sangdam.SaveQuickReply{Reply: sangdam.QuickReply{ID: id, Version: v, Title: id,
			Texts: map[string]string{"en": "Hello"}}}))
	}, func(id string, v int64) error {
		return e.DeleteQuickReply(ctx, p, sangdam.DeleteQuickReply{Reply: id, Version: v})
	})
	both("Template", func(id string, v int64) error {
		return errOf(e.SaveTemplate(ctx, p,
			sangdam.SaveTemplate{Template: ticket.AnswerTemplate{ID: id, Version: v, Title: id, Body: "x", Owner: "a1"}}))
	}, func(id string, v int64) error {
		return e.DeleteTemplate(ctx, p, sangdam.DeleteTemplate{Template: id, Version: v})
	})
	both("BannedWord", func(id string, v int64) error {
		return errOf(e.SaveBannedWord(ctx, p, sangdam.SaveBannedWord{Word: ticket.BannedWord{ID: id, Version: v, Word: "word" + id}}))
	}, func(id string, v int64) error {
		return e.DeleteBannedWord(ctx, p, sangdam.DeleteBannedWord{Word: id, Version: v})
	})
	both("Group", func(id string, v int64) error {
		return errOf(e.SaveGroup(ctx, p, sangdam.SaveGroup{Group: ticket.Group{ID: ticket.GroupID(id), Version: v, Name: id}}))
	}, func(id string, v int64) error {
		return e.DeleteGroup(ctx, p, sangdam.DeleteGroup{Group: ticket.GroupID(id), Version: v})
	})
	both("TicketView", func(id string, v int64) error {
		return errOf(e.SaveTicketView(ctx, p, sangdam.SaveTicketView{View: ticket.View{ID: id, Version: v, Name: id}}))
	}, func(id string, v int64) error {
		return e.DeleteTicketView(ctx, p, sangdam.DeleteTicketView{View: id, Version: v})
	})
	both("ServiceLevel", func(id string, v int64) error {
		level := ticket.ServiceLevel{ID: id, Version: v, Name: id, Goals: map[ticket.Target]time.Duration{ticket.FirstAnswer: time.Hour}}
		return errOf(e.SaveServiceLevel(ctx, p, sangdam.SaveServiceLevel{Level: level}))
	}, func(id string, v int64) error {
		return e.DeleteServiceLevel(ctx, p, sangdam.DeleteServiceLevel{Level: id, Version: v})
	})
	languages := map[string]string{"s": "en", "d": "ko"}
	both("MailLayout", func(id string, v int64) error {
		layout := notify.Layout{Language: languages[id], Version: v, HTML: "<p>#{content}</p>"}
		return errOf(e.SaveMailLayout(ctx, p, sangdam.SaveMailLayout{Layout: layout}))
	}, func(id string, v int64) error {
		return e.DeleteMailLayout(ctx, p, sangdam.DeleteMailLayout{Language: languages[id], Version: v})
	})
	return out
}

// rivalsOfRules are those of targets, subscriptions, macros and triggers.
func rivalsOfRules(t *testing.T, d *ticketDesk) map[string]rival {
	e, ctx, p := d.eng, d.ctx, d.host
	out := map[string]rival{}
	both := func(kind string, save, del func(id string, version int64) error) {
		out["Save"+kind] = saved(t, func(v int64) error { return save("s", v) })
		out["Delete"+kind] = deleted(t, func(v int64) error { return save("d", v) }, func(v int64) error { return del("d", v) })
	}
	target := func(id string, v int64) error {
		return errOf(e.SaveTarget(ctx, p, sangdam.SaveTarget{Target: notify.Target{ID: notify.TargetID(id), Version: v, Kind: mail.Kind,
			Name: id, Settings: json.RawMessage(`{"host":"smtp.shop.example","encryption":"none","from":"help@shop.example"}`)}}))
	}
	both("Target", target, func(id string, v int64) error {
		return e.DeleteTarget(ctx, p, sangdam.DeleteTarget{Target: notify.TargetID(id), Version: v})
	})
	require.NoError(t, target("t", 0))
	both("Subscription", func(id string, v int64) error {
		return errOf(e.SaveSubscription(ctx, p, sangdam.SaveSubscription{Subscription: sangdam.Subscription{ID: id, Version: v, Name: id,
			Target: "t", Events: []string{"ticket.created"}}}))
	}, func(id string, v int64) error {
		return e.DeleteSubscription(ctx, p, sangdam.DeleteSubscription{Subscription: id, Version: v})
	})
	both("Macro", func(id string, v int64) error {
		return errOf(e.SaveMacro(ctx, p, sangdam.SaveMacro{Macro: sangdam.Macro{ID: id, Version: v, Title: id, Subject: "conversation",
			Actions: []trigger.Action{tag("x")}}}))
	}, func(id string, v int64) error {
		return e.DeleteMacro(ctx, p, sangdam.DeleteMacro{Macro: id, Version: v})
	})
	trig := func(id string, v int64) error {
		r := rule(trigger.ID(id), nil, tag("x"))
		r.Version, r.Active = v, false
		return errOf(e.SaveTrigger(ctx, p, sangdam.SaveTrigger{Trigger: r}))
	}
	both("Trigger", trig, func(id string, v int64) error {
		return e.DeleteTrigger(ctx, p, sangdam.DeleteTrigger{Trigger: trigger.ID(id), Version: v})
	})
	require.NoError(t, trig("w", 0))
	out["SwitchTrigger"] = rival{func() error { return trig("w", 1) }, func() error {
		return errOf(e.SwitchTrigger(ctx, p, sangdam.SwitchTrigger{Trigger: "w", Version: 1, Active: true}))
	}}
	list, err := e.Triggers(ctx, p, "conversation")
	require.NoError(t, err)
	var order []trigger.ID
	for _, tr := range list.Triggers {
		order = append(order, tr.ID)
	}
	ordered := func() error {
		slices.Reverse(order)
		return errOf(e.OrderTriggers(ctx, p, sangdam.OrderTriggers{Subject: "conversation", Order: order, Version: list.Version}))
	}
	out["OrderTriggers"] = rival{func() error { return nil }, ordered} // the other rules' rivals are in between
	return out
}

// rivalsOfTickets are those of tickets and of what they are made of.
func rivalsOfTickets(t *testing.T, d *ticketDesk) map[string]rival {
	e, ctx, p := d.eng, d.ctx, d.host
	had, err := e.TicketSetup(ctx, p)
	require.NoError(t, err)
	tree, fields := had.Trees[ticket.Intake].Version, had.Fields.Version
	body := sangdam.OpenTicket{Desk: "support", Body: "my number"}
	changed, handed, masked := d.open(body), d.open(body), d.open(body)
	var changes atomic.Int64 // two may save at once
	change := func(id ticket.ID) func() error {
		return func() error {
			title := fmt.Sprint("Title ", changes.Add(1))
			return errOf(e.UpdateTicket(ctx, p, sangdam.UpdateTicket{Ticket: id, Version: 1, Change: sangdam.TicketChange{Title: &title}}))
		}
	}
	field := func() error {
		code := fmt.Sprint("new", changes.Add(1))
		return errOf(e.SaveField(ctx, p, sangdam.SaveField{Version: fields,
			Field: ticket.Field{Code: code, Kind: ticket.AgentField, Type: ticket.Text, Names: named(code)}}))
	}
	category := func() error {
		return errOf(e.SaveCategory(ctx, p, sangdam.SaveCategory{Tree: ticket.Intake, Version: tree,
			Category: ticket.Category{Names: named("New")}}))
	}
	form := func() error {
		return errOf(e.SaveForm(ctx, p, sangdam.SaveForm{Form: ticket.Form{Category: d.refund, Version: 1, Fields: []string{"order"}}}))
	}
	nothing := func() error { return nil } // the command before this one is in between
	return map[string]rival{
		"SaveCategory": {category, category},
		"DeleteCategory": {nothing, func() error {
			return errOf(e.DeleteCategory(ctx, p, sangdam.DeleteCategory{Tree: ticket.Intake, Version: tree, Category: d.refund}))
		}},
		"SaveField": {field, field},
		"DeleteField": {nothing, func() error {
			return errOf(e.DeleteField(ctx, p, sangdam.DeleteField{Version: fields, Code: "cost"}))
		}},
		"SaveForm":     {form, form},
		"UpdateTicket": {change(changed), change(changed)},
		"HandOver": {change(handed), func() error {
			return errOf(e.HandOver(ctx, p, sangdam.HandOver{Ticket: handed, Version: 1, Target: "t"}))
		}},
		"MaskTicket": {change(masked), func() error {
			return errOf(e.MaskTicket(ctx, p, sangdam.MaskTicket{Ticket: masked, Version: 1, Part: ticket.BodyPart,
				Spans: []privacy.Span{{Start: 3, End: 9}}}))
		}},
	}
}

// rivalsOfTalk are those of conversations and customers.
func rivalsOfTalk(t *testing.T, d *ticketDesk) map[string]rival {
	e, ctx, p := d.eng, d.ctx, d.host
	d.online("a1")
	owned := d.begun(d.line.User("Mina"), "my number is 4111 1111 1111 1111, my name Mina")
	mask := func(m conversation.Message, words string) error {
		at := strings.Index(m.Content.Text, words)
		return errOf(e.MaskMessage(ctx, p, sangdam.MaskMessage{Message: m.ID, Version: m.Version,
			Spans: []privacy.Span{{Start: at, End: at + len(words)}}}))
	}
	m := d.saying("my number")
	person, err := e.SaveContact(ctx, p, sangdam.SaveContact{Contact: conversation.Contact{Name: "Jun"}})
	require.NoError(t, err)
	var changes atomic.Int64 // two may save at once
	panel := func() error {
		memo := fmt.Sprint("memo ", changes.Add(1))
		return errOf(e.SavePanel(ctx, p, sangdam.SavePanel{Conversation: owned.Conversation, Memo: memo}))
	}
	return map[string]rival{
		"MaskMessage": {func() error { return mask(m, "4111 1111 1111 1111") }, func() error { return mask(m, "Mina") }},
		"Unmask": {func() error { return nil }, func() error {
			masked := d.message(owned.Conversation, m.ID)
			require.Len(t, masked.Masks, 1)
			return errOf(e.Unmask(ctx, p, sangdam.Unmask{Place: sangdam.MaskedPlace{Message: m.ID, Mask: masked.Masks[0].ID},
				Version: m.Version, Reason: "asked", Confirm: true}))
		}},
		"SavePanel": {panel, panel},
		"EraseContact": {func() error {
			return errOf(e.SaveContact(ctx, p,
				sangdam.SaveContact{Contact: conversation.Contact{ID: person.Contact, Name: "Jun K."}, Version: person.Version}))
		}, func() error {
			return errOf(e.EraseContact(ctx, p,
				sangdam.EraseContact{Contact: person.Contact, Version: person.Version, Reason: "asked"}))
		}},
	}
}
