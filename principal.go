package sangdam

import (
	"context"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
)

// WorkspaceID names a workspace: one organisation whose data is separate from
// every other one's.
type WorkspaceID = id.Workspace

// PrincipalKind is the kind of whoever acts.
type PrincipalKind string

const (
	// KindAgent is a person who answers; ID is the host's agent id.
	KindAgent PrincipalKind = "agent"
	// KindHost is the program that embeds the library, acting for itself.
	KindHost PrincipalKind = "host"
	// KindSystem is the library itself: deadlines, routing, automated messages.
	KindSystem PrincipalKind = "system"
	// KindVisitor is a customer on a channel connected to this process.
	KindVisitor PrincipalKind = "visitor"
)

// Role of an agent within a workspace (RT9).
type Role string

const (
	RoleAdministrator Role = "administrator" // may everything in the workspace
	RoleSupervisor    Role = "supervisor"    // works on and looks after all desks
	RoleAgent         Role = "agent"         // works on the desks it belongs to
)

// Principal is whoever a command or query acts for. The host authenticates it;
// the library decides what it may do. Make one with Host or AgentPrincipal. The
// zero Principal, one without a workspace, one of an unknown kind, and an agent
// without an id may do nothing, whatever the policy says.
type Principal struct {
	Workspace WorkspaceID
	Kind      PrincipalKind
	ID        string
	// Roles are what DefaultPolicy decides by. The host gives them with every
	// call: the Engine does not use the role that is stored with an agent
	// (routing.Agent.Role), which is there for the host to read when somebody
	// logs in. An agent without any role may do nothing.
	Roles []Role
	// IP is the address that the person calls from. Where the host gives it,
	// the audit log keeps it.
	IP string
}

// Same reports whether two principals are the same person with the same rights, in
// whatever order the roles are given: what follows somebody's stream asks so whether
// it goes on.
func (p Principal) Same(o Principal) bool {
	roles := func(of Principal) []Role { return slices.Compact(slices.Sorted(slices.Values(of.Roles))) }
	return p.Workspace == o.Workspace && p.Kind == o.Kind && p.ID == o.ID && p.IP == o.IP && slices.Equal(roles(p), roles(o))
}

// Host returns the principal of the embedding program itself, which under
// DefaultPolicy has every right in the workspace. Use it for what the program
// does by itself, never for a person whose rights are to be checked.
func Host(ws WorkspaceID) Principal { return Principal{Workspace: ws, Kind: KindHost, ID: "host"} }

// AgentPrincipal returns the principal of an agent with the roles given, or
// with RoleAgent when none is. The host must have authenticated the agent.
// Whether it is disabled, and on which desks it is, the Engine reads from the
// stored agent; about an agent that is not stored only the policy decides.
func AgentPrincipal(ws WorkspaceID, agent routing.AgentID, roles ...Role) Principal {
	if len(roles) == 0 {
		roles = []Role{RoleAgent}
	}
	return Principal{Workspace: ws, Kind: KindAgent, ID: string(agent), Roles: roles}
}

func system(ws WorkspaceID) Principal {
	return Principal{Workspace: ws, Kind: KindSystem, ID: "system"}
}

// made refuses a principal that nobody made: it names no workspace, or nobody in it.
func (p Principal) made() error {
	switch {
	case p.Workspace == "":
		return p.unmade("no workspace")
	case !slices.Contains([]PrincipalKind{KindAgent, KindHost, KindSystem, KindVisitor}, p.Kind):
		return p.unmade("no Kind that there is")
	case p.Kind == KindAgent && p.ID == "":
		return p.unmade("no ID of an agent")
	}
	return nil
}

func (p Principal) unmade(lacks string) error {
	return errs.New(errs.PermissionDenied, "sangdam: the Principal has %s, so it may do nothing; "+
		"make one with sangdam.Host(workspace) or sangdam.AgentPrincipal(workspace, agent, roles...)", lacks)
}

// actor is how records name the principal.
func (p Principal) actor() string {
	switch p.Kind {
	case KindSystem:
		return "system"
	case KindVisitor:
		return "customer"
	}
	return string(p.Kind) + ":" + p.ID
}

// keyOwner is whose idempotency keys these are: records call every visitor
// "customer", but one must never meet the key of another.
func (p Principal) keyOwner() string { return string(p.Kind) + ":" + p.ID }

func (p Principal) agent() routing.AgentID {
	if p.Kind == KindAgent {
		return routing.AgentID(p.ID)
	}
	return ""
}

func (p Principal) has(r Role) bool { return slices.Contains(p.Roles, r) }

// role is the most powerful role, for the audit log.
func (p Principal) role() string {
	for _, r := range []Role{RoleAdministrator, RoleSupervisor, RoleAgent} {
		if p.has(r) {
			return string(r)
		}
	}
	return string(p.Kind)
}

// Action names what a principal wants to do.
type Action string

