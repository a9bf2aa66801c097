package sangdam_test

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/trigger/condition"
)

// TestScripts runs the readable specification in testdata: one command a line,
// and what it leads to. Regenerate with go test -run TestScripts -rewrite .
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			var options []worldOption
			switch name := filepath.Base(path); {
			case strings.HasPrefix(name, "hours"):
				options = append(options, withDesk(func(d *routing.Desk) { d.Hours = &weekdays }))
			case strings.HasPrefix(name, "bot"):
				options = append(options, withStream(func(s *routing.WorkStream) { s.Bot = "intake" }), withConfig(func(c *sangdam.Config) {
					c.Bots = []bot.Bot{bot.Script{ID: "intake", Greeting: "I am a bot.", Question: "Your order number?", Field: "order",
						Thanks: "A person will help."}}
				}))
			case strings.HasPrefix(name, "wrapup"):
				options = append(options, withStream(func(s *routing.WorkStream) { s.WrapUp = time.Minute }))
			case strings.HasPrefix(name, "waiting"):
				options = append(options, withStream(func(s *routing.WorkStream) { s.KeepAgentFor, s.ReopenFor = time.Minute, time.Hour }))
			case strings.HasPrefix(name, "recent"):
				options = append(options, withStream(func(s *routing.WorkStream) { s.RecentAgentWithin = time.Hour }))
			case strings.HasPrefix(name, "rules"):
				options = append(options, withStream(func(s *routing.WorkStream) {
					high := 10
					s.Rules = []routing.Rule{{Name: "refunds first",
						When:     condition.Condition{All: []condition.Clause{{Field: "message", Op: condition.Contains, Value: "refund"}}},
						Priority: &high}}
				}))
			case strings.HasPrefix(name, "autoclose"):
				options = append(options, withStream(func(s *routing.WorkStream) { s.AutoClose = time.Hour }))
			case strings.HasPrefix(name, "overflow"):
				options = append(options, withQueue(func(q *routing.Queue) {
					q.Overflow = []routing.Overflow{{When: routing.OverflowWait, After: time.Minute, Do: routing.OverflowMessage,
						Message: automated.Away}}
				}))
			}
			var o outside
			if strings.HasPrefix(filepath.Base(path), "ticket") {
				options = append(options, withOutside(&o))
			}
			inWorld(t, func(w *world) {
				s := &script{w: w, seen: map[conversation.ID]int64{}, phone: map[string]int{}, names: map[string]string{},
					routes: strings.HasPrefix(filepath.Base(path), "delivery") || strings.HasPrefix(filepath.Base(path), "reply")}
				if strings.HasPrefix(filepath.Base(path), "ticket") {
					o.targets(w)
					s.tickets = withTicketDesk(t, w)
					s.tickets.out = &o
				}
				datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.run(d.Input) })
			}, options...)
		})
	}
}

// weekdays are 09:00 to 18:00 in UTC, with New Year's Day off: the bubble's
// clock begins on Saturday, 2000-01-01.
var weekdays = hours.Calendar{Zone: "UTC",
	Week: hours.Every([]hours.Interval{{From: 9 * 60, To: 18 * 60}}, time.Monday, time.Tuesday, time.Wednesday, time.Thursday,
		time.Friday),
	Exceptions: []hours.Exception{{From: hours.Date{Year: 2000, Month: 1, Day: 5}, To: hours.Date{Year: 2000, Month: 1, Day: 5},
		Name: "closed", Holiday: true}}}

// script performs commands and tells what they led to.
type script struct {
	w      *world
	known  []conversation.ID // c1, c2, … in the order of appearance
	seen   map[conversation.ID]int64
	phone  map[string]int
	users  []string
	names  map[string]string // ids to short names: m1, o1, …
	posted map[string]linetest.Posted
	beats  bool // online agents' consoles live
	// tickets is set where the script is about them.
	tickets *ticketScript
	routes  bool // tell how messages came: where it does not depend on who was first
}

func (s *script) run(input string) string {
	var out strings.Builder
	for line := range strings.Lines(input) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fmt.Fprintf(&out, "> %s\n", line)
		if err := s.command(line); err != nil {
			fmt.Fprintf(&out, "error: %s\n", s.short(kind(err)+": "+err.Error()))
		}
		s.w.settle()
		s.report(&out)
	}
	return out.String()
}

func kind(err error) string {
	for _, k := range []error{sangdam.ErrNotFound, sangdam.ErrStale, sangdam.ErrConflict, sangdam.ErrAlreadyExists, sangdam.ErrInvalid,
		sangdam.ErrPermissionDenied, sangdam.ErrUnsupported, sangdam.ErrUnavailable} {
		if errors.Is(err, k) {
			return k.Error()
		}
	}
	return "other"
}

