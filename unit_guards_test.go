package sangdam

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// TestWhatADecisionRestsOnIsGuarded: a unit that decided by a row which it does
// not write, and that a rival changed meanwhile, runs again on what is true then.
// Where one transaction follows another the rival waits.
func TestWhatADecisionRestsOnIsGuarded(t *testing.T) {
	eachKernel(t, func(t *testing.T, e *Engine) {
		require.NoError(t, e.db.Update(t.Context(), "w", func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: "a", Name: "A",
				Permissions: []routing.Permission{routing.PermitTicket}, Assign: routing.AssignmentSwitches{Ticket: true}}); err != nil {
				return err
			}
			_, err := tx.Work().SaveItem(ctx, routing.Item{ID: "c", State: routing.ItemQueued, Queue: "q"})
			return err
		}))
		serial := strings.HasSuffix(t.Name(), "/sqlite")
		for name, tc := range map[string]struct {
			decide func(u *unit) error
			rival  func(ctx context.Context, tx store.Tx) error
		}{
			"conversation": {
				func(u *unit) error { _, err := u.draft("c", ActRead); return err },
				func(ctx context.Context, tx store.Tx) error {
					c, err := tx.Conversations().Conversation(ctx, "c")
					if err == nil {
						_, err = tx.Conversations().SaveConversation(ctx, c)
					}
					return err
				},
			},
			"contact": {
				func(u *unit) error { _, err := u.contact("k", ActContact); return err },
				func(ctx context.Context, tx store.Tx) error {
					c, err := tx.Contacts().Contact(ctx, "k")
					if err == nil {
						_, err = tx.Contacts().SaveContact(ctx, c)
					}
					return err
				},
			},
			"item": {
				func(u *unit) error {
					_, has := (&pulledConversation{u: u, now: conversation.Conversation{ID: "c"}}).Fact("queue")
					require.True(t, has)
					return nil
				},
				func(ctx context.Context, tx store.Tx) error {
					it, err := tx.Work().Item(ctx, "c")
					if err == nil {
						_, err = tx.Work().SaveItem(ctx, it)
					}
					return err
				},
			},
			"agent": {
				func(u *unit) error { return u.takesTickets("a") },
				func(ctx context.Context, tx store.Tx) error {
					a, err := tx.Agents().Agent(ctx, "a")
					if err == nil {
						a.Assign.Chat = !a.Assign.Chat
						_, err = tx.Agents().SaveAgent(ctx, a)
					}
					return err
				},
			},
		} {
			t.Run(name, func(t *testing.T) {
				runs := 0
				rival := make(chan error, 1)
				require.NoError(t, e.unit(t.Context(), Host("w"), func(u *unit) error {
					if err := tc.decide(u); err != nil {
						return err
					}
					if runs++; runs == 1 {
						go func() { rival <- e.db.Update(context.Background(), "w", tc.rival) }()
						if !serial {
							rival <- <-rival // it was first
						}
					}
					return u.tx.Deadlines().Set(u.ctx, "a_test", "x", u.tx.Now())
				}))
				require.NoError(t, <-rival)
				if !serial {
					require.Equal(t, 2, runs)
				}
			})
		}
	})
}

// TestADecisionRestsOnTheLease: who leads the routing no more carries nothing out,
// also where no agent is concerned.
func TestADecisionRestsOnTheLease(t *testing.T) {
	eachKernel(t, func(t *testing.T, e *Engine) {
		require.NoError(t, e.db.Update(t.Context(), "w", func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Work().SaveItem(ctx, routing.Item{ID: "c", State: routing.ItemQueued, Queue: "q"})
			return err
		}))
		epoch, err := e.db.System().Lease(t.Context(), "router/w", "n1", time.Hour)
		require.NoError(t, err)
		relax := func(epoch, version int64) error {
			return e.unit(t.Context(), system("w"), func(u *unit) error {
				return u.carryOut(routing.Decision{Kind: routing.DecideRelax, Item: "c", ItemVersion: version}, "router/w", epoch)
			})
		}
		require.NoError(t, relax(epoch, 1))
		require.ErrorIs(t, relax(epoch+1, 2), ErrConflict)
		require.NoError(t, relax(epoch, 2))
	})
}
