package sangdam_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/store"
)

// nobodies are principals that nobody made: what a host forgot to fill in.
func nobodies() map[string]sangdam.Principal {
	return map[string]sangdam.Principal{
		"zero":                     {},
		"no workspace":             sangdam.Host(""),
		"an agent of no workspace": sangdam.AgentPrincipal("", "a1", sangdam.RoleAdministrator),
		"no kind":                  {Workspace: ws, ID: "a1", Roles: []sangdam.Role{sangdam.RoleAdministrator}},
		"a kind of its own":        {Workspace: ws, Kind: "robot", ID: "r2"},
		"an agent of no id":        sangdam.AgentPrincipal(ws, "", sangdam.RoleAdministrator),
	}
}

// allowing is a host's policy that asks nothing.
func allowing(c *sangdam.Config) {
	c.Policy = sangdam.PolicyFunc(func(context.Context, sangdam.Who, sangdam.Action, sangdam.Resource) error { return nil })
}

// A principal that nobody made may do nothing and see nothing, whatever the host's
// policy says, and every command and query says how one is made.
func TestAPrincipalThatNobodyMadeIsToldHowOneIsMade(t *testing.T) {
	var o outside
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		a := w.askable(&o)
		for name, nobody := range nobodies() {
			told := func(err error, what string) {
				require.ErrorIs(t, err, sangdam.ErrPermissionDenied, "%s: %s", name, what)
				require.ErrorContains(t, err, "sangdam.Host", "%s: %s", name, what)
				require.ErrorContains(t, err, "sangdam.AgentPrincipal", "%s: %s", name, what)
			}
			for _, op := range commands() {
				told(w.carryOut(op, nobody, ""), op.Method)
			}
			for _, op := range queries() {
				var err error
				if op.Method == "Stream" {
					for _, err = range w.eng.Stream(w.ctx, nobody, a.cursor) { //nolint:revive // it ends with the refusal
					}
				} else {
					_, err = w.query(op, nobody, a)
				}
				told(err, op.Method)
			}
		}
	}, withOutside(&o), withStream(asking), withConfig(allowing))
}

// The same in a transaction of the host's, in which nothing was written then.
func TestAPrincipalThatNobodyMadeIsToldSoInAHostsTransaction(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		joined := w.eng.Join(store.Host{Run: w.db.Update, Announce: func() {}})
		for m := range reflect.TypeFor[*sangdam.Joined]().Methods() {
			if !takesPrincipal(m) {
				continue
			}
			for name, nobody := range nobodies() {
				out := reflect.ValueOf(joined).MethodByName(m.Name).Call([]reflect.Value{reflect.ValueOf(w.ctx), reflect.ValueOf(nobody),
					reflect.Zero(m.Type.In(3))})
				err, _ := out[len(out)-1].Interface().(error)
				require.ErrorIs(t, err, sangdam.ErrPermissionDenied, "%s: %s", name, m.Name)
				require.ErrorContains(t, err, "sangdam.AgentPrincipal", "%s: %s", name, m.Name)
			}
		}
	}, withConfig(allowing))
}