// command performs one line: WHO VERB ARGUMENTS, or a verb of the world.
func (s *script) command(line string) error {
	w := s.w
	who, rest, _ := strings.Cut(line, " ")
	verb, arg, _ := strings.Cut(rest, " ")
	text, _ := strconv.Unquote(arg)
	switch {
	case who == "clock":
		d, err := time.ParseDuration(strings.TrimPrefix(rest, "+"))
		if err != nil {
			return err
		}
		s.passBeating(d)
		return nil
	case who == "later": // the clock alone, for days
		d, err := time.ParseDuration(strings.TrimPrefix(rest, "+"))
		if err != nil {
			return err
		}
		w.jump(d)
		w.pass(2 * time.Minute)
		return nil
	case who == "restart":
		w.restart()
		return nil
	case who == "fault":
		endpoint, k, _ := strings.Cut(rest, " ")
		w.line.AddFault(linetest.Fault{Endpoint: endpoint, Kind: linetest.FaultKind(k), Nth: 1})
		return nil
	case who == "hold":
		w.line.Hold()
		return nil
	case who == "release":
		w.line.Release(true)
		return nil
	case (who == "form" || who == "mail") && s.tickets != nil:
		return s.tickets.form(who, rest)
	case who == "admin" && s.tickets != nil:
		return s.tickets.admin(verb, arg)
	case s.tickets != nil && (verb == "searches" || verb == "templates"):
		return s.tickets.asks(routing.AgentID(who), verb, text)
	case strings.HasPrefix(who, "u"):
		return s.customer(who, verb, text)
	case strings.HasPrefix(who, "a"):
		return s.agent(routing.AgentID(who), verb, arg)
	}
	return fmt.Errorf("unknown command")
}

// passBeating lets time go by while online agents' consoles live.
func (s *script) passBeating(d time.Duration) {
	for d > 0 {
		step := min(d, 20*time.Second)
		s.w.pass(step)
		d -= step
		if s.beats {
			_ = s.w.eng.Heartbeat(s.w.ctx, ws, "a1", "a2")
		}
	}
}

func (s *script) customer(name, verb, text string) error {
	u := s.w.line.User(name)
	if !slices.Contains(s.users, name) {
		s.users = append(s.users, name)
	}
	if s.posted == nil {
		s.posted = map[string]linetest.Posted{}
	}
	switch verb {
	case "says":
		s.posted[name] = u.SendText(text)
	case "follows":
		u.Follow()
	case "unfollows":
		u.Unfollow()
	case "unsends":
		_, err := u.Chat.Unsend(s.posted[name].MessageID)
		return err
	case "blocks":
		u.SetStanding(linetest.Blocked)
	default:
		return fmt.Errorf("unknown verb")
	}
	return nil
}

func (s *script) agent(id routing.AgentID, verb, arg string) error {
	w, p := s.w, s.w.agent(id)
	target, rest, _ := strings.Cut(arg, " ")
	c := s.conversation(target)
	text, _ := strconv.Unquote(rest)
	if s.tickets != nil && strings.HasPrefix(target, "t") {
		return s.tickets.agent(id, verb, target, rest)
	}
	switch verb {
	case "opens":
		_, err := w.eng.OpenTicket(w.ctx, p, sangdam.OpenTicket{Conversation: c, Title: text})
		return err
	case "online", "break", "offline":
		s.beats = true
		return w.eng.SetPresence(w.ctx, p, sangdam.SetPresence{Agent: id, Presence: routing.Presence(verb)})
	case "vanishes":
		s.beats = false
		return nil
	case "accepts", "declines":
		d := w.detail(c)
		if d.Offer == nil {
			return fmt.Errorf("there is no offer")
		}
		if verb == "declines" {
			return w.eng.Decline(w.ctx, p, sangdam.Decline{Offer: d.Offer.ID})
		}
		_, err := w.eng.Accept(w.ctx, p, sangdam.Accept{Offer: d.Offer.ID})
		return err
	case "answers":
		_, err := w.eng.Answer(w.ctx, p, sangdam.Answer{Conversation: c, Content: channel.Text(text)})
		return err
	case "notes":
		_, err := w.eng.AddNote(w.ctx, p, sangdam.AddNote{Conversation: c, Text: text})
		return err
	case "ends":
		_, err := w.eng.End(w.ctx, p, sangdam.End{Conversation: c})
		return err
	case "waits":
		_, err := w.eng.Wait(w.ctx, p, sangdam.Wait{Conversation: c})
		return err
	case "picks":
		_, err := w.eng.Pick(w.ctx, p, sangdam.Pick{Conversation: c})
		return err
	case "asks", "takes", "refuses", "withdraws":
		return s.consults(p, verb, c, rest)
	case "transfers":
		t := sangdam.Transfer{Conversation: c}
		if to, is := strings.CutPrefix(rest, "queue "); is {
			t.Queue = routing.QueueID(to)
		} else {
			t.Agent = routing.AgentID(strings.TrimPrefix(rest, "to "))
		}
		_, err := w.eng.Transfer(w.ctx, p, t)
		return err
	}
	return fmt.Errorf("unknown verb")
}

