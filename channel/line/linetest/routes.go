package linetest

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/sangdam/sangdam/channel/emukit"
)

// endpoint is one call of the Messaging API.
type endpoint struct {
	name    string // for faults, counts and Options.Rates
	pattern string
	limit   rate.Limit // a second
	open    bool       // needs no access token
	handle  func(*Server, *http.Request, []byte) reply
}

func perHour(n int) rate.Limit { return rate.Every(time.Hour / time.Duration(n)) }

// endpoints holds LINE's rates as of developers.line.biz, Messaging API
// reference, "Rate limits".
func endpoints() []endpoint {
	return []endpoint{
		{"reply", "POST /v2/bot/message/reply", 2000, false, (*Server).handleReply},
		{"push", "POST /v2/bot/message/push", 2000, false, (*Server).handlePush},
		{"multicast", "POST /v2/bot/message/multicast", 200, false, (*Server).handleMulticast},
		{"broadcast", "POST /v2/bot/message/broadcast", perHour(60), false, (*Server).handleBroadcast},
		{"validate", "POST /v2/bot/message/validate/{route}", 2000, false, (*Server).handleValidate},
		{"quota", "GET /v2/bot/message/quota", 2000, false, (*Server).handleQuota},
		{"consumption", "GET /v2/bot/message/quota/consumption", 2000, false, (*Server).handleConsumption},
		{"content", "GET /v2/bot/message/{id}/content", 2000, false, (*Server).handleContent},
		{"preview", "GET /v2/bot/message/{id}/content/preview", 2000, false, (*Server).handlePreview},
		{"transcoding", "GET /v2/bot/message/{id}/content/transcoding", 2000, false, (*Server).handleTranscoding},
		{"loading", "POST /v2/bot/chat/loading/start", 100, false, (*Server).handleLoading},
		{"markAsRead", "POST /v2/bot/chat/markAsRead", 2000, false, (*Server).handleMarkAsRead},
		{"profile", "GET /v2/bot/profile/{user}", 2000, false, (*Server).handleProfile},
		{"member", "GET /v2/bot/{kind}/{chat}/member/{user}", 2000, false, (*Server).handleMember},
		{"membersCount", "GET /v2/bot/{kind}/{chat}/members/count", 2000, false, (*Server).handleMembersCount},
		{"memberIDs", "GET /v2/bot/{kind}/{chat}/members/ids", 2000, false, (*Server).handleMemberIDs},
		{"summary", "GET /v2/bot/group/{chat}/summary", 2000, false, (*Server).handleSummary},
		{"leave", "POST /v2/bot/{kind}/{chat}/leave", 2000, false, (*Server).handleLeave},
		{"followers", "GET /v2/bot/followers/ids", 2000, false, (*Server).handleFollowers},
		{"info", "GET /v2/bot/info", 2000, false, (*Server).handleInfo},
		{"webhookSet", "PUT /v2/bot/channel/webhook/endpoint", rate.Every(time.Minute / 1000), false, (*Server).handleWebhookSet},
		{"webhookGet", "GET /v2/bot/channel/webhook/endpoint", rate.Every(time.Minute / 1000), false, (*Server).handleWebhookGet},
		{"webhookTest", "POST /v2/bot/channel/webhook/test", perHour(60), false, (*Server).handleWebhookTest},
		{"linkToken", "POST /v2/bot/user/{user}/linkToken", 2000, false, (*Server).handleLinkToken},
		{"tokenV3", "POST /oauth2/v3/token", 2000, true, (*Server).handleTokenV3},
		{"tokenV2", "POST /oauth2/v2.1/token", 2000, true, (*Server).handleTokenV2},
		{"verify", "POST /oauth2/v2.1/verify", 2000, true, (*Server).handleVerifyID},
		{"menuCreate", "POST /v2/bot/richmenu", perHour(100), false, (*Server).handleMenuCreate},
		{"menuList", "GET /v2/bot/richmenu/list", 2000, false, (*Server).handleMenuList},
		{"menuGet", "GET /v2/bot/richmenu/{menu}", 2000, false, (*Server).handleMenuGet},
		{"menuDelete", "DELETE /v2/bot/richmenu/{menu}", perHour(100), false, (*Server).handleMenuDelete},
		{"menuUpload", "POST /v2/bot/richmenu/{menu}/{part}", 2000, false, (*Server).handleMenuUpload},
		{"menuDefaultSet", "POST /v2/bot/user/all/richmenu/{menu}", 2000, false, (*Server).handleMenuDefaultSet},
		{"menuDefaultGet", "GET /v2/bot/user/all/richmenu", 2000, false, (*Server).handleMenuDefaultGet},
		{"menuDefaultClear", "DELETE /v2/bot/user/all/richmenu", 2000, false, (*Server).handleMenuDefaultClear},
		{"menuLink", "POST /v2/bot/user/{user}/richmenu/{menu}", 2000, false, (*Server).handleMenuLink},
		{"menuOf", "GET /v2/bot/user/{user}/richmenu", 2000, false, (*Server).handleMenuOf},
		{"menuUnlink", "DELETE /v2/bot/user/{user}/richmenu", 2000, false, (*Server).handleMenuUnlink},
		{"aliasCreate", "POST /v2/bot/richmenu/alias", 2000, false, (*Server).handleAliasCreate},
		{"aliasUpdate", "POST /v2/bot/richmenu/alias/{alias}", 2000, false, (*Server).handleAliasUpdate},
		{"aliasGet", "GET /v2/bot/richmenu/alias/{alias}", 2000, false, (*Server).handleAliasGet},
		{"aliasDelete", "DELETE /v2/bot/richmenu/alias/{alias}", 2000, false, (*Server).handleAliasDelete},
	}
}

