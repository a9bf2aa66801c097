package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// journal prints what happens, one line each: ids and kinds, never what
// somebody wrote.
type journal struct {
	mu     sync.Mutex
	w      io.Writer
	errors io.Writer
}

// note prints a line for people.
func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintf(j.w, format+"\n", args...) //nolint:errcheck // nobody listens: nothing to do about it
}

// event prints a line with the time.
func (j *journal) event(what, format string, args ...any) {
	j.note("%s %-12s %s", time.Now().Format("15:04:05.000"), what, fmt.Sprintf(format, args...))
}

// logger prints the library's warnings as errors of this program.
func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j.errors, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// hooks print what the engine tells as it happens.
func (j *journal) hooks() sangdam.Hooks {
	return sangdam.Hooks{
		Received: func(_ store.WorkspaceID, acct channel.AccountID, events, fresh int) {
			j.event("received", "account=%s events=%d new=%d", acct, events, fresh)
		},
		Quarantined: func(_ store.WorkspaceID, acct channel.AccountID, reason string) {
			j.event("quarantined", "account=%s reason=%q", acct, reason)
		},
		Offered: func(_ store.WorkspaceID, o routing.Offer) {
			what := "offered"
			if o.State != routing.OfferPending {
				what = "offer " + string(o.State)
			}
			j.event(what, "conversation=%s agent=%s offer=%s", o.Item, o.Agent, o.ID)
		},
		Assigned: func(_ store.WorkspaceID, a routing.Assignment) {
			j.event("assigned", "conversation=%s agent=%s", a.Item, a.Agent)
		},
		Sent: func(_ store.WorkspaceID, acct channel.AccountID, route string, state channel.OutboxState, reason channel.Reason) {
			what := string(state)
			if state == channel.OutboxQueued {
				what = "will repeat"
			}
			line := fmt.Sprintf("account=%s route=%s", acct, route)
			if reason != "" {
				line += " reason=" + string(reason)
			}
			j.event(what, "%s", line)
		},
	}
}

// follow prints what changes in conversations, as the feed tells it, from now
// until ctx ends. A read that fails is tried again: a store that is away for a
// moment must not end the desk. Of several failures in a row one is told.
func (j *journal) follow(ctx context.Context, eng *sangdam.Engine) {
	hints, stop := eng.Watch()
	defer stop()
	cursor, failing := "", false
	for ctx.Err() == nil {
		events, next, err := eng.Events(ctx, host(), cursor, 200)
		switch {
		case errors.Is(err, store.ErrCursorGone):
			cursor = "" // what lies between is in the conversations
			continue
		case err != nil:
			if !failing && ctx.Err() == nil {
				j.logger().Warn("what happens cannot be followed for now", "error", err)
			}
			failing = true
			pause(ctx, nil, time.Second)
			continue
		}
		failing = false
		for _, ev := range events {
			j.change(ctx, eng, ev)
		}
		cursor = next
		if len(events) == 0 {
			pause(ctx, hints, time.Second)
		}
	}
}

// change prints an event of a conversation that no hook has told.
func (j *journal) change(ctx context.Context, eng *sangdam.Engine, ev store.Event) {
	if ev.Aggregate != "conversation" {
		return
	}
	switch conversation.EventKind(ev.Kind) {
	case conversation.EvOpened, conversation.EvReopened, conversation.EvQueued, conversation.EvUnsend, conversation.EvEdit:
		j.event(ev.Kind, "conversation=%s by=%s", ev.ID, ev.Actor)
	case conversation.EvState:
		j.event("state", "conversation=%s by=%s", ev.ID, ev.Actor)
	case conversation.EvMessage:
		j.event(j.said(ctx, eng, ev), "conversation=%s message=%s", ev.ID, ev.Ref)
	}
}

// said names what kind of message an event is about.
func (j *journal) said(ctx context.Context, eng *sangdam.Engine, ev store.Event) string {
	switch {
	case ev.Actor == "customer":
		return "wrote"
	case ev.Actor != "system":
		return "answered"
	}
	at, err := eng.Transcript(ctx, host(), conversation.ID(ev.ID), ev.Version-1, 1)
	if err != nil || len(at) == 0 {
		return "automated"
	}
	switch at[0].Automated {
	case automated.Greeting:
		return "greeted"
	case automated.Away, automated.Holiday:
		return "told away"
	case automated.Ended:
		return "said goodbye"
	}
	return "automated"
}

// pause waits for a hint, for at most d, or for the end.
func pause(ctx context.Context, hints <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-hints:
	case <-t.C:
	}
}
