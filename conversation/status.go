package conversation

// rank orders outbound states; a status never goes down. Failed outranks what
// happens before acceptance, and delivery may still follow it: some channels
// report a failure of one device and the delivery to another.
var rank = map[Status]int{
	StatusQueued: 1, StatusSending: 2, StatusUnknown: 3, StatusSent: 4, StatusFailed: 5, StatusDelivered: 6, StatusRead: 7,
}

// Advance returns the status after a report: the higher of both. A received
// (inbound) message has no other. An unknown report changes nothing. A message
// goes back to queued from sending alone, when the same request is sent again.
func Advance(now, to Status) Status {
	if now == StatusReceived || now == StatusWithdrawn || rank[to] == 0 {
		return now
	}
	if now == StatusSending && to == StatusQueued {
		return to
	}
	if rank[to] > rank[now] {
		return to
	}
	return now
}
