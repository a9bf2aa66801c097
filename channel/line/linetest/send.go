package linetest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel/emukit"
)

// Lives of what makes sending safe or free, as LINE documents them.
const (
	replyLife    = time.Minute      // from the last (re)delivery of the webhook
	replyCap     = 20 * time.Minute // from the event
	retryKeyLife = 24 * time.Hour
)

// replyRef is a reply token.
type replyRef struct {
	chat      *Chat
	delivered time.Time // zero: the webhook was never sent
	used      bool
	body      []byte // what used it, for Options.RepeatReplies
	answer    reply
}

// accepted is what LINE remembers under a retry key.
type accepted struct {
	requestID string
	body      []byte
}

var (
	uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	idForm   = regexp.MustCompile(`^[UCR][0-9a-f]{32}$`)
)

// outgoing is a decoded request to send.
type outgoing struct {
	ReplyToken string            `json:"replyToken"`
	To         json.RawMessage   `json:"to"`
	Messages   []json.RawMessage `json:"messages"`

	route     string
	requestID string
	retryKey  string
}

func (s *Server) decode(r *http.Request, body []byte, route string) (outgoing, *reply) {
	out := outgoing{route: route, requestID: r.Header.Get(requestIDKey), retryKey: r.Header.Get("X-Line-Retry-Key")}
	if ct := r.Header.Get("Content-Type"); ct == "" || ct[:min(len(ct), 16)] != "application/json" {
		bad := fail(http.StatusUnsupportedMediaType, "The content type of the request is not application/json")
		return out, &bad
	}
	if json.Unmarshal(body, &out) != nil {
		bad := fail(http.StatusBadRequest, "The request body could not be parsed as JSON")
		return out, &bad
	}
	if len(r.Header.Values("X-Line-Retry-Key")) > 0 && !uuidForm.MatchString(out.retryKey) {
		bad := fail(http.StatusBadRequest, "The value of the X-Line-Retry-Key header is not a hexadecimal UUID")
		return out, &bad
	}
	return out, nil
}

func (s *Server) handleReply(r *http.Request, body []byte) reply {
	out, bad := s.decode(r, body, "reply")
	if bad != nil {
		return *bad
	}
	ref, known := s.replies.Get(out.ReplyToken)
	kind := "user"
	if known {
		kind = ref.chat.kind
	}
	if bad := s.invalid(out.Messages, kind); bad != nil {
		return *bad
	}
	now := s.now()
	if s.opt.RepeatReplies && known && ref.used && bytes.Equal(ref.body, body) {
		return ref.answer
	}
	if !known || ref.used || ref.delivered.IsZero() || now.Sub(ref.delivered) > replyLife {
		return fail(http.StatusBadRequest, "Invalid reply token")
	}
	ref.used = true
	done := emukit.JSON(http.StatusOK, s.hand(ref.chat, out))
	if s.opt.RepeatReplies {
		ref.body, ref.answer = bytes.Clone(body), done
	}
	return done
}

func (s *Server) handlePush(r *http.Request, body []byte) reply {
	out, bad := s.decode(r, body, "push")
	if bad != nil {
		return *bad
	}
	var to string
	if json.Unmarshal(out.To, &to) != nil || !idForm.MatchString(to) {
		return fail(http.StatusBadRequest, "The property, 'to', in the request body is invalid (line: -, column: -)")
	}
	chat := s.chats[to]
	kind := map[byte]string{'U': "user", 'C': "group", 'R': "room"}[to[0]]
	if bad := s.invalid(out.Messages, kind); bad != nil {
		return *bad
	}
	if again, ok := s.repeated(out.retryKey); ok {
		return again
	}
	if chat == nil || chat.left {
		return fail(http.StatusBadRequest, "Failed to send messages")
	}
	return s.push(chat, out)
}

// push hands messages to a chat, as far as plan and rate allow.
func (s *Server) push(chat *Chat, out outgoing) reply {
	cost := chat.recipients()
	if !s.affords(cost) {
		return fail(http.StatusTooManyRequests, textQuota)
	}
	if s.flooded(chat.only(), len(out.Messages)) {
		return fail(http.StatusTooManyRequests, textRecipient)
	}
	s.used += cost
	done := emukit.JSON(http.StatusOK, s.hand(chat, out))
	s.remember(out, done.Body)
	return done
}

func (s *Server) handleMulticast(r *http.Request, body []byte) reply {
	out, bad := s.decode(r, body, "multicast")
	if bad != nil {
		return *bad
	}
	var to []string
	if json.Unmarshal(out.To, &to) != nil || len(to) < 1 || len(to) > 500 ||
		slices.ContainsFunc(to, func(id string) bool { return !idForm.MatchString(id) || id[0] != 'U' }) {
		return fail(http.StatusBadRequest, "The property, 'to', in the request body is invalid (line: -, column: -)")
	}
	var chats []*Chat
	for _, id := range to {
		if c := s.chats[id]; c != nil { // unknown ones are passed over
			chats = append(chats, c)
		}
	}
	return s.toMany(chats, out)
}

func (s *Server) handleBroadcast(r *http.Request, body []byte) reply {
	out, bad := s.decode(r, body, "broadcast")
	if bad != nil {
		return *bad
	}
	var chats []*Chat
	for _, u := range s.order {
		if u.standing == Friend {
			chats = append(chats, u.Chat)
		}
	}
	return s.toMany(chats, out)
}

