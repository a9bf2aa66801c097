package board

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

// TestScripts runs testdata/*.txt, the readable specification of
// docs/design.md sections 5 and 6. Each `run` block takes commands, one a
// line; after every line the Board decides until it is quiet, and what it
// decided is written down. Write the answers anew with -rewrite, and read them.
//
//	agent a 2 [skill:level …] [away]      an agent of two units
//	queue q strategy a b [key=value …]    hours= ageing= reserve= wait= length= exhausted= designated=
//	item i q [key=value …]                priority= cost= skill= match= relax= prefer= until= designated= pick offer ago=
//	accept i · decline i · end i          of an offer, an assignment
//	online a · break a · offline a
//	clock +45s                            also back: clock -1h
//	refuse                                the store refuses the next decision
//	position i · explain i
//	restart                               a Board built from the rows alone
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{r: newRows(t0)}
		s.restart()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "run" {
				t.Fatalf("%s: unknown block %q", d.Pos, d.Cmd)
			}
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				out.WriteString(s.line(t, strings.Fields(line)))
			}
			if out.Len() == 0 {
				return "quiet\n"
			}
			return out.String()
		})
	})
}

type script struct {
	r      *rows
	b      *Board
	now    time.Time // as told to the Board; r.now never goes back
	refuse bool
}

func (s *script) restart() {
	s.now = s.r.now
	s.b = s.r.board(Options{Seed: 1}, func(n int) []int {
		order := make([]int, n)
		for i := range order {
			order[i] = n - 1 - i
		}
		return order
	})
}

func (s *script) line(t *testing.T, f []string) (out string) {
	if len(f) == 0 || f[0] == "#" {
		return ""
	}
	id := ""
	if len(f) > 1 {
		id = f[1]
	}
	switch f[0] {
	case "agent":
		s.agent(id, f[2:])
	case "queue":
		s.queue(id, f[2:])
	case "item":
		s.item(routing.ItemID(id), f[2], f[3:])
	case "accept", "decline", "end":
		out = s.answer(f[0], routing.ItemID(id))
	case "online", "break", "offline":
		s.b.ApplyAgent(s.r.setPresence(routing.AgentID(id), routing.Presence(f[0])))
	case "clock":
		d, err := time.ParseDuration(id)
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(d)
		if s.now.After(s.r.now) {
			s.r.now = s.now
		}
		s.b.Tick(s.now)
	case "refuse":
		s.refuse = true
	case "restart":
		s.restart()
	case "position":
		pos, of, ok := s.b.Position(routing.ItemID(id))
		out = fmt.Sprintf("%s: %d of %d %v\n", id, pos, of, ok)
	case "explain":
		out = s.explain(routing.ItemID(id))
	default:
		t.Fatalf("unknown command %q", f[0])
	}
	return out + s.decide()
}

func (s *script) agent(id string, f []string) {
	units, _ := strconv.Atoi(f[0])
	a := someone(id, units)
	away := false
	for _, w := range f[1:] {
		if w == "away" {
			away = true
			continue
		}
		name, level, _ := strings.Cut(w, ":")
		n, _ := strconv.Atoi(level)
		a.Skills = append(a.Skills, routing.Skill{Name: name, Level: max(1, n)})
	}
	s.r.saveAgent(a.ID, func(have *routing.Agent) {
		state := have.State
		version := have.Version
		*have = a
		have.State, have.Version = state, version
	})
	p := routing.Online
	if away {
		p = routing.Break
	}
	s.b.ApplyAgent(s.r.setPresence(a.ID, p))
}

func (s *script) queue(id string, f []string) {
	q := queueOf(id, f[0])
	for _, w := range f[1:] {
		key, value, option := strings.Cut(w, "=")
		if !option {
			q.Members = append(q.Members, routing.AgentID(w))
			continue
		}
		n, _ := strconv.Atoi(value)
		d, _ := time.ParseDuration(value)
		what, target, leads := strings.Cut(value, ">")
		o := routing.Overflow{Do: routing.OverflowTicket}
		if leads {
			o.Do, o.Queue = routing.OverflowQueue, routing.QueueID(target)
			n, _ = strconv.Atoi(what)
			d, _ = time.ParseDuration(what)
		}
		switch key {
		case "hours": // from-to, every day
			var h1, h2 int
			fmt.Sscanf(what, "%d-%d", &h1, &h2)
			q.Hours = &hours.Calendar{Zone: "UTC",
				Week: hours.Every([]hours.Interval{{From: hours.At(h1, 0), To: hours.At(h2, 0)}}, 0, 1, 2, 3, 4,
					5, 6)}
			o.When = routing.OverflowHours
			q.Overflow = append(q.Overflow, o)
		case "ageing":
			q.AgeingPerMinute = float64(n)
		case "reserve":
			q.Reserve = n
		case "designated":
			q.Designated = routing.AgentID(value)
		case "wait", "length", "exhausted":
			o.When, o.After, o.Limit = routing.OverflowWhen(key), d, n
			q.Overflow = append(q.Overflow, o)
		}
	}
	s.r.config++
	s.r.queues[q.ID] = q
	s.b.ApplyQueue(q, s.r.config)
}