const (
	ActRead      Action = "conversation.read"     // see a record
	ActList      Action = "conversation.list"     // ask for a list, of which each record is asked with ActRead
	ActAnswer    Action = "conversation.answer"   // write to the customer
	ActNotify    Action = "conversation.notify"   // a notice that changes nothing
	ActBegin     Action = "conversation.begin"    // write to a person first
	ActNote      Action = "conversation.note"     // write an internal note
	ActEnd       Action = "conversation.end"      // end a conversation
	ActTransfer  Action = "conversation.transfer" // give it to another agent, queue or desk
	ActTake      Action = "conversation.take"     // pick from the queue
	ActAssign    Action = "conversation.assign"   // to somebody else
	ActForce     Action = "conversation.force"    // beyond capacity
	ActResend    Action = "conversation.resend"
	ActFetch     Action = "conversation.fetch" // an attachment again
	ActUpload    Action = "attachment.upload"  // a file for no conversation yet
	ActPanel     Action = "conversation.panel"
	ActContact   Action = "contact.write"
	ActErase     Action = "contact.erase" // everything personal of a contact, for good
	ActOffer     Action = "offer.answer"
	ActPresence  Action = "agent.presence"
	ActSwitches  Action = "agent.switches"      // of the assignment of tickets and chats
	ActConfigure Action = "workspace.configure" // change what administrators set up
	ActReadAudit Action = "audit.read"          // read the audit log
	ActOperate   Action = "workspace.operate"   // quarantine, dead letters
	ActSearch    Action = "conversation.search" // search in texts
	ActBackup    Action = "conversation.backup" // a file of all of them
)

// Resource is the record that an action concerns, with those of its values by
// which a policy may decide. Fields that do not apply are empty.
type Resource struct {
	Kind string // conversation, contact, agent, offer, workspace, …
	// ID is empty for a record that is about to be made, and for a whole list.
	ID string
	// Desk that a conversation, or the conversation of an offer, is on.
	Desk routing.DeskID
	// Desks are those to which a contact has written.
	Desks []routing.DeskID
	// Owner is the agent who owns the conversation, ticket or work, or to whom
	// the offer is made.
	Owner routing.AgentID
	// Asked is the colleague whom the owner of a conversation asks to take it over.
	Asked routing.AgentID
	// The rest is filled for a conversation only.
	Account channel.AccountID
	Channel channel.Kind
	Stream  routing.WorkStreamID
	Contact conversation.ContactID
	State   conversation.State
}

// name is how the audit log names the resource.
func (r Resource) name() string { return r.Kind + ":" + r.ID }

// Who is a principal together with what the library knows about it.
type Who struct {
	Principal
	// Agent is the stored agent; nil for an agent that only the host knows, and
	// for every other kind of principal.
	Agent *routing.Agent
	// Desks the agent belongs to, ordered.
	Desks []routing.DeskID
}

// On says whether the agent belongs to the desk.
func (w Who) On(d routing.DeskID) bool {
	_, found := slices.BinarySearch(w.Desks, d)
	return found
}

// Policy decides what principals may do and see. Its methods are called for
// every record of a list and by several goroutines at once, so they must decide
// by their arguments alone, without I/O. A principal may see a record when
// Authorize allows ActRead of it: reading, lists, counts, searches, the
// customer's summary, contacts and the feed all ask this one question. To
// change only a part, embed DefaultPolicy.
type Policy interface {
	// Authorize returns nil to allow the action, ErrPermissionDenied to refuse
	// it, or ErrNotFound to hide that the record exists. The Engine decides
	// some cases itself and does not ask. It refuses agents without any role,
	// disabled agents, and work on chats by an agent without the permission for
	// chats or with chats switched off. It allows the owner of an open
	// conversation to read, answer, note, wait and end, and the colleague whom
	// the owner asks with Consult to read and note until that question ends.
	Authorize(ctx context.Context, w Who, a Action, r Resource) error
	// Scope says to which records of a kind ("conversation" or "contact")
	// Authorize could allow ActRead at all, so that lists need not read the
	// others. It may hold too many records but never too few; the zero Scope
	// holds all.
	Scope(w Who, kind string) Scope
}

// Scope bounds what lists read. What the agent itself owns is read in any case.
type Scope struct {
	// Limited says that Desks bounds what is read; false means no bound.
	Limited bool
	// Desks are those whose records may be seen. Without any, only what the
	// agent owns is read.
	Desks []routing.DeskID
}

// PolicyFunc is a Policy of one function. Its Scope is the zero one, so lists
// ask the function about every record.
type PolicyFunc func(ctx context.Context, w Who, a Action, r Resource) error

// Authorize calls the function.
func (f PolicyFunc) Authorize(ctx context.Context, w Who, a Action, r Resource) error {
	return f(ctx, w, a, r)
}

// Scope returns the zero Scope, which holds all records.
func (PolicyFunc) Scope(Who, string) Scope { return Scope{} }

