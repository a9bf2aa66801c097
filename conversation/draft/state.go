package draft

import (
	"fmt"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
)

// moves are the legal changes of state; everything else is refused. They are
// requirement CV2 with the rules of design.md section 6.
var moves = map[conversation.State][]conversation.State{
	conversation.StateOpen: {conversation.StateActive, conversation.StateWaiting, conversation.StateWrapUp, conversation.StateClosed},
	conversation.StateActive: {conversation.StateOpen, conversation.StateActive, conversation.StateWaiting,
		conversation.StateWrapUp, conversation.StateClosed},
	conversation.StateWaiting: {conversation.StateOpen, conversation.StateActive, conversation.StateWrapUp, conversation.StateClosed},
	conversation.StateWrapUp:  {conversation.StateClosed, conversation.StateWrapUp},
	conversation.StateClosed:  {conversation.StateOpen},
}

// CanMove reports whether a conversation may change from one state to another.
func CanMove(from, to conversation.State) bool { return slices.Contains(moves[from], to) }

// MoveError refuses a change of state. It is an ErrInvalid.
type MoveError struct{ From, To conversation.State }

// Error names both states.
func (e *MoveError) Error() string {
	return fmt.Sprintf("conversation: cannot go from %s to %s", e.From, e.To)
}

// Is makes every refused change an ErrInvalid.
func (e *MoveError) Is(target error) bool { return target == errs.Invalid }

// move changes the state and records it.
func (d *Draft) move(to conversation.State, actor string) error {
	from := d.C.State
	if from == to {
		return nil
	}
	if !CanMove(from, to) {
		return &MoveError{From: from, To: to}
	}
	d.C.State = to
	d.event(conversation.Event{Kind: conversation.EvState, Actor: actor, From: string(from), To: string(to)}, false)
	return nil
}

// control hands the conversation to who may speak; each change raises the
// fence, so that an answer begun under the earlier holder is refused. From the
// provider only the provider takes it, and the end.
func (d *Draft) control(to conversation.Controller, actor string) {
	if d.C.Control != conversation.ControlProvider {
		d.setControl(to, actor)
	}
}

func (d *Draft) setControl(to conversation.Controller, actor string) {
	if d.C.Control == to {
		return
	}
	from := d.C.Control
	if from == conversation.ControlBot && d.C.BotOutcome == "" {
		d.C.BotOutcome = conversation.BotTaken
	}
	d.C.Control = to
	d.C.Fence++
	d.event(conversation.Event{Kind: conversation.EvControl, Actor: actor, From: string(from), To: string(to)}, false)
}

// CheckFence refuses an answer that was begun under an earlier holder: ErrStale
// unless who still has the word, by this fencing number.
func (d *Draft) CheckFence(who conversation.Controller, fence int64) error {
	if d.C.Control != who || d.C.Fence != fence {
		return fmt.Errorf("conversation: %s is now with %s (fence %d, not %d): %w", d.C.ID, d.C.Control, d.C.Fence, fence,
			errs.Stale)
	}
	return nil
}

// GiveToBot lets the named bot speak first. Its turn begins at the message given
// and with an empty memory: what was said before is not the bot's.
func (d *Draft) GiveToBot(name string, from conversation.Message) {
	d.C.Bot, d.C.BotData, d.C.BotSeq, d.C.BotOutcome = name, nil, from.Seq-1, ""
	d.control(conversation.ControlBot, "system")
}

// BotDone records how the bot's turn ends, before the word is taken from it.
func (d *Draft) BotDone(how conversation.BotOutcome) {
	if d.C.Control == conversation.ControlBot {
		d.C.BotOutcome = how
	}
}

// GiveToProvider records that the provider said at the time that it has the word.
func (d *Draft) GiveToProvider(at time.Time) {
	if at.Before(d.C.ControlAt) {
		return
	}
	d.C.ControlAt = at
	d.setControl(conversation.ControlProvider, "provider")
}

