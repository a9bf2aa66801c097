package draft

import (
	"github.com/sangdam/sangdam/conversation"
)

// rank orders outbound states; a status never goes down. Failed outranks what
// happens before acceptance, and delivery may still follow it: some channels
// report a failure of one device and the delivery to another.
var rank = map[conversation.Status]int{
	conversation.StatusQueued: 1, conversation.StatusSending: 2, conversation.StatusUnknown: 3, conversation.StatusSent: 4,
	conversation.StatusFailed: 5, conversation.StatusDelivered: 6, conversation.StatusRead: 7,
}

// Advance returns the status after a report: the higher of both. A received
// (inbound) message has no other. An unknown report changes nothing. A message
// goes back to queued from sending alone, when the same request is sent again.
func Advance(now, to conversation.Status) conversation.Status {
	if now == conversation.StatusReceived || now == conversation.StatusWithdrawn || rank[to] == 0 {
		return now
	}
	if now == conversation.StatusSending && to == conversation.StatusQueued {
		return to
	}
	if rank[to] > rank[now] {
		return to
	}
	return now
}
