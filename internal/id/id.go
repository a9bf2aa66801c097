// Package id holds the identifier types that several domain packages share.
// Each is re-exported, as an alias, by the package that owns the thing; they
// live here so that no domain package imports another for a name alone.
//
// Identifiers that the library makes are UUIDv7 strings. Agent identifiers
// are the host's own opaque strings. None of them authorises anything.
package id

type (
	// Workspace names a tenant.
	Workspace string
	// Desk names a presence with its own agents, hours and messages.
	Desk string
	// WorkStream names a work stream.
	WorkStream string
	// Queue names a queue.
	Queue string
	// Agent is the host's identifier of an agent.
	Agent string
	// Account names the credentials and settings on one channel.
	Account string
	// Contact names a person.
	Contact string
	// Identity names one appearance of a person on one channel.
	Identity string
	// Conversation names a conversation.
	Conversation string
	// Message names a message of ours; the provider's id is another type.
	Message string
	// Offer names an offer of work to an agent.
	Offer string
	// Assignment names an assignment of work to an agent.
	Assignment string
	// Target names where notices go.
	Target string
)