// TakeFromProvider records that the provider had not the word any more at the
// time: the agent who owns the conversation has it, else nobody. It reports
// whether that is news.
func (d *Draft) TakeFromProvider(at time.Time) bool {
	if d.C.Control != conversation.ControlProvider || at.Before(d.C.ControlAt) {
		return false
	}
	d.C.ControlAt = at
	to := conversation.ControlNobody
	if d.C.Agent != "" {
		to = conversation.ControlAgent
	}
	d.setControl(to, "provider")
	return true
}

// TakeByHost records that the host answers where neither a bot nor an agent has
// the word.
func (d *Draft) TakeByHost(actor string) {
	if d.C.Control == conversation.ControlNobody {
		d.control(conversation.ControlHost, actor)
	}
}

// TakeFromBot ends the bot's turn: hand-over or an agent stepping in.
func (d *Draft) TakeFromBot(actor string) {
	if d.C.Control == conversation.ControlBot {
		d.control(conversation.ControlNobody, actor)
	}
}

// Queued records that the conversation waits for an agent: whoever had the
// word, a bot too, has it no longer.
func (d *Draft) Queued(actor, queue string) error {
	if d.C.State != conversation.StateOpen {
		if err := d.move(conversation.StateOpen, actor); err != nil {
			return err
		}
	}
	d.C.Agent = ""
	d.ownerChanged(actor)
	d.control(conversation.ControlNobody, actor)
	d.C.QueuedAt = d.now
	d.event(conversation.Event{Kind: conversation.EvQueued, Actor: actor, To: queue}, false)
	return nil
}

// Assigned makes the agent the one owner.
func (d *Draft) Assigned(agent conversation.AgentID, actor string) error {
	if err := d.move(conversation.StateActive, actor); err != nil {
		return err
	}
	from := d.C.Agent
	d.C.Agent, d.C.LastAgent, d.C.AssignedAt = agent, agent, d.now
	d.ownerChanged(actor)
	if from != "" && from != agent && d.C.Control == conversation.ControlAgent {
		d.C.Fence++ // another agent holds it now
	}
	d.control(conversation.ControlAgent, actor)
	d.event(conversation.Event{Kind: conversation.EvAssigned, Actor: actor, From: string(from), To: string(agent)}, false)
	return nil
}

// Wait records that it is the customer's turn. When release, no agent holds
// the conversation meanwhile.
func (d *Draft) Wait(actor string, release bool) error {
	if err := d.move(conversation.StateWaiting, actor); err != nil {
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
	d.event(conversation.Event{Kind: conversation.EvReleased, Actor: actor, From: string(from)}, false)
	d.control(conversation.ControlNobody, actor)
}

// WrapUp records that the customer ended, or that the agent ended and still
// works on the panels. The agent keeps the conversation.
func (d *Draft) WrapUp(by, reason string) error {
	if err := d.move(conversation.StateWrapUp, by); err != nil {
		return err
	}
	d.EndConsultation(conversation.ConsultationOver, "ended", by)
	d.C.WrapUpAt, d.C.EndedBy, d.C.EndReason = d.now, by, reason
	if d.C.Control == conversation.ControlBot {
		d.control(conversation.ControlNobody, by)
	}
	return nil
}

// Close ends the conversation; nobody holds it any more.
func (d *Draft) Close(by, reason string) error {
	if err := d.move(conversation.StateClosed, by); err != nil {
		return err
	}
	d.EndConsultation(conversation.ConsultationOver, "ended", by)
	d.release(by)
	d.setControl(conversation.ControlNobody, by)
	d.C.ClosedAt, d.C.Reply = d.now, nil
	if d.C.EndedBy == "" {
		d.C.EndedBy, d.C.EndReason = by, reason
	}
	return nil
}

// Reopen opens a closed persistent conversation again. A live one is final.
func (d *Draft) Reopen(actor string) error {
	if d.C.Live || d.C.MergedInto != "" || d.C.State != conversation.StateClosed {
		return &MoveError{From: d.C.State, To: conversation.StateOpen}
	}
	if err := d.move(conversation.StateOpen, actor); err != nil {
		return err
	}
	d.C.ClosedAt, d.C.WrapUpAt = time.Time{}, time.Time{}
	d.C.EndedBy, d.C.EndReason = "", ""
	d.C.LastMessageAt = d.now
	d.event(conversation.Event{Kind: conversation.EvReopened, Actor: actor}, false)
	return nil
}
