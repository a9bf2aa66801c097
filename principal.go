package sangdam

import (
	"context"
	"slices"

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
	RoleAdministrator Role = "administrator"
	RoleSupervisor    Role = "supervisor"
	RoleAgent         Role = "agent"
)

// Principal is who a command or query acts for. The host authenticates; the
// library authorises. The zero Principal may do nothing.
type Principal struct {
	Workspace WorkspaceID
	Kind      PrincipalKind
	ID        string
	Roles     []Role
	// IP is recorded in the audit log where the host gives it.
	IP string
}

// Host is the embedding program itself, with every right in the workspace.
func Host(ws WorkspaceID) Principal { return Principal{Workspace: ws, Kind: KindHost, ID: "host"} }

// AgentPrincipal is an agent with the roles given.
func AgentPrincipal(ws WorkspaceID, agent routing.AgentID, roles ...Role) Principal {
	if len(roles) == 0 {
		roles = []Role{RoleAgent}
	}
	return Principal{Workspace: ws, Kind: KindAgent, ID: string(agent), Roles: roles}
}

func system(ws WorkspaceID) Principal {
	return Principal{Workspace: ws, Kind: KindSystem, ID: "system"}
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
	ActRead      Action = "conversation.read"
	ActList      Action = "conversation.list"
	ActAnswer    Action = "conversation.answer"
	ActNote      Action = "conversation.note"
	ActEnd       Action = "conversation.end"
	ActTransfer  Action = "conversation.transfer"
	ActTake      Action = "conversation.take"   // pick from the queue
	ActAssign    Action = "conversation.assign" // to somebody else
	ActForce     Action = "conversation.force"  // beyond capacity
	ActResend    Action = "conversation.resend"
	ActPanel     Action = "conversation.panel"
	ActContact   Action = "contact.write"
	ActOffer     Action = "offer.answer"
	ActPresence  Action = "agent.presence"
	ActConfigure Action = "workspace.configure"
	ActReadAudit Action = "audit.read"
	ActOperate   Action = "workspace.operate" // quarantine, dead letters
	ActSearch    Action = "conversation.search"
)

// Resource is what an action concerns. Fields that do not apply are empty.
type Resource struct {
	Kind string // conversation, contact, agent, offer, workspace, …
	ID   string
	Desk routing.DeskID
	// Owner is the agent who holds it.
	Owner routing.AgentID
	// Member says that the acting agent belongs to Desk.
	Member bool
}

// name is how the audit log names the resource.
func (r Resource) name() string { return r.Kind + ":" + r.ID }

// AuthorizeFunc decides whether a principal may do something. It returns nil,
// ErrPermissionDenied, or ErrNotFound to hide that the thing exists. It does
// no I/O and may be called at once.
type AuthorizeFunc func(ctx context.Context, p Principal, a Action, r Resource) error

var (
	agentsOwn = []Action{ActAnswer, ActNote, ActEnd, ActTransfer, ActResend, ActPanel}
	agentsAny = []Action{ActRead, ActTake, ActContact, ActNote, ActPanel}
)

// DefaultAuthorize is the policy when Config.Authorize is nil. The host and the
// library may do everything. An administrator may do everything in the
// workspace. A supervisor reads, transfers, assigns and forces on every desk.
// An agent reads what is on the desks it belongs to (else ErrNotFound), answers
// and ends what it owns, picks, and sets its own presence.
func DefaultAuthorize(_ context.Context, p Principal, a Action, r Resource) error {
	switch p.Kind {
	case KindHost, KindSystem:
		return nil
	case KindAgent:
	default:
		return denied(p, a)
	}
	if p.has(RoleAdministrator) {
		return nil
	}
	supervisor := p.has(RoleSupervisor)
	switch a {
	case ActConfigure, ActReadAudit, ActOperate:
		return denied(p, a)
	case ActList, ActSearch:
		return nil // what is found is narrowed to the agent's desks
	case ActPresence, ActOffer:
		if string(r.Owner) == p.ID || (supervisor && a == ActPresence) {
			return nil
		}
		return denied(p, a)
	}
	if supervisor {
		return nil
	}
	if !p.has(RoleAgent) {
		return denied(p, a)
	}
	if r.Desk != "" && !r.Member {
		return errs.New(errs.NotFound, "sangdam: no such %s", r.Kind)
	}
	if slices.Contains(agentsAny, a) {
		return nil
	}
	if slices.Contains(agentsOwn, a) && string(r.Owner) == p.ID {
		return nil
	}
	return denied(p, a)
}

func denied(p Principal, a Action) error {
	return errs.New(errs.PermissionDenied, "sangdam: %s may not do %s; ask an administrator of the workspace for the role", p.Kind, a)
}