// DefaultPolicy is the policy when Config.Policy is nil. The host and the
// library may do everything. An administrator may do everything in the
// workspace. A supervisor reads, transfers, assigns and forces on every desk.
// An agent reads the conversations of the desks it belongs to and the contacts
// who wrote to them (anything else is ErrNotFound), answers and ends what it
// owns, picks, masks, and sets its own presence; what masks hide it sees only
// with routing.PermitReveal. Who the agents are, and that the
// configuration changed, every agent of the workspace may know.
type DefaultPolicy struct{}

var (
	agentsOwn = []Action{ActAnswer, ActNote, ActEnd, ActTransfer, ActResend, ActPanel}
	agentsAny = []Action{ActRead, ActTake, ActBegin, ActContact, ActNote, ActFetch, ActUpload, ActPanel, ActMask}
	// deskBound are the kinds of record that belong to desks.
	deskBound = []string{kindConversation, kindContact, kindOffer, kindAccount, kindConsultation, kindWork}
)

// Kinds of record that a policy hears of.
const (
	kindConversation = "conversation"
	kindMessage      = "message"
	kindContact      = "contact"
	kindOffer        = "offer"
	kindAccount      = "account"
	kindAgent        = "agent"
	kindDesk         = "desk"
	kindWorkspace    = "workspace"
	kindUpload       = "upload"
	kindConsultation = "consultation" // a question before a transfer, to who is asked
)

// Authorize implements Policy.
func (DefaultPolicy) Authorize(_ context.Context, w Who, a Action, r Resource) error {
	switch w.Kind {
	case KindHost, KindSystem:
		return nil
	case KindAgent:
	default:
		return denied(w.Principal, a)
	}
	if w.has(RoleAdministrator) {
		return nil
	}
	supervisor := w.has(RoleSupervisor)
	if !supervisor && !w.has(RoleAgent) {
		return denied(w.Principal, a)
	}
	if r.Kind == kindTicket {
		return ticketPolicy(w, a, r)
	}
	own := string(r.Owner) == w.ID
	switch a {
	case ActConfigure, ActReadAudit, ActOperate, ActBackup, ActErase:
		return denied(w.Principal, a)
	case ActList, ActSearch:
		return nil // every record that is found is asked for by itself
	}
	if !supervisor && !onDesksOf(w, r) {
		return noSuch(r.Kind)
	}
	switch {
	case a == ActOffer && !own:
		return errs.New(errs.PermissionDenied, "sangdam: this offer was made to agent %s, who alone answers it", r.Owner)
	case a == ActPresence && !own && !supervisor:
		return errs.New(errs.PermissionDenied, "sangdam: the presence of agent %q is set by that agent or a supervisor", r.Owner)
	case a == ActTemplate && own:
		return nil
	case a == ActSwitches && own && w.Agent != nil && w.Agent.Assign.Control:
		return nil
	case a == ActSwitches:
		return errs.New(errs.PermissionDenied,
			"sangdam: the assignment of agent %s is switched by an administrator, or by that agent if it has assignment control", r.Owner)
	case a == ActReveal || a == ActUnmask:
		return mayReveal(w, a)
	case supervisor || a == ActOffer || a == ActPresence:
		return nil
	case slices.Contains(agentsAny, a), own && slices.Contains(agentsOwn, a):
		return nil
	case r.Kind == kindConversation && slices.Contains(agentsOwn, a):
		return notTheirs(a, r.Owner)
	}
	return denied(w.Principal, a)
}

// notTheirs refuses what is the owner's to do; a role would not help, taking the
// conversation over does.
func notTheirs(a Action, owner routing.AgentID) error {
	if owner == "" {
		return errs.New(errs.PermissionDenied, "sangdam: no agent has this conversation; take it before %s", a)
	}
	return errs.New(errs.PermissionDenied, "sangdam: agent %s has this conversation; %s is done by who has it, or by a supervisor",
		owner, a)
}

// mayReveal is the right of its own to what masks hide.
func mayReveal(w Who, a Action) error {
	if w.has(RoleSupervisor) || w.Agent != nil && w.Agent.May(routing.PermitReveal) {
		return nil
	}
	return denied(w.Principal, a)
}

// onDesksOf says whether the record belongs to a desk of the agent's. One that
// is about to be made belongs to none yet.
func onDesksOf(w Who, r Resource) bool {
	return !slices.Contains(deskBound, r.Kind) || r.ID == "" || w.On(r.Desk) || slices.ContainsFunc(r.Desks, w.On)
}

// Scope implements Policy. It limits a plain agent to its desks and leaves
// nothing out for anybody else.
func (DefaultPolicy) Scope(w Who, _ string) Scope {
	if w.Kind != KindAgent || w.has(RoleAdministrator) || w.has(RoleSupervisor) {
		return Scope{}
	}
	return Scope{Limited: true, Desks: w.Desks}
}

func denied(p Principal, a Action) error {
	return errs.New(errs.PermissionDenied, "sangdam: %s may not do %s; ask an administrator of the workspace for the role", p.Kind, a)
}

// noSuch is the one answer for what is not there and for what one may not see.
func noSuch(kind string) error { return errs.New(errs.NotFound, "sangdam: there is no such %s", kind) }
