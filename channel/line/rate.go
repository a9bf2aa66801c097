package line

import (
	"strings"

	"golang.org/x/time/rate"
)

// Names of the endpoints that Options.Rates limits.
const (
	EndpointReply    = "reply"
	EndpointPush     = "push"
	EndpointLoading  = "loading"
	EndpointMarkRead = "markAsRead"
	EndpointProfile  = "profile"
	EndpointMember   = "member"
	EndpointContent  = "content"
)

// DefaultRates are LINE's limits for one channel, in requests a second, from
// developers.line.biz/en/reference/messaging-api, "Rate limits".
func DefaultRates() map[string]rate.Limit {
	return map[string]rate.Limit{
		EndpointReply: 2000, EndpointPush: 2000, EndpointLoading: 100, EndpointMarkRead: 2000,
		EndpointProfile: 2000, EndpointMember: 2000, EndpointContent: 2000,
	}
}

// endpointOf names the endpoint that a path belongs to; empty where requests
// are too rare to come near a limit.
func endpointOf(path string) string {
	switch path {
	case "/v2/bot/message/reply":
		return EndpointReply
	case "/v2/bot/message/push":
		return EndpointPush
	case "/v2/bot/chat/loading/start":
		return EndpointLoading
	case "/v2/bot/chat/markAsRead":
		return EndpointMarkRead
	}
	switch {
	case strings.HasPrefix(path, "/v2/bot/profile/"):
		return EndpointProfile
	case strings.Contains(path, "/member/"):
		return EndpointMember
	case strings.HasSuffix(path, "/content"):
		return EndpointContent
	}
	return ""
}
