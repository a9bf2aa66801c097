package sangdam_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/dooray"
	"github.com/sangdam/sangdam/notify/dooray/dooraytest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// withProject gives the engine a carrier of tasks that leads to the emulator.
func withProject(o *outside) worldOption {
	return func(w *world, s *routing.WorkStream, q *routing.Queue, d *routing.Desk) {
		withOutside(o)(w, s, q, d)
		o.room.Key("all-key", "boss")
		o.room.Key("a1-key", "kim")
		w.cfg.Carriers = append(w.cfg.Carriers, dooray.NewTasks(dooray.Options{Transport: o.room.Transport()}))
		w.cfg.ConsoleURL = "https://desk.example.com"
	}
}

var hookSecret = strings.Repeat("s3cret-", 4)

func (o *outside) project(w *world) {
	require.NoError(w.t, errOf(w.eng.SaveTarget(w.ctx, w.host, sangdam.SaveTarget{Target: notify.Target{ID: "shop", Kind: dooray.KindTask,
		Name:     "Shop project",
		Settings: json.RawMessage(`{"project":"4000"}`), Secrets: map[string]channel.Secret{dooray.SecretKey: channel.NewSecret("all-key"),
			dooray.SecretKeyOf + "a1": channel.NewSecret("a1-key"), notify.SecretHook: channel.NewSecret(hookSecret)}}})))
}

// reportTo posts what Dooray tells, and returns the status.
func (w *world) reportTo(path string, body []byte) int {
	rec := httptest.NewRecorder()
	w.eng.TargetHooks().ServeHTTP(rec, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body)))
	return rec.Code
}

// TestATicketIsHandedOverAsATask in the agent's name; what becomes of the task
// comes back, once, and moves the ticket as long as nobody took it back.
func TestATicketIsHandedOverAsATask(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		o.project(w.world)
		w.saveAgent(routing.Agent{ID: "a1", Name: "Kim", Role: "agent", Permissions: []routing.Permission{routing.PermitTicket,
			routing.PermitHandOver},
			Capacity: map[routing.Profile]int{routing.ProfileUnits: 2}, Assign: routing.AssignmentSwitches{Ticket: true}})
		id := d.open(sangdam.OpenTicket{Desk: "support", Agent: "a1", Body: "It does not <light>",
			Fields: map[string]ticket.Value{"card": {Text: "4111"}}})
		over := sangdam.HandOver{Key: "k", Ticket: id, Version: 1, Target: "shop", Note: "Please look"}
		require.ErrorIs(t, errOf(w.eng.HandOver(w.ctx, w.agent("a2"), over)), sangdam.ErrPermissionDenied)
		require.ErrorIs(t, errOf(w.eng.Receivers(w.ctx, w.agent("a2"))), sangdam.ErrPermissionDenied)
		offered, err := w.eng.Receivers(w.ctx, w.agent("a1"))
		require.NoError(t, err)
		require.Equal(t, []notify.Target{{ID: "shop", Kind: dooray.KindTask, Name: "Shop project"}}, offered)
		for range 2 {
			require.NoError(t, errOf(w.eng.HandOver(w.ctx, w.agent("a1"), over)))
		}
		w.settle()
		tasks := o.room.Tasks()
		require.Len(t, tasks, 1)
		require.Equal(t, []string{"kim", "[#1] Lamp broken"}, []string{tasks[0].By, tasks[0].Subject})
		require.Contains(t, tasks[0].Body.Content, "Please look<br>")
		require.Contains(t, tasks[0].Body.Content, "&lt;light&gt;")
		require.Contains(t, tasks[0].Body.Content, "https://desk.example.com/tickets/"+string(id))
		require.NotContains(t, tasks[0].Body.Content, "4111")
		got := d.read(id).Ticket
		require.Equal(t, []any{ticket.HandedOver, "shop/" + tasks[0].ID}, []any{got.State, got.HandedTo})

		path, task := "/hooks/"+string(w.host.Workspace)+"/shop/", tasks[0].ID
		require.Equal(t, http.StatusNotFound, w.reportTo(path+"guessed", dooraytest.Moved(task, "closed")))
		require.Equal(t, http.StatusBadRequest, w.reportTo(path+hookSecret, []byte("{}")))
		require.Equal(t, http.StatusOK, w.reportTo(path+hookSecret, dooraytest.Moved("1", "closed")), "a task that nobody knows")
		for range 2 {
			require.Equal(t, http.StatusOK, w.reportTo(path+hookSecret, dooraytest.Commented(task, "9", "Lee", "<p>We have one</p>")))
			require.Equal(t, http.StatusOK, w.reportTo(path+hookSecret, dooraytest.Moved(task, "closed")))
		}
		detail := d.read(id)
		require.Equal(t, ticket.Solved, detail.Ticket.State)
		var said []string
		for _, e := range detail.Entries {
			if e.Text != "" {
				said = append(said, string(e.Kind)+" "+e.Text)
			}
		}
		require.Equal(t, []string{"commented Lee: We have one"}, said)
		require.Equal(t, http.StatusOK, w.reportTo(path+hookSecret, dooraytest.Moved(task, "working")))
		require.Equal(t, ticket.HandedOver, d.read(id).Ticket.State)
		require.NoError(t, d.update(w.agent("a1"), id, sangdam.TicketChange{State: ptr(ticket.InProgress)}, nil))
		require.Equal(t, http.StatusOK, w.reportTo(path+hookSecret, dooraytest.Moved(task, "closed")))
		require.Equal(t, ticket.InProgress, d.read(id).Ticket.State, "it was taken back")
		d.replays(id)
	}, withProject(&o))
}

