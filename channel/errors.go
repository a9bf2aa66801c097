package channel

// Reason is why a message could not be sent, in terms that hold on every
// channel. Unknown values are kept and shown as they are.
type Reason string

const (
	ReasonUnreachable   Reason = "unreachable"    // blocked, deleted, unknown recipient
	ReasonContent       Reason = "content"        // the provider refused the content
	ReasonCredentials   Reason = "credentials"    // token or secret wrong, expired or lacking a right
	ReasonQuota         Reason = "quota"          // the plan's messages are used up
	ReasonRate          Reason = "rate"           // too many requests
	ReasonRecipientRate Reason = "recipient_rate" // too many messages to one recipient
	ReasonUnsupported   Reason = "unsupported"    // the channel cannot carry this
	ReasonProvider      Reason = "provider"       // the provider failed
	ReasonNetwork       Reason = "network"        // no answer, or the connection broke
	ReasonReplyHandle   Reason = "reply_handle"   // the reply handle was used or is too old
	ReasonGone          Reason = "gone"           // the provider does not have it any more
	ReasonMasked        Reason = "masked"         // it held text that is masked now
	ReasonTooLarge      Reason = "too_large"      // larger than what is kept
	ReasonStorage       Reason = "storage"        // the host's blob store failed
)