// toMany sends to one-to-one chats.
func (s *Server) toMany(chats []*Chat, out outgoing) reply {
	if bad := s.invalid(out.Messages, "user"); bad != nil {
		return *bad
	}
	if again, ok := s.repeated(out.retryKey); ok {
		return again
	}
	var cost int64
	for _, c := range chats {
		cost += c.recipients()
	}
	if !s.affords(cost) {
		return fail(http.StatusTooManyRequests, textQuota)
	}
	s.used += cost
	for _, c := range chats {
		s.hand(c, out)
	}
	done := emukit.JSON(http.StatusOK, struct{}{})
	s.remember(out, done.Body)
	return done
}

// repeated answers a retry key that was accepted before. The lock is held.
func (s *Server) repeated(key string) (reply, bool) {
	was, ok := s.retries.Get(key)
	if !ok {
		return reply{}, false
	}
	var body map[string]any
	if json.Unmarshal(was.body, &body) != nil {
		body = map[string]any{}
	}
	body["message"] = "The retry key is already accepted"
	return emukit.JSON(http.StatusConflict, body).With("X-Line-Accepted-Request-Id", was.requestID), true
}

// remember keeps the answer under the retry key. The lock is held.
func (s *Server) remember(out outgoing, body []byte) {
	if out.retryKey == "" {
		return
	}
	s.retries.Put(out.retryKey, accepted{requestID: out.requestID, body: body})
}

// recipients is what a push to the chat costs: everybody it reaches. The lock
// is held.
func (c *Chat) recipients() int64 {
	var n int64
	for _, u := range c.members {
		if u.reachable(c.kind != "user") {
			n++
		}
	}
	return n
}

// affords reports whether the month's messages suffice. The lock is held.
func (s *Server) affords(cost int64) bool {
	if month := s.now().UTC().Format("2006-01"); month != s.month {
		s.month, s.used = month, 0
	}
	return s.opt.MonthlyQuota == 0 || s.used+cost <= s.opt.MonthlyQuota
}

// flooded counts messages to one user. The lock is held.
func (s *Server) flooded(u *User, n int) bool {
	if u == nil || s.opt.RecipientPerMinute == 0 {
		return false
	}
	now := s.now()
	recent := slices.DeleteFunc(s.recent[u.id], func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(recent)+n > s.opt.RecipientPerMinute {
		s.recent[u.id] = recent
		return true
	}
	for range n {
		recent = append(recent, now)
	}
	s.recent[u.id] = recent
	return false
}

type sentMessage struct {
	ID         string `json:"id"`
	QuoteToken string `json:"quoteToken,omitempty"`
}

// hand delivers to every phone in the chat that can be reached and returns
// LINE's answer, which is the same when none can. The lock is held.
func (s *Server) hand(c *Chat, out outgoing) any {
	var list []sentMessage
	for _, raw := range out.Messages {
		sm := sentMessage{ID: s.nextMessageID()}
		kind, text := reading(raw)
		switch kind {
		case "text", "textV2", "sticker", "image", "video", "template", "flex":
			sm.QuoteToken = "q" + s.callHex(40)
		}
		list = append(list, sm)
		for _, u := range c.members {
			if !u.reachable(c.kind != "user") {
				continue
			}
			u.loadingUntil = time.Time{}
			u.receive(Delivered{
				At: s.now(), ChatID: c.id, MessageID: sm.ID, Route: out.route,
				RequestID: out.requestID, RetryKey: out.retryKey, Text: text, Message: raw,
			})
		}
	}
	s.changes.Touch()
	return map[string]any{"sentMessages": list}
}

// reading is what one reads on the phone.
func reading(raw json.RawMessage) (kind, text string) {
	var m struct {
		Type, Text, AltText, Title, Address string
		OriginalContentURL                  string `json:"originalContentUrl"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return "", "[?]"
	}
	for _, s := range []string{m.Text, m.AltText, m.Title} {
		if s != "" {
			return m.Type, s
		}
	}
	if m.OriginalContentURL != "" {
		return m.Type, "[" + m.Type + "] " + m.OriginalContentURL
	}
	return m.Type, "[" + m.Type + "]"
}

func (s *Server) handleQuota(*http.Request, []byte) reply {
	if s.opt.MonthlyQuota == 0 {
		return emukit.JSON(http.StatusOK, map[string]any{"type": "none"})
	}
	return emukit.JSON(http.StatusOK, map[string]any{"type": "limited", "value": s.opt.MonthlyQuota})
}

func (s *Server) handleConsumption(*http.Request, []byte) reply {
	return emukit.JSON(http.StatusOK, map[string]any{"totalUsage": s.consumption()})
}

// Consumption returns the messages counted this month.
func (s *Server) Consumption() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.consumption()
}

// consumption is Consumption; the lock is held.
func (s *Server) consumption() int64 {
	s.affords(0)
	return s.used
}

// SetConsumption changes the count, to play the end of a month.
func (s *Server) SetConsumption(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.affords(0)
	s.used = n
}

func (s *Server) handleValidate(r *http.Request, body []byte) reply {
	out, bad := s.decode(r, body, "validate")
	if bad != nil {
		return *bad
	}
	switch r.PathValue("route") {
	case "reply", "push", "multicast", "narrowcast", "broadcast":
	default:
		return fail(http.StatusNotFound, "Not found")
	}
	// Only messages[] is checked, and no chat is known.
	if bad := s.invalid(out.Messages, "group"); bad != nil {
		return *bad
	}
	return emukit.JSON(http.StatusOK, struct{}{})
}