// Endpoints lists the names that faults, counts and Options.Rates use.
func Endpoints() []string {
	var names []string
	for _, e := range endpoints() {
		names = append(names, e.name)
	}
	return names
}

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	for _, e := range endpoints() {
		limit := e.limit
		if own, ok := s.opt.Rates[e.name]; ok {
			limit = own
			if own == 0 {
				limit = rate.Inf
			}
		}
		burst := max(int(limit), 1)
		if limit < 1 { // hourly limits are a bucket of an hour
			burst = max(int(limit*3600+0.5), 1)
		}
		s.limits[e.name] = rate.NewLimiter(limit, burst)
		if !strings.Contains(e.pattern, "{kind}") {
			s.mux.Handle(e.pattern, s.serve(e))
			continue
		}
		for _, kind := range []string{"group", "room"} {
			s.mux.Handle(strings.Replace(e.pattern, "{kind}", kind, 1), s.serve(e))
		}
	}
	s.mux.HandleFunc("GET /dialog/bot/accountLink", s.handleLinkDialog)
	s.controlRoutes()
}

// ServeHTTP serves the Messaging API, the control interface and the page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// serve puts what every call has in common around its handler: counting,
// token, rate, size, faults, the request id.
func (s *Server) serve(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxRequest)
		if e.name == "menuUpload" {
			limit = maxUploaded
		}
		body, unread := emukit.ReadBody(r, limit)
		fault := s.begin(e.name, body)
		if fault.Kind.Untaken(r) {
			s.recordCall(e.name, r, body, 0, "")
			panic(http.ErrAbortHandler)
		}
		s.mu.Lock()
		id := s.uuid()
		r.Header.Set(requestIDKey, id)
		out, refused := fault.refusal()
		if !refused {
			out = s.checked(e, r, body, unread)
		}
		s.mu.Unlock()
		s.recordCall(e.name, r, body, out.Status, id)
		fault.Kind.Taken(r, out, failed(), fault.Delay).With("X-Line-Request-Id", id).Write(w)
	}
}

// requestIDKey carries the id to the handler; a caller's own value is
// overwritten.
const requestIDKey = "X-Emulator-Request-Id"

// checked refuses what LINE refuses of any call, and hands the rest on. The lock
// is held, for the handlers too.
func (s *Server) checked(e endpoint, r *http.Request, body []byte, unread error) reply {
	if !e.open && !s.authorised(r) {
		return fail(http.StatusUnauthorized, "Authentication failed. Confirm that the access token in the authorization header is valid.")
	}
	if !s.limits[e.name].AllowN(s.now(), 1) {
		return fail(http.StatusTooManyRequests, textRateLimit)
	}
	switch {
	case errors.Is(unread, emukit.ErrTooLarge):
		return fail(http.StatusRequestEntityTooLarge, "Request entity too large")
	case unread != nil:
		return fail(http.StatusBadRequest, "The request body could not be read")
	}
	if len(r.Header.Values("X-Line-Retry-Key")) > 0 && !retryable[e.name] {
		return fail(http.StatusBadRequest, "The retry key is not supported by this endpoint")
	}
	return e.handle(s, r, body)
}

var retryable = map[string]bool{"push": true, "multicast": true, "broadcast": true}

// LINE's texts of 429. The third is not documented.
const (
	textRateLimit = "The API rate limit has been exceeded. Try again later."
	textQuota     = "You have reached your monthly limit."
	textRecipient = "Too many messages have been sent to the same user. Try again later."
)

// Call is one call of the Messaging API as the emulator saw it.
type Call struct {
	At        time.Time `json:"at"`
	Endpoint  string    `json:"endpoint"`
	Path      string    `json:"path"`
	Status    int       `json:"status"` // 0: cut before anything happened
	RequestID string    `json:"request_id"`
	RetryKey  string    `json:"retry_key,omitempty"`
	Body      []byte    `json:"-"`
}

// keepCalls is how many calls are kept, the newest.
const keepCalls = 20_000

func (s *Server) recordCall(name string, r *http.Request, body []byte, status int, id string) {
	s.calls.Add(Call{At: s.now(), Endpoint: name, Path: r.URL.Path, Status: status, RequestID: id,
		RetryKey: r.Header.Get("X-Line-Retry-Key"), Body: body})
	s.log.Debug("linetest: call", "endpoint", name, "status", status)
	s.changes.Touch()
}

// Calls returns the calls of an endpoint, oldest first; of all endpoints when
// name is empty. The last twenty thousand are kept.
func (s *Server) Calls(name string) []Call {
	return s.calls.Where(func(c Call) bool { return name == "" || c.Endpoint == name })
}
