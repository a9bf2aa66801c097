package sangdam_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
)

// Two administrators who have read the same press at one moment, whatever it is that
// they save: one of them is obeyed, and the other is told that it was changed or, where
// the first took it away, that it is gone. Never are both obeyed, and never neither.
func TestOfTwoWhoSaveAtOnceOneIsTold(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		all := rivalsOfSetUp(w.world)
		for _, more := range []map[string]rival{rivalsOfTexts(t, d), rivalsOfTickets(t, d), rivalsOfRules(t, d), rivalsOfTalk(t, d)} {
			maps.Copy(all, more)
		}
		o.project(w.world)
		fresh := freshRivals(t, d)
		for _, method := range slices.Sorted(maps.Keys(all)) {
			if _, is := fresh[method]; !is {
				all[method].atOnce(t, method)
			}
		}
		for _, method := range slices.Sorted(maps.Keys(fresh)) {
			fresh[method]().atOnce(t, method)
		}
	}, withProject(&o))
}

// freshRivals are those of commands that replace something of which the rivals that give
// the same commands one after another have made another version by now: each is made of
// what is there when it is called.
func freshRivals(t *testing.T, d *ticketDesk) map[string]func() rival {
	e, ctx, p := d.eng, d.ctx, d.host
	both := func(do func() error) rival { return rival{do, do} }
	return map[string]func() rival{
		"Apply": func() rival {
			planned, names := d.configuration().Version, make(chan string, 2)
			names <- "One"
			names <- "Another"
			return both(func() error {
				desk := sangdam.SetupDesk{Desk: routing.Desk{ID: "new", Name: <-names}, Members: []routing.AgentID{"a1"}}
				return errOf(e.Apply(ctx, p, sangdam.Apply{Version: planned, Setup: sangdam.Setup{Desks: []sangdam.SetupDesk{desk}}}))
			})
		},
		"DeleteAccount": func() rival {
			a := channel.Account{ID: "gone", Kind: "line", Name: "Gone", Desk: "support", WorkStream: "line",
				Settings: d.acct.Settings, Secrets: map[string]channel.Secret{"channel_secret": channel.NewSecret(d.line.ChannelSecret()),
					"channel_token": channel.NewSecret(d.line.ChannelToken())}}
			saved, err := e.SaveAccount(ctx, p, sangdam.SaveAccount{Account: a})
			require.NoError(t, err)
			renamed := saved.Account
			renamed.Name = "Kept"
			return rival{func() error { // two who delete it are both obeyed: it is gone for both
				return e.DeleteAccount(ctx, p, sangdam.DeleteAccount{Account: "gone", Version: saved.Version})
			}, func() error { return errOf(e.SaveAccount(ctx, p, sangdam.SaveAccount{Account: renamed})) }}
		},
		"OrderTriggers": func() rival {
			list, err := e.Triggers(ctx, p, "conversation")
			require.NoError(t, err)
			order := []trigger.ID{}
			for _, tr := range slices.Backward(list.Triggers) {
				order = append(order, tr.ID)
			}
			return both(func() error {
				return errOf(e.OrderTriggers(ctx, p, sangdam.OrderTriggers{Subject: "conversation", Order: order, Version: list.Version}))
			})
		},
		"DeleteCategory": func() rival {
			had, err := e.TicketSetup(ctx, p)
			require.NoError(t, err)
			return both(func() error {
				return errOf(e.DeleteCategory(ctx, p, sangdam.DeleteCategory{Tree: ticket.Intake, Category: d.refund,
					Version: had.Trees[ticket.Intake].Version}))
			})
		},
		"DeleteField": func() rival {
			had, err := e.TicketSetup(ctx, p)
			require.NoError(t, err)
			return both(func() error {
				return errOf(e.DeleteField(ctx, p, sangdam.DeleteField{Version: had.Fields.Version, Code: "cost"}))
			})
		},
		"HandOver": func() rival {
			id := d.open(sangdam.OpenTicket{Desk: "support", Body: "the lamp"})
			return both(func() error {
				return errOf(e.HandOver(ctx, p, sangdam.HandOver{Ticket: id, Version: 1, Target: "shop"}))
			})
		},
		"Unmask": func() rival { return both(d.unmasking(t)) },
	}
}

// unmasking masks what a customer says and returns the command that takes the mask off.
func (d *ticketDesk) unmasking(t *testing.T) func() error {
	owned := d.begun(d.line.User("Sora"), "the code is 1234")
	said := d.detail(owned.Conversation).Messages
	m := said[slices.IndexFunc(said, func(m conversation.Message) bool { return strings.HasPrefix(m.Content.Text, "the code") })]
	require.NoError(t, errOf(d.eng.MaskMessage(d.ctx, d.host, sangdam.MaskMessage{Message: m.ID, Version: m.Version,
		Spans: []privacy.Span{{Start: 12, End: 16}}})))
	masked := d.message(owned.Conversation, m.ID)
	require.Len(t, masked.Masks, 1)
	return func() error {
		return errOf(d.eng.Unmask(d.ctx, d.host, sangdam.Unmask{Place: sangdam.MaskedPlace{Message: m.ID, Mask: masked.Masks[0].ID},
			Version: masked.Version, Reason: "asked", Confirm: true}))
	}
}

func (r rival) atOnce(t *testing.T, method string) {
	t.Helper()
	var errs [2]error
	var both sync.WaitGroup
	start := make(chan struct{})
	for i, do := range []func() error{r.first, r.second} {
		both.Go(func() {
			<-start
			errs[i] = do()
		})
	}
	close(start)
	both.Wait()
	told := errors.Join(errs[:]...)
	assert.Error(t, told, "%s: both were obeyed", method)
	assert.True(t, errs[0] == nil || errs[1] == nil, "%s: nobody was obeyed: %v", method, told)
	assert.True(t, errors.Is(told, sangdam.ErrStale) || errors.Is(told, sangdam.ErrNotFound), "%s: %v", method, told)
}
