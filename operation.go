package sangdam

import (
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
)

// Operation describes a command or a query of the Engine: its name in the audit
// log, the right that it needs, and what makes it safe to repeat. Documentation
// and tests of rights are made from the list of them.
type Operation struct {
	// Name is the operation's name in the audit log, such as
	// "conversation.answer". It is part of what is kept with a Key, so that the
	// same Key for two commands is ErrConflict even when their fields are
	// alike.
	Name string
	// Method is the Engine's method that carries it out.
	Method string
	// Actions are what the policy is asked: most commands have one, Assign has another
	// one with Force, SavePanel another one for the customer's panel. A command asks for
	// these about records of Resources and for nothing else; the frame refuses a body
	// that does. ActRead and ActList among them are for what the command reads beside
	// its own record and are no right to carry it out. A query asks for the first action before it
	// reads anything for its answer; May asks for the one that it is given, and has none.
	Actions []Action
	// Query says that no result of the call is kept: it only reads, or it is
	// meant to be repeated, such as a read mark. It takes no Key.
	Query bool
	// Resources are the kinds of record (Resource.Kind) that the policy is asked about:
	// mostly one, several where what it is called with decides it, such as that of an
	// offer, or where another record is changed too.
	Resources []string
	// WorkspaceWide says why the answer of a query does not depend on which conversations,
	// contacts and tickets may be read: whoever may ask is shown all of it. Empty for one
	// that shows of each record only what ActRead allows.
	WorkspaceWide string
	// Log says that the query tells to which records something happened, by their kinds
	// and ids, also of such as may not be read; what they hold it does not tell.
	Log bool
	// Keyed says that the command takes a Key. Every one that writes does.
	Keyed bool
	// Versioned says that the command replaces something and takes the version
	// of it that the caller read.
	Versioned bool
	// settings says that the command changes the workspace's settings: it holds
	// them before its first read and waits for its turn.
	settings bool
	// named is what a refusal calls the thing, where that is not its kind.
	named string
}

// Why queries are workspace-wide.
const (
	wideSetUp  = "what is set up is the workspace's; no customer's record is part of it"
	wideAgents = "who works here is known to colleagues; no customer's record is part of it"
	wideLog    = "who looks after the workspace has to see all that happened in it, by kinds and ids"
	wideNumber = "it is numbers and states over the whole workspace; no record is told apart in them"
)

// acts describes a command: for which actions the policy is asked, about records of
// which kind.
func acts(name, method, resource string, actions ...Action) *Operation {
	return register(&Operation{Name: name, Method: method, Resources: []string{resource}, Actions: actions, Keyed: true})
}

// setup describes a command that changes the workspace's settings.
func setup(name, method, resource string) *Operation {
	op := acts(name, method, resource, ActConfigure)
	op.settings = true
	return op
}

// also adds kinds of record that the policy is asked about.
func (op *Operation) also(kinds ...string) *Operation {
	op.Resources = append(op.Resources, kinds...)
	return op
}

// versioned says that the command takes the version that the caller saw.
func (op *Operation) versioned() *Operation {
	op.Versioned = true
	return op
}

// wide says that a query hides no record from who may ask, and why.
func (op *Operation) wide(why string) *Operation {
	op.WorkspaceWide = why
	return op
}

// log says that a query names records that may not be read.
func (op *Operation) log() *Operation {
	op.Log = true
	return op
}

// names refuses a question to the policy that the command's table does not have.
func (op *Operation) names(a Action, r Resource) error {
	if slices.Contains(op.Actions, a) && slices.Contains(op.Resources, r.Kind) {
		return nil
	}
	return errs.New(errs.PermissionDenied, "sangdam: %s asked for %s about a record of the kind %s, which its entry in the table "+
		"of operations does not name; this is a fault of the library", op.Name, a, r.Kind)
}

