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

// WorkspaceID names a tenant.
type WorkspaceID = id.Workspace

// PrincipalKind says what acts.
type PrincipalKind string

const (
	// KindAgent is a person who answers; ID is the host's agent id.
	KindAgent PrincipalKind = "agent"
	// KindHost is the program that embeds the library, acting for itself.
	KindHost PrincipalKind = "host"
	// KindSystem is the library: deadlines, routing, automated messages.
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

// Principal is who a command or query acts for. The host authenticates; the
// library authorises. Host and AgentPrincipal make one: the zero Principal, one
// without a workspace, of another kind than these, or an agent without an id may do
// nothing, whatever the policy says.
type Principal struct {
	Workspace WorkspaceID
	Kind      PrincipalKind
	ID        string
	// Roles are what the DefaultPolicy goes by, RoleAgent and above. They come
	// with every call: the role that is stored of an agent (routing.Agent.Role) is
	// for the host, which gives it here when somebody has logged in.
	Roles []Role
	// IP is recorded in the audit log where the host gives it.
	IP string
}

// Host is the principal of the embedding program itself, with every right in the
// workspace. Who a person is, and whether it may come in, the host has asked before.
func Host(ws WorkspaceID) Principal { return Principal{Workspace: ws, Kind: KindHost, ID: "host"} }

// AgentPrincipal is an agent with the roles given, RoleAgent when none is. The host
// has authenticated it; whether it is disabled, and on which desks it is, the
// Engine reads of the stored agent. An agent that is not stored is judged by the
// policy alone.
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

// Resource is what an action concerns, from the columns of its record: what a
// policy may decide by. Fields that do not apply are empty.
type Resource struct {
	Kind string // conversation, contact, agent, offer, workspace, …
	// ID is empty for a record that is about to be made, and for a whole list.
	ID string
	// Desk that a conversation, or the conversation of an offer, is on.
	Desk routing.DeskID
	// Desks that a contact wrote to.
	Desks []routing.DeskID
	// Owner is the agent who holds it.
	Owner routing.AgentID
	// Asked is the colleague whom the owner of a conversation asks to take it over.
	Asked routing.AgentID
	// Of a conversation.
	Account channel.AccountID
	Channel channel.Kind
	Stream  routing.WorkStreamID
	Contact conversation.ContactID
	State   conversation.State
}

// name is how the audit log names the resource.
func (r Resource) name() string { return r.Kind + ":" + r.ID }

// Who is a principal together with what the library knows of it.
type Who struct {
	Principal
	// Agent is what is stored of the agent, nil for one that only the host knows
	// and for every other kind of principal.
	Agent *routing.Agent
	// Desks the agent belongs to, ordered.
	Desks []routing.DeskID
}

// On says whether the agent belongs to the desk.
func (w Who) On(d routing.DeskID) bool {
	_, found := slices.BinarySearch(w.Desks, d)
	return found
}

// Policy decides what principals may do and see. Its methods are pure: they do
// no I/O, and are called at once and for every record of a list. A record may
// be seen by whom Authorize allows ActRead of it; reading, lists, counts,
// searches, the customer's summary, contacts and the feed all ask this one
// question. Embed DefaultPolicy to change it in part.
type Policy interface {
	// Authorize returns nil, ErrPermissionDenied, or ErrNotFound to hide that
	// the thing exists. Not asked for are agents without any role, agents who are
	// disabled (refused), work on chats without the permission or the switch
	// (refused), the owner of an open conversation, who may always read, answer,
	// note, wait and end, and whom the owner asks to take it over, who may read and
	// note as long as that lasts.
	Authorize(ctx context.Context, w Who, a Action, r Resource) error
	// Scope says which records of a kind ("conversation", "contact") ActRead
	// cannot be allowed of, so that the store need not read them. It may be too
	// wide, never too narrow; the zero Scope leaves nothing out.
	Scope(w Who, kind string) Scope
}

// Scope bounds what a list reads. What the agent itself owns is read always.
type Scope struct {
	// Limited makes Desks count; without it nothing is left out.
	Limited bool
	// Desks whose records may be allowed; none of them: only what is owned.
	Desks []routing.DeskID
}

// PolicyFunc is a Policy of one function, with the zero Scope: whatever lists
// read is asked about, one by one.
type PolicyFunc func(ctx context.Context, w Who, a Action, r Resource) error

// Authorize calls the function.
func (f PolicyFunc) Authorize(ctx context.Context, w Who, a Action, r Resource) error {
	return f(ctx, w, a, r)
}

// Scope leaves nothing out.
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

// Scope implements Policy: a plain agent's desks.
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
