package sangdam

import "slices"

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
	// Actions are those of which one is asked of the policy in each call. Most
	// commands have one; Assign, for instance, asks for another one with Force.
	// A query asks for the first one before it reads anything for its answer.
	// May has none, since it asks for the action that it is given.
	Actions []Action
	// Query says that no result of the call is kept: it only reads, or it is
	// meant to be repeated, such as a read mark. It takes no Key.
	Query bool
	// Resource is the kind of record (Resource.Kind) about which a query asks
	// the policy; empty where the arguments decide the kind.
	Resource string
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

// Commands. One that is not on the list cannot be written: command takes one of
// these, as the frames of queries do (query.go), and operations_test walks the list.
var (
	opAnswer     = register(&Operation{Name: "conversation.answer", Method: "Answer", Actions: []Action{ActAnswer}, Keyed: true})
	opAddNote    = register(&Operation{Name: "conversation.add_note", Method: "AddNote", Actions: []Action{ActNote}, Keyed: true})
	opResend     = register(&Operation{Name: "conversation.resend", Method: "Resend", Actions: []Action{ActResend}, Keyed: true})
	opUpload     = register(&Operation{Name: "attachment.upload", Method: "Upload", Actions: []Action{ActAnswer, ActUpload}, Keyed: true})
	opFetchMedia = register(&Operation{Name: "conversation.fetch_media", Method: "FetchMedia", Actions: []Action{ActFetch}, Keyed: true})
	opEnd        = register(&Operation{Name: "conversation.end", Method: "End", Actions: []Action{ActEnd}, Keyed: true})
	opWait       = register(&Operation{Name: "conversation.wait", Method: "Wait", Actions: []Action{ActEnd}, Keyed: true})
	opReopen     = register(&Operation{Name: "conversation.reopen", Method: "Reopen", Actions: []Action{ActTake}, Keyed: true})

	opAccept   = register(&Operation{Name: "offer.accept", Method: "Accept", Actions: []Action{ActOffer}, Keyed: true})
	opDecline  = register(&Operation{Name: "offer.decline", Method: "Decline", Actions: []Action{ActOffer}, Keyed: true})
	opPick     = register(&Operation{Name: "conversation.pick", Method: "Pick", Actions: []Action{ActTake}, Keyed: true})
	opAssign   = register(&Operation{Name: "conversation.assign", Method: "Assign", Actions: []Action{ActAssign, ActForce}, Keyed: true})
	opTransfer = register(&Operation{Name: "conversation.transfer", Method: "Transfer", Actions: []Action{ActTransfer}, Keyed: true})

	opSaveContact = register(&Operation{Name: "contact.save", Method: "SaveContact", Actions: []Action{ActContact},
		Keyed: true, Versioned: true})
	opLinkIdentity = register(&Operation{Name: "contact.link_identity", Method: "LinkIdentity", Actions: []Action{ActContact}, Keyed: true})
	opLinkUser     = register(&Operation{Name: "contact.link_user", Method: "LinkUser", Actions: []Action{ActContact}, Keyed: true})
	opBeginLink    = register(&Operation{Name: "contact.begin_link", Method: "BeginLink", Actions: []Action{ActContact}, Keyed: true})

	opSetPresence = register(&Operation{Name: "agent.set_presence", Method: "SetPresence", Actions: []Action{ActPresence}, Keyed: true})
	opSaveAgent   = register(&Operation{Name: "agent.save", Method: "SaveAgent", Actions: []Action{ActConfigure}, Keyed: true,
		Versioned: true})

	opSetSwitches = register(&Operation{Name: "agent.set_switches", Method: "SetSwitches", Actions: []Action{ActSwitches}, Keyed: true,
		Versioned: true})

	opSaveDesk       = setup("desk.save", "SaveDesk", true)
	opAddToDesk      = setup("desk.add_agent", "AddToDesk", false)
	opRemoveFromDesk = setup("desk.remove_agent", "RemoveFromDesk", false)
	opSaveQueue      = setup("queue.save", "SaveQueue", true)
	opSaveWorkStream = setup("work_stream.save", "SaveWorkStream", true)
	opSaveAccount    = setup("account.save", "SaveAccount", true)
	opDeleteAccount  = setup("account.delete", "DeleteAccount", true)
	opApply          = setup("setup.apply", "Apply", true)

	opUnsend = register(&Operation{Name: "conversation.unsend", Method: "Unsend", Actions: []Action{ActAnswer}, Keyed: true})

	opSaveTarget = register(&Operation{Name: "target.save", Method: "SaveTarget", Actions: []Action{ActConfigure}, Keyed: true,
		Versioned: true})
	opDeleteTarget = register(&Operation{Name: "target.delete", Method: "DeleteTarget", Actions: []Action{ActConfigure}, Keyed: true,
		Versioned: true})
	opSendNotice       = register(&Operation{Name: "target.send", Method: "SendNotice", Actions: []Action{ActOperate}, Keyed: true})
	opRedeliver        = register(&Operation{Name: "delivery.redeliver", Method: "Redeliver", Actions: []Action{ActOperate}, Keyed: true})
	opReplayDeliveries = register(&Operation{Name: "target.replay", Method: "ReplayDeliveries", Actions: []Action{ActOperate}, Keyed: true})

	opSaveTrigger = register(&Operation{Name: "trigger.save", Method: "SaveTrigger", Actions: []Action{ActConfigure}, Keyed: true,
		Versioned: true})
	opSwitchTrigger = register(&Operation{Name: "trigger.switch", Method: "SwitchTrigger", Actions: []Action{ActConfigure}, Keyed: true,
		Versioned: true})
	opDeleteTrigger = register(&Operation{Name: "trigger.delete", Method: "DeleteTrigger", Actions: []Action{ActConfigure}, Keyed: true,
		Versioned: true})
	opOrderTriggers = register(&Operation{Name: "trigger.order", Method: "OrderTriggers", Actions: []Action{ActConfigure}, Keyed: true,
		Versioned: true})
	opTraceTriggers = register(&Operation{Name: "trigger.trace", Method: "TraceTriggers", Actions: []Action{ActConfigure}, Keyed: true})

	opRetryJob = register(&Operation{Name: "job.retry", Method: "RetryJob", Actions: []Action{ActOperate}, Keyed: true})
	opRequeue  = register(&Operation{Name: "inbox.requeue", Method: "Requeue", Actions: []Action{ActOperate}, Keyed: true})
)

// setup describes a command that changes the workspace's settings.
func setup(name, method string, versioned bool) *Operation {
	return register(&Operation{Name: name, Method: method, Actions: []Action{ActConfigure}, Keyed: true,
		Versioned: versioned, settings: true})
}

// Operations lists the commands and queries that take a Principal. Three
// methods that write take none and are not listed: CreateWorkspace, which is
// ErrAlreadyExists when it is repeated; RotateKeys, which has nothing to do
// when it is repeated; and Heartbeat, which is meant to be repeated.
func Operations() []Operation {
	out := make([]Operation, 0, len(operations))
	for _, op := range operations {
		c := *op
		c.Actions = slices.Clone(op.Actions)
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
