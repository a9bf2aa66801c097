package channel

// OutboxID names an outbox row.
type OutboxID string

// OutboxState is where a row stands.
type OutboxState string

const (
	OutboxQueued  OutboxState = "queued"  // it waits for its turn or its time
	OutboxSending OutboxState = "sending" // an Attempt is persisted; its outcome is not known yet
	OutboxSent    OutboxState = "sent"    // the provider took it
	OutboxFailed  OutboxState = "failed"  // permanent, or tries used up
	OutboxUnknown OutboxState = "unknown" // ambiguous on a route that cannot be repeated
	// OutboxCancelled rows were taken back before anything tried to send them.
	OutboxCancelled OutboxState = "cancelled"
)
