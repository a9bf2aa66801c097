package sangdam_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
)

// takesPrincipal says whether an exported method of the Engine acts for
// somebody.
func takesPrincipal(m reflect.Method) bool {
	for i := 1; i < m.Type.NumIn(); i++ {
		if m.Type.In(i) == reflect.TypeFor[sangdam.Principal]() {
			return true
		}
	}
	return false
}

// Whatever acts for a principal is in the table: every command, which takes a key,
// and its struct says so, and every query, which takes none.
func TestEveryCommandIsAnOperationWithAKey(t *testing.T) {
	engine := reflect.TypeFor[*sangdam.Engine]()
	names, methods := map[string]bool{}, map[string]bool{}
	for _, op := range commands() {
		require.False(t, names[op.Name], "two operations are called %s", op.Name)
		names[op.Name], methods[op.Method] = true, true
		require.NotEmpty(t, op.Actions, "%s has no rule", op.Name)
		require.NotEmpty(t, op.Resources, "%s is about no kind of record", op.Name)
		m, ok := engine.MethodByName(op.Method)
		require.True(t, ok, "%s: there is no method %s", op.Name, op.Method)
		body := m.Type.In(m.Type.NumIn() - 1)
		require.Equal(t, reflect.Struct, body.Kind(), "%s takes its command as a struct", op.Method)
		key, has := body.FieldByName("Key")
		require.True(t, op.Keyed && has && key.Type == reflect.TypeFor[sangdam.Key](), "%s takes a key", op.Method)
		require.Equal(t, "-", key.Tag.Get("json"), "%s: the key is no part of what it is compared by", op.Method)
	}
	asks := map[string]bool{}
	for _, op := range queries() {
		require.False(t, names[op.Name], "two operations are called %s", op.Name)
		names[op.Name], asks[op.Method] = true, true
		require.True(t, len(op.Actions) > 0 || op.Method == "May", "%s has no rule", op.Name)
		require.NotEmpty(t, op.Resources, "%s is about no kind of record", op.Name)
		require.False(t, op.Keyed || op.Versioned, op.Name)
	}
	for m := range engine.Methods() {
		if !takesPrincipal(m) {
			require.False(t, asks[m.Name], "%s takes no principal", m.Name)
			continue
		}
		require.NotEqual(t, methods[m.Name], asks[m.Name], "%s is a command or a query of the table", m.Name)
		last := m.Type.In(m.Type.NumIn() - 1)
		keyed := false
		if last.Kind() == reflect.Struct {
			_, keyed = last.FieldByName("Key")
		}
		require.Equal(t, methods[m.Name], keyed, "%s takes a key if and only if it is an operation", m.Name)
	}
}

// A command whose body never asks the policy has no effect, whoever gives it, and its
// key stays free.
func TestACommandThatForgetsToAskHasNoEffect(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		seq := w.lastAudited()
		for range 2 {
			err := sangdam.Forget(w.ctx, w.eng, w.host, "k")
			require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
			require.ErrorContains(t, err, "quick_reply.save did not ask whether it is allowed")
		}
		replies, err := w.eng.QuickReplies(w.ctx, w.host, "")
		require.NoError(t, err)
		require.Empty(t, replies)
		require.Equal(t, seq, w.lastAudited())
		require.NoError(t, errOf(w.eng.SaveQuickReply(w.ctx, w.host, sangdam.SaveQuickReply{Key: "k",
			Reply: sangdam.QuickReply{ID: "r", Title: "r", Texts: map[string]string{"en": "Hello"}}})))
	})
}

// A command whose body asks for what the table does not name, or only whether it may
// read, has no effect.
func TestACommandAsksForWhatTheTableSays(t *testing.T) {
	inWorld(t, func(w *world) {
		reply := sangdam.Resource{Kind: "quick_reply", ID: "r"}
		require.NoError(t, sangdam.AskElse(w.ctx, w.eng, w.host, sangdam.ActConfigure, reply))
		for _, c := range []struct {
			a sangdam.Action
			r sangdam.Resource
		}{{sangdam.ActOperate, reply}, {sangdam.ActConfigure, sangdam.Resource{Kind: "desk", ID: "support"}}, {sangdam.ActRead, reply}} {
			err := sangdam.AskElse(w.ctx, w.eng, w.host, c.a, c.r)
			require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
			require.ErrorContains(t, err, "quick_reply.save asked for "+string(c.a)+" about a record of the kind "+c.r.Kind)
		}
	})
}

// Every command that replaces something brings the version that the caller saw.
func TestEveryCommandThatReplacesTakesAVersion(t *testing.T) {
	engine := reflect.TypeFor[*sangdam.Engine]()
	for _, op := range commands() {
		m, _ := engine.MethodByName(op.Method)
		body := m.Type.In(m.Type.NumIn() - 1)
		versioned := false
		for _, f := range reflect.VisibleFields(body) {
			if f.Name == "Version" {
				versioned = true
			} else if f.Type.Kind() == reflect.Struct && strings.HasPrefix(op.Method, "Save") {
				_, inside := f.Type.FieldByName("Version")
				versioned = versioned || inside
			}
		}
		require.Equal(t, op.Versioned, versioned, op.Method)
	}
}

// One key over two commands whose bodies encode alike is a conflict, not a
// success without effect.
func TestOneKeyOverTwoCommandsIsAConflict(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w).Conversation
		_, err := w.eng.Wait(w.ctx, w.host, sangdam.Wait{Key: "wait", Conversation: c})
		require.NoError(t, err)
		_, err = w.eng.End(w.ctx, w.host, sangdam.End{Key: "wait", Conversation: c})
		require.ErrorIs(t, err, sangdam.ErrConflict, "end with the key of a wait")

		_, err = w.eng.End(w.ctx, w.host, sangdam.End{Conversation: c, Final: true})
		require.NoError(t, err)
		a1 := w.agent("a1")
		_, err = w.eng.Reopen(w.ctx, a1, sangdam.Reopen{Key: "reopen", Conversation: c})
		require.NoError(t, err)
		_, err = w.eng.Pick(w.ctx, a1, sangdam.Pick{Key: "reopen", Conversation: c})
		require.ErrorIs(t, err, sangdam.ErrConflict, "pick with the key of a reopening")

		w.settle()
		offer := w.detail(c).Offer
		require.NotNil(t, offer)
		_, err = w.eng.Accept(w.ctx, w.agent(offer.Agent), sangdam.Accept{Key: "accept", Offer: offer.ID})
		require.NoError(t, err)
		err = w.eng.Decline(w.ctx, w.agent(offer.Agent), sangdam.Decline{Key: "accept", Offer: offer.ID})
		require.ErrorIs(t, err, sangdam.ErrConflict, "decline with the key of an acceptance")
		require.Equal(t, offer.Agent, w.detail(c).Conversation.Agent)
	}, withStream(func(s *routing.WorkStream) { s.ReopenFor, s.OfferFor = 1<<40, 1<<40 }))
}