// TestAHandOverThatIsRefused brings the ticket back with a comment; a pause keeps
// all links and refuses new hand-overs; one whose outcome is unknown stays, and
// is not made twice.
func TestAHandOverThatIsRefused(t *testing.T) {
	var o outside
	inTickets(t, func(d *ticketDesk) {
		o.project(d.world)
		o.targets(d.world)
		hand := func(id ticket.ID, target notify.TargetID) error {
			return errOf(d.eng.HandOver(d.ctx, d.host, sangdam.HandOver{Ticket: id, Version: d.read(id).Ticket.Version, Target: target}))
		}
		refused, lost := d.open(sangdam.OpenTicket{Agent: "a1"}), d.open(sangdam.OpenTicket{})
		require.ErrorIs(t, hand(refused, "room"), sangdam.ErrUnsupported, "a room takes no tickets")
		o.room.Fail(dooraytest.Fault{Status: 401})
		require.NoError(t, hand(refused, "shop"))
		away := d.open(sangdam.OpenTicket{})
		require.NoError(t, d.update(d.host, away, sangdam.TicketChange{State: ptr(ticket.HandedOver)}, nil))
		require.ErrorIs(t, hand(away, "shop"), sangdam.ErrConflict)
		d.settle()
		got := d.read(refused)
		require.Equal(t, ticket.InProgress, got.Ticket.State)
		require.Contains(t, got.Entries[len(got.Entries)-1].Text, "refused")
		o.room.Fail(dooraytest.Fault{Lost: true})
		require.NoError(t, hand(lost, "shop"))
		d.settle()
		d.hours(3)
		require.Len(t, o.room.Tasks(), 1, "it is not made again")
		require.Equal(t, ticket.HandedOver, d.read(lost).Ticket.State)
		require.NoError(t, d.update(d.host, lost, sangdam.TicketChange{HandedTo: ptr("shop/" + o.room.Tasks()[0].ID)}, nil),
			"a person looked")

		target := d.target("shop")
		target.Disabled = true
		require.NoError(t, errOf(d.eng.SaveTarget(d.ctx, d.host, sangdam.SaveTarget{Target: target})))
		require.ErrorIs(t, hand(refused, "shop"), sangdam.ErrUnsupported)
		path := "/" + string(d.host.Workspace) + "/shop/" + hookSecret
		require.Equal(t, http.StatusOK, d.reportTo(path, dooraytest.Moved(o.room.Tasks()[0].ID, "closed")))
		require.Equal(t, ticket.Solved, d.read(lost).Ticket.State, "links are kept during a pause")
		for _, bad := range []string{"/", "/x/y/" + hookSecret, "/" + string(d.host.Workspace) + "/room/" + hookSecret,
			strings.Repeat("/a", 4000) + "/b/c/d"} {
			require.Equal(t, http.StatusNotFound, d.reportTo(bad, dooraytest.Moved("1", "closed")), bad)
		}
		require.Equal(t, http.StatusRequestEntityTooLarge, d.reportTo(path, bytes.Repeat([]byte(" "), 2<<20)))
		rec := httptest.NewRecorder()
		d.eng.TargetHooks().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusMethodNotAllowed, rec.Code)
	}, withProject(&o))
}