// consults performs what a question before a transfer needs: "a1 asks c1 a2",
// "a1 asks c1 queue q for 30s", "a2 takes c1", "a2 refuses c1 busy", "a1 withdraws c1".
func (s *script) consults(p sangdam.Principal, verb string, c conversation.ID, rest string) error {
	w := s.w
	if verb == "asks" {
		to, stands, _ := strings.Cut(rest, " for ")
		ask := sangdam.Consult{Conversation: c, Agent: routing.AgentID(to)}
		if queue, is := strings.CutPrefix(to, "queue "); is {
			ask.Agent, ask.Queue = "", routing.QueueID(queue)
		}
		if stands != "" {
			var err error
			if ask.For, err = time.ParseDuration(stands); err != nil {
				return err
			}
		}
		_, err := w.eng.Consult(w.ctx, p, ask)
		return err
	}
	asked := w.detail(c).Conversation.Consultation
	if asked == nil {
		return fmt.Errorf("nobody was asked")
	}
	s.names[asked.ID] = "the question"
	var err error
	switch verb {
	case "takes":
		_, err = w.eng.AcceptConsultation(w.ctx, p, sangdam.AcceptConsultation{Consultation: asked.ID})
	case "refuses":
		err = w.eng.DeclineConsultation(w.ctx, p, sangdam.DeclineConsultation{Consultation: asked.ID, Reason: rest})
	case "withdraws":
		err = w.eng.WithdrawConsultation(w.ctx, p, sangdam.WithdrawConsultation{Consultation: asked.ID})
	}
	return err
}

// conversation finds c1, c2, …; unknown names are passed on as they are.
func (s *script) conversation(name string) conversation.ID {
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "c")); err == nil && n >= 1 && n <= len(s.known) {
		return s.known[n-1]
	}
	return conversation.ID(name)
}

// report prints what is new: entries of every conversation, what phones show,
// and what was set aside.
func (s *script) report(out *strings.Builder) {
	w := s.w
	all := w.conversations()
	slices.SortFunc(all, func(a, b conversation.Conversation) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(s.user(a), s.user(b)))
	})
	for _, c := range all {
		if !slices.Contains(s.known, c.ID) {
			s.known = append(s.known, c.ID)
			s.names[string(c.ID)] = fmt.Sprintf("c%d", len(s.known))
		}
	}
	if s.tickets != nil {
		s.tickets.names(s.names)
	}
	for i, id := range s.known {
		evs, err := w.eng.ConversationEvents(w.ctx, w.host, id, s.seen[id], 200)
		require.NoError(w.t, err)
		// Sending and routing go on at once: what they write is told apart, so
		// that the script does not depend on who was first.
		var statuses []string
		for _, e := range evs {
			require.Equal(w.t, s.seen[id]+1, e.Seq, "the sequence has no gap")
			s.seen[id] = e.Seq
			line := fmt.Sprintf("c%d %s\n", i+1, s.event(e))
			if e.Kind == conversation.EvStatus {
				statuses = append(statuses, line)
				continue
			}
			out.WriteString(line)
		}
		out.WriteString(strings.Join(statuses, ""))
	}
	if s.tickets != nil {
		s.tickets.report(out, s.short)
		s.tickets.sent(out)
	}
	for _, name := range s.users {
		got := w.line.User(name).Received()
		for _, d := range got[min(s.phone[name], len(got)):] {
			fmt.Fprintf(out, "%s < %q", name, d.Text)
			if s.routes {
				fmt.Fprintf(out, " by %s", d.Route)
			}
			out.WriteByte('\n')
		}
		s.phone[name] = len(got)
	}
}

// user is the place of the conversation's customer among the script's.
func (s *script) user(c conversation.Conversation) int {
	return slices.IndexFunc(s.users, func(name string) bool { return s.w.line.User(name).ID() == c.Chat.ID })
}

// event prints an entry without ids that change from run to run.
func (s *script) event(e conversation.Event) string {
	line := string(e.Kind)
	if e.Message != "" {
		line += " " + s.message(e.Message)
	}
	if e.From != "" || e.To != "" {
		line += " " + s.short(e.From) + "→" + s.short(e.To)
	}
	return line + " (" + e.Actor + ")"
}

func (s *script) message(id conversation.MessageID) string {
	if s.names[string(id)] == "" {
		n := 1
		for _, v := range s.names {
			if strings.HasPrefix(v, "m") {
				n++
			}
		}
		s.names[string(id)] = fmt.Sprintf("m%d", n)
	}
	return s.names[string(id)]
}

// short replaces ids by names.
func (s *script) short(text string) string {
	for id, name := range s.names {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}