// Commands. One that is not on the list cannot be written: command takes one of
// these, as the frames of queries do (query.go), and operations_test walks the list.
var (
	opAnswer     = acts("conversation.answer", "Answer", kindConversation, ActAnswer)
	opAddNote    = acts("conversation.add_note", "AddNote", kindConversation, ActNote)
	opResend     = acts("conversation.resend", "Resend", kindConversation, ActResend)
	opUpload     = acts("attachment.upload", "Upload", kindConversation, ActAnswer, ActUpload).also(kindUpload)
	opFetchMedia = acts("conversation.fetch_media", "FetchMedia", kindConversation, ActFetch)
	opEnd        = acts("conversation.end", "End", kindConversation, ActEnd)
	opWait       = acts("conversation.wait", "Wait", kindConversation, ActEnd)
	opReopen     = acts("conversation.reopen", "Reopen", kindConversation, ActTake)

	opAccept   = acts("offer.accept", "Accept", kindOffer, ActOffer).also(kindTicketOffer)
	opDecline  = acts("offer.decline", "Decline", kindOffer, ActOffer).also(kindTicketOffer)
	opPick     = acts("conversation.pick", "Pick", kindConversation, ActTake)
	opAssign   = acts("conversation.assign", "Assign", kindConversation, ActAssign, ActForce)
	opTransfer = acts("conversation.transfer", "Transfer", kindConversation, ActTransfer)

	opSaveContact  = acts("contact.save", "SaveContact", kindContact, ActContact).versioned()
	opLinkIdentity = acts("contact.link_identity", "LinkIdentity", kindContact, ActContact).also(kindConversation)
	opLinkUser     = acts("contact.link_user", "LinkUser", kindContact, ActContact).also(kindConversation)
	opBeginLink    = acts("contact.begin_link", "BeginLink", kindContact, ActContact)

	opSetPresence = acts("agent.set_presence", "SetPresence", kindAgent, ActPresence)
	opSaveAgent   = acts("agent.save", "SaveAgent", kindAgent, ActConfigure).versioned()

	opSetSwitches = acts("agent.set_switches", "SetSwitches", kindAgent, ActSwitches).versioned()

	opSaveDesk       = setup("desk.save", "SaveDesk", kindDesk).versioned()
	opAddToDesk      = setup("desk.add_agent", "AddToDesk", kindDesk)
	opRemoveFromDesk = setup("desk.remove_agent", "RemoveFromDesk", kindDesk)
	opSaveQueue      = setup("queue.save", "SaveQueue", "queue").versioned()
	opSaveWorkStream = setup("work_stream.save", "SaveWorkStream", "work_stream").versioned()
	opSaveAccount    = setup("account.save", "SaveAccount", kindAccount).versioned()
	opDeleteAccount  = setup("account.delete", "DeleteAccount", kindAccount).versioned()
	opApply          = setup("setup.apply", "Apply", kindWorkspace).versioned()

	opUnsend = acts("conversation.unsend", "Unsend", kindConversation, ActAnswer)

	opSaveTarget       = acts("target.save", "SaveTarget", kindTarget, ActConfigure).versioned()
	opDeleteTarget     = acts("target.delete", "DeleteTarget", kindTarget, ActConfigure).versioned()
	opSendNotice       = acts("target.send", "SendNotice", kindTarget, ActOperate)
	opRedeliver        = acts("delivery.redeliver", "Redeliver", "delivery", ActOperate)
	opReplayDeliveries = acts("target.replay", "ReplayDeliveries", kindTarget, ActOperate)

	opSaveTrigger   = acts("trigger.save", "SaveTrigger", kindTrigger, ActConfigure).versioned()
	opSwitchTrigger = acts("trigger.switch", "SwitchTrigger", kindTrigger, ActConfigure).versioned()
	opDeleteTrigger = acts("trigger.delete", "DeleteTrigger", kindTrigger, ActConfigure).versioned()
	opOrderTriggers = acts("trigger.order", "OrderTriggers", kindTrigger, ActConfigure).versioned()
	opTraceTriggers = acts("trigger.trace", "TraceTriggers", kindTrigger, ActConfigure)

	opRetryJob = acts("job.retry", "RetryJob", "job", ActOperate)
	opRequeue  = acts("inbox.requeue", "Requeue", "envelope", ActOperate)
)

// Operations lists the commands and queries that take a Principal. Three
// methods that write take none and are not listed: CreateWorkspace, which is
// ErrAlreadyExists when it is repeated; RotateKeys, which has nothing to do
// when it is repeated; and Heartbeat, which is meant to be repeated.
func Operations() []Operation {
	out := make([]Operation, 0, len(operations))
	for _, op := range operations {
		c := *op
		c.Actions, c.Resources = slices.Clone(op.Actions), slices.Clone(op.Resources)
		out = append(out, c)
	}
	return out
}

// operations are all that register was given, in the order of the files' names.
var operations []*Operation

// register puts a command or query on the list: in the file that carries it out, so that
// adding one touches no other.
func register(op *Operation) *Operation {
	operations = append(operations, op)
	return op
}

// Visitors' commands. They are not in Operations: a visitor's port asks no
// policy, since it reaches nothing but the visitor's own part.
var (
	opVisitorPost     = &Operation{Name: "visitor.post", Actions: []Action{actVisitorPost}, Keyed: true}
	opVisitorConsent  = &Operation{Name: "visitor.consent", Actions: []Action{actVisitorConsent}, Keyed: true}
	opVisitorIdentify = &Operation{Name: "visitor.identify", Actions: []Action{actVisitorIdentify}}
	opVisitorRate     = &Operation{Name: "visitor.rate", Actions: []Action{actVisitorRate}, Keyed: true}
	opVisitorEnd      = &Operation{Name: "visitor.end", Actions: []Action{actVisitorEnd}, Keyed: true}
)
