package conversation

import (
	"fmt"
	"slices"
	"time"
)

// moves are the legal changes of state; everything else is refused. They are
// requirement CV2 with the rules of design.md section 6.
var moves = map[State][]State{
	StateOpen:    {StateActive, StateWaiting, StateWrapUp, StateClosed},
	StateActive:  {StateOpen, StateActive, StateWaiting, StateWrapUp, StateClosed},
	StateWaiting: {StateOpen, StateActive, StateWrapUp, StateClosed},
	StateWrapUp:  {StateClosed, StateWrapUp},
	StateClosed:  {StateOpen},
}

// ThreadHolders are the states of conversations that hold their thread key: at
// most one conversation under a key is in one of them.
func ThreadHolders() []State { return []State{StateOpen, StateActive, StateWaiting} }

// HoldsThread reports whether a conversation in the state holds its thread key.
func (s State) HoldsThread() bool { return slices.Contains(ThreadHolders(), s) }

// CanMove reports whether a conversation may change from one state to another.
func CanMove(from, to State) bool { return slices.Contains(moves[from], to) }

// MoveError refuses a change of state. It is an ErrInvalid.
type MoveError struct{ From, To State }

// Error names both states.
func (e *MoveError) Error() string {
	return fmt.Sprintf("conversation: cannot go from %s to %s", e.From, e.To)
}

// Is makes every refused change an ErrInvalid.
func (e *MoveError) Is(target error) bool { return target == ErrInvalid }

// move changes the state and records it.
func (d *Draft) move(to State, actor string) error {
	from := d.C.State
	if from == to {
		return nil
	}
	if !CanMove(from, to) {
		return &MoveError{From: from, To: to}
	}
	d.C.State = to
	d.event(Event{Kind: EvState, Actor: actor, From: string(from), To: string(to)}, false)
	return nil
}

// control hands the conversation to who may speak; each change raises the
// fence, so that an answer begun under the earlier holder is refused. From the
// provider only the provider takes it, and the end.
func (d *Draft) control(to Controller, actor string) {
	if d.C.Control != ControlProvider {
		d.setControl(to, actor)
	}
}

func (d *Draft) setControl(to Controller, actor string) {
	if d.C.Control == to {
		return
	}
	from := d.C.Control
	if from == ControlBot && d.C.BotOutcome == "" {
		d.C.BotOutcome = BotTaken
	}
	d.C.Control = to
	d.C.Fence++
	d.event(Event{Kind: EvControl, Actor: actor, From: string(from), To: string(to)}, false)
}

// CheckFence refuses an answer that was begun under an earlier holder: ErrStale
// unless who still has the word, by this fencing number.
func (d *Draft) CheckFence(who Controller, fence int64) error {
	if d.C.Control != who || d.C.Fence != fence {
		return fmt.Errorf("conversation: %s is now with %s (fence %d, not %d): %w", d.C.ID, d.C.Control, d.C.Fence, fence, ErrStale)
	}
	return nil
}

// GiveToBot lets the named bot speak first. Its turn begins at the message given
// and with an empty memory: what was said before is not the bot's.
func (d *Draft) GiveToBot(name string, from Message) {
	d.C.Bot, d.C.BotData, d.C.BotSeq, d.C.BotOutcome = name, nil, from.Seq-1, ""
	d.control(ControlBot, "system")
}

// BotDone records how the bot's turn ends, before the word is taken from it.
func (d *Draft) BotDone(how BotOutcome) {
	if d.C.Control == ControlBot {
		d.C.BotOutcome = how
	}
}

// GiveToProvider records that the provider said at the time that it has the word.
func (d *Draft) GiveToProvider(at time.Time) {
	if at.Before(d.C.ControlAt) {
		return
	}
	d.C.ControlAt = at
	d.setControl(ControlProvider, "provider")
}

// TakeFromProvider records that the provider had not the word any more at the
// time: the agent who owns the conversation has it, else nobody. It reports
// whether that is news.
func (d *Draft) TakeFromProvider(at time.Time) bool {
	if d.C.Control != ControlProvider || at.Before(d.C.ControlAt) {
		return false
	}
	d.C.ControlAt = at
	to := ControlNobody
	if d.C.Agent != "" {
		to = ControlAgent
	}
	d.setControl(to, "provider")
	return true
}

