package channel

// OutboxID names a row of the outbox: one message that is to be sent.
type OutboxID string

// OutboxState is the state of a row of the outbox.
type OutboxState string

const (
	OutboxQueued  OutboxState = "queued"  // it waits for its turn or its time
	OutboxSending OutboxState = "sending" // a request to the provider is stored; its outcome is not known yet
	OutboxSent    OutboxState = "sent"    // the provider took it
	OutboxFailed  OutboxState = "failed"  // refused for good, or every try failed
	OutboxUnknown OutboxState = "unknown" // the provider may have taken it, and sending it again could send it twice
	// OutboxCancelled rows were taken back before anything tried to send them.
	OutboxCancelled OutboxState = "cancelled"
)