func (s *script) item(id routing.ItemID, queue string, f []string) {
	it := work(string(id), queue, 0)
	it.QueuedAt, it.EnteredAt, it.Visited = s.r.now, s.r.now, []routing.QueueID{routing.QueueID(queue)}
	for _, w := range f {
		key, value, _ := strings.Cut(w, "=")
		n, _ := strconv.Atoi(value)
		d, _ := time.ParseDuration(value)
		switch key {
		case "priority":
			it.Priority = n
		case "cost":
			it.Uses = []routing.Use{{Profile: routing.ProfileUnits, Units: n}}
		case "skill":
			name, level, _ := strings.Cut(value, ":")
			n, _ := strconv.Atoi(level)
			it.Skills = append(it.Skills, routing.Skill{Name: name, Level: max(1, n)})
		case "match":
			it.SkillMatch = routing.SkillMatch(value)
		case "relax":
			it.SkillMatch, it.RelaxAfter = routing.SkillRelaxed, d
		case "prefer":
			it.Preferred = routing.AgentID(value)
		case "until":
			it.PreferredUntil = s.r.now.Add(d)
		case "designated":
			it.Designated = routing.AgentID(value)
		case "pick":
			it.Mode = routing.Pick
		case "offer":
			it.AutoAccept = false
		case "ago":
			it.QueuedAt = s.r.now.Add(-d)
		}
	}
	s.b.ApplyItem(s.r.saveItem(it))
}

func (s *script) answer(what string, id routing.ItemID) string {
	it, known := s.r.items[id]
	if want := map[string]routing.ItemState{"accept": routing.ItemOffered, "decline": routing.ItemOffered,
		"end": routing.ItemAssigned}[what]; !known || it.State != want {
		return fmt.Sprintf("%s is not %s\n", id, want)
	}
	switch what {
	case "accept":
		s.r.accept(id)
	case "decline":
		s.r.decline(id)
	case "end":
		s.r.end(id, routing.ItemDone)
	}
	s.b.ApplyItem(s.r.items[id])
	s.b.ApplyAgent(s.r.agents[it.Agent])
	return ""
}

// decide carries out what the Board decides and writes it down.
func (s *script) decide() (out string) {
	for {
		d, ok := s.b.Decide()
		if !ok {
			return out
		}
		if s.refuse {
			s.refuse = false
			out += fmt.Sprintf("%s -> %s refused\n", d.Item, d.Agent)
			s.b.Settle(d.ID, false)
			continue
		}
		err := s.r.write(d)
		if err != nil {
			return out + err.Error() + "\n"
		}
		s.b.Settle(d.ID, true)
		s.b.ApplyItem(s.r.items[d.Item])
		if d.Agent != "" {
			s.b.ApplyAgent(s.r.agents[d.Agent])
		}
		switch it := s.r.items[d.Item]; d.Kind {
		case routing.DecideOverflow:
			out += fmt.Sprintf("%s overflows: %s, %s %s\n", d.Item, d.Overflow.When, d.Overflow.Do, d.Overflow.Queue)
		case routing.DecideRelax:
			out += fmt.Sprintf("%s relaxes: %d dropped\n", d.Item, it.Relaxed)
		default:
			out += fmt.Sprintf("%s -> %s %s (%s)\n", d.Item, d.Agent, d.Kind, d.Why)
		}
	}
}

func (s *script) explain(id routing.ItemID) string {
	x, err := s.b.Explain(id)
	if err != nil {
		return err.Error() + "\n"
	}
	var out strings.Builder
	for _, w := range x.Why {
		fmt.Fprintln(&out, w)
	}
	for _, c := range x.Considered {
		fmt.Fprintln(&out, " ", c.Agent, c.Excluded)
	}
	return out.String()
}