// TakeByHost records that the host answers where neither a bot nor an agent has
// the word.
func (d *Draft) TakeByHost(actor string) {
	if d.C.Control == ControlNobody {
		d.control(ControlHost, actor)
	}
}

// TakeFromBot ends the bot's turn: hand-over or an agent stepping in.
func (d *Draft) TakeFromBot(actor string) {
	if d.C.Control == ControlBot {
		d.control(ControlNobody, actor)
	}
}

// Queued records that the conversation waits for an agent: whoever had the
// word, a bot too, has it no longer.
func (d *Draft) Queued(actor, queue string) error {
	if d.C.State != StateOpen {
		if err := d.move(StateOpen, actor); err != nil {
			return err
		}
	}
	d.C.Agent = ""
	d.ownerChanged(actor)
	d.control(ControlNobody, actor)
	d.C.QueuedAt = d.now
	d.event(Event{Kind: EvQueued, Actor: actor, To: queue}, false)
	return nil
}

// Assigned makes the agent the one owner.
func (d *Draft) Assigned(agent AgentID, actor string) error {
	if err := d.move(StateActive, actor); err != nil {
		return err
	}
	from := d.C.Agent
	d.C.Agent, d.C.LastAgent, d.C.AssignedAt = agent, agent, d.now
	d.ownerChanged(actor)
	if from != "" && from != agent && d.C.Control == ControlAgent {
		d.C.Fence++ // another agent holds it now
	}
	d.control(ControlAgent, actor)
	d.event(Event{Kind: EvAssigned, Actor: actor, From: string(from), To: string(agent)}, false)
	return nil
}

// Wait records that it is the customer's turn. When release, no agent holds
// the conversation meanwhile.
func (d *Draft) Wait(actor string, release bool) error {
	if err := d.move(StateWaiting, actor); err != nil {
		return err
	}
	if release {
		d.release(actor)
	}
	return nil
}

// Release takes a waiting conversation from its agent.
func (d *Draft) Release(actor string) { d.release(actor) }

func (d *Draft) release(actor string) {
	if d.C.Agent == "" {
		return
	}
	from := d.C.Agent
	d.C.LastAgent, d.C.Agent = from, ""
	d.ownerChanged(actor)
	d.event(Event{Kind: EvReleased, Actor: actor, From: string(from)}, false)
	d.control(ControlNobody, actor)
}

// WrapUp records that the customer ended, or that the agent ended and still
// works on the panels. The agent keeps the conversation.
func (d *Draft) WrapUp(by, reason string) error {
	if err := d.move(StateWrapUp, by); err != nil {
		return err
	}
	d.EndConsultation(ConsultationOver, "ended", by)
	d.C.WrapUpAt, d.C.EndedBy, d.C.EndReason = d.now, by, reason
	if d.C.Control == ControlBot {
		d.control(ControlNobody, by)
	}
	return nil
}

// Close ends the conversation; nobody holds it any more.
func (d *Draft) Close(by, reason string) error {
	if err := d.move(StateClosed, by); err != nil {
		return err
	}
	d.EndConsultation(ConsultationOver, "ended", by)
	d.release(by)
	d.setControl(ControlNobody, by)
	d.C.ClosedAt, d.C.Reply = d.now, nil
	if d.C.EndedBy == "" {
		d.C.EndedBy, d.C.EndReason = by, reason
	}
	return nil
}

// Reopen opens a closed persistent conversation again. A live one is final.
func (d *Draft) Reopen(actor string) error {
	if d.C.Live || d.C.MergedInto != "" || d.C.State != StateClosed {
		return &MoveError{From: d.C.State, To: StateOpen}
	}
	if err := d.move(StateOpen, actor); err != nil {
		return err
	}
	d.C.ClosedAt, d.C.WrapUpAt = time.Time{}, time.Time{}
	d.C.EndedBy, d.C.EndReason = "", ""
	d.C.LastMessageAt = d.now
	d.event(Event{Kind: EvReopened, Actor: actor}, false)
	return nil
}
