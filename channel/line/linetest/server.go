package linetest

import (
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sangdam/sangdam/channel/emukit"
)

// Options configures New. The zero value is a complete channel with generated
// credentials that talks to nobody until SetWebhook.
type Options struct {
	// ChannelID is the channel's number; empty means "1234567890".
	ChannelID string
	// ChannelSecret signs webhooks; empty means one made from the seed.
	ChannelSecret string
	// ChannelToken is the long-lived access token; empty means one made from
	// the seed.
	ChannelToken string
	// BasicID, BotName and ChatMode ("bot" or "chat") are what bot info says.
	BasicID, BotName, ChatMode string
	// WebhookURL gets the webhooks; it can be changed by SetWebhook and, as at
	// LINE, through the Messaging API.
	WebhookURL string
	// WebhookClient delivers webhooks; nil means one of the emulator's own.
	WebhookClient *http.Client
	// Seed determines ids, chance and order: what customers do, what the account
	// calls, and what the webhook sender does draw from streams of their own, so
	// that each repeats however they interleave. 0 is a seed like any other.
	Seed uint64
	// Now is LINE's clock: time stamps, lives of tokens, keys, windows and
	// quota. Nil means time.Now. Delays and webhook time-outs are real time.
	Now func() time.Time
	// MonthlyQuota is the plan's messages a month; 0 means no limit.
	MonthlyQuota int64
	// RecipientPerMinute refuses more messages a minute to one user with 429;
	// 0 means no limit.
	RecipientPerMinute int
	// RepeatReplies answers a reply that was accepted before, byte for byte the
	// same, as the first time instead of with 400. LINE documents neither.
	RepeatReplies bool
	// Rates replaces LINE's limits, by endpoint name (see Endpoints). A zero
	// Limit means no limit.
	Rates map[string]rate.Limit
	// WebhookTimeout is LINE's patience; 0 means the 2 seconds LINE has.
	WebhookTimeout time.Duration
	// WebhookParallel is how many webhooks are under way at once; 0 means 1,
	// which keeps the order of events.
	WebhookParallel int
	// WebhookBatch is how many waiting events one webhook carries; 0 means 1.
	WebhookBatch int
	// Redeliveries is how often a webhook is sent again that was not answered
	// with 2xx in time; 0 means never, LINE's default.
	Redeliveries int
	// RedeliverAfter is the pause before that; 0 means one second. LINE does
	// not disclose its own.
	RedeliverAfter time.Duration
	// KeepReceived is how many messages each phone keeps, the newest ones of
	// those received and of those sent; 0 means all. WaitDelivered counts the others too.
	KeepReceived int
	// KeepMessages is how many of the customers' messages the emulator knows,
	// with their contents and read tokens, the newest ones; 0 means all. Older
	// ones are as unknown as those that never were: contents are 404.
	KeepMessages int
	// Logger gets calls and deliveries; nil is silent.
	Logger *slog.Logger
}

// Server plays LINE for one channel. It is an http.Handler that serves both
// API hosts, the control interface and the page. All methods may be called at
// once.
type Server struct {
	opt     Options
	mux     *http.ServeMux
	log     *slog.Logger
	changes emukit.Changes
	sender  *emukit.Sender[*event]
	faults  emukit.Faults[Fault]
	calls   emukit.Record[Call]

	mu      sync.Mutex
	rng     *rand.Rand // what customers do
	callRng *rand.Rand // what the account calls, and faults
	sendRng *rand.Rand // chaos of the sender
	serial  int64
	entries int64 // of all chats so far

	secret     string
	tokens     map[string]issuedToken
	keys       map[string]*rsa.PublicKey
	webhookURL string
	botID      string

	users    map[string]*User
	names    map[string]*User
	order    []*User
	chats    map[string]*Chat
	messages emukit.Memory[*posted]   // customers' messages by id
	replies  emukit.Memory[*replyRef] // by reply token
	reads    emukit.Memory[string]    // message ids by markAsRead token
	links    emukit.Memory[*User]     // by link token
	retries  emukit.Memory[accepted]  // by retry key
	limits   map[string]*rate.Limiter
	recent   map[string][]time.Time // sends by user, for RecipientPerMinute
	used     int64                  // messages counted in month
	month    string
	menus    menuStore

	chaos  Chaos
	counts map[string]int
}

// New returns a server whose webhook sender runs until Close.
func New(o Options) *Server {
	s := &Server{opt: o, rng: stream(o.Seed, 1), callRng: stream(o.Seed, 2), sendRng: stream(o.Seed, 3)}
	s.calls.Keep = keepCalls
	s.opt.ChannelID = cmp.Or(o.ChannelID, "1234567890")
	s.opt.BasicID = cmp.Or(o.BasicID, "@emulated")
	s.opt.BotName = cmp.Or(o.BotName, "Emulated account")
	s.opt.ChatMode = cmp.Or(o.ChatMode, "bot")
	if s.opt.Now == nil {
		s.opt.Now = time.Now
	}
	s.opt.WebhookTimeout = cmp.Or(o.WebhookTimeout, 2*time.Second)
	s.opt.RedeliverAfter = cmp.Or(o.RedeliverAfter, time.Second)
	s.log = o.Logger
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.secret = cmp.Or(o.ChannelSecret, s.hex(32))
	s.opt.ChannelToken = cmp.Or(o.ChannelToken, s.hex(64))
	s.tokens = map[string]issuedToken{s.opt.ChannelToken: {kind: "long-lived"}}
	s.keys = map[string]*rsa.PublicKey{}
	s.webhookURL = o.WebhookURL
	s.botID = "U" + s.hex(32)
	s.names = map[string]*User{}
	s.users, s.chats = map[string]*User{}, map[string]*Chat{}
	s.messages.Keep, s.reads.Keep = o.KeepMessages, o.KeepMessages
	s.replies.Life, s.replies.Now = replyCap, s.opt.Now
	s.retries.Life, s.retries.Now = retryKeyLife, s.opt.Now
	s.links.Life, s.links.Now = linkLife, s.opt.Now
	s.limits, s.counts = map[string]*rate.Limiter{}, map[string]int{}
	s.recent = map[string][]time.Time{}
	s.menus = newMenuStore()
	s.sender = s.newSender()
	s.routes()
	return s
}

// Close stops the webhook sender and waits for it. Webhooks under way are cut.
func (s *Server) Close() { s.sender.Close() }

// Transport returns a RoundTripper that hands every request, to whatever host,
// to the server without a network.
func (s *Server) Transport() http.RoundTripper { return emukit.Transport(s) }

// ChannelID returns the channel's number.
func (s *Server) ChannelID() string { return s.opt.ChannelID }

// ChannelToken returns the long-lived access token.
func (s *Server) ChannelToken() string { return s.opt.ChannelToken }

// BotUserID returns the account's own user id, the destination of webhooks.
func (s *Server) BotUserID() string { return s.botID }

// ChannelSecret returns the secret that webhooks are signed with now.
func (s *Server) ChannelSecret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secret
}

// RotateSecret issues a new channel secret; as at LINE the old one is invalid
// at once.
func (s *Server) RotateSecret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = s.hex(32)
	return s.secret
}

// SetWebhook changes where webhooks go. Empty: nowhere; events are dropped.
func (s *Server) SetWebhook(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhookURL = url
}

func (s *Server) now() time.Time { return s.opt.Now() }

func stream(seed, n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }

// hex returns n random hexadecimal digits of the customers' stream. The lock is
// held, or s is not yet shared.
func (s *Server) hex(n int) string { return hexOf(s.rng, n) }

// callHex is hex of the account's stream.
func (s *Server) callHex(n int) string { return hexOf(s.callRng, n) }

func hexOf(rng *rand.Rand, n int) string {
	b := make([]byte, (n+1)/2)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return hex.EncodeToString(b)[:n]
}

func (s *Server) uuid() string {
	h := s.callHex(32)
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

// nextMessageID is beyond 2^53, as LINE's are. It comes from the clock, so that
// an emulator started again does not give the ids of an earlier run anew, which
// a desk that kept its data would take for messages it has.
func (s *Server) nextMessageID() string {
	s.serial = max(s.serial+1, s.opt.Now().UnixMilli()*1000)
	return fmt.Sprintf("5%017d", s.serial)
}

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// ulid makes a webhookEventId: 48 bits of time, 80 of chance.
func (s *Server) ulid(at time.Time) string {
	b := make([]byte, 26)
	ms := uint64(at.UnixMilli())
	for i := 9; i >= 0; i-- {
		b[i] = crockford[ms&31]
		ms >>= 5
	}
	for i := 10; i < 26; i++ {
		b[i] = crockford[s.rng.Uint32()&31]
	}
	return string(b)
}

// Wait returns when cond holds, which is asked after everything that happens,
// or with the context's error. cond runs without the server's lock held and
// may call its methods.
func (s *Server) Wait(ctx context.Context, cond func() bool) error { return s.changes.Wait(ctx, cond) }

// WaitDelivered returns when the phone of the user has received n messages in
// all.
func (s *Server) WaitDelivered(ctx context.Context, u *User, n int) error {
	return s.Wait(ctx, func() bool { return u.phone.Count() >= n })
}

// WaitIdle returns when no webhook is waiting, under way or to be redelivered.
func (s *Server) WaitIdle(ctx context.Context) error { return s.Wait(ctx, s.sender.Idle) }

// detail is one entry of LINE's error form.
type detail struct {
	Message  string `json:"message,omitempty"`
	Property string `json:"property,omitempty"`
}

// reply is an answer of LINE's.
type reply = emukit.Answer

func fail(status int, message string, details ...detail) reply {
	return emukit.JSON(status, struct {
		Message string   `json:"message"`
		Details []detail `json:"details,omitempty"`
	}{message, details})
}

func oauthFail(status int, code, description string) reply {
	return emukit.JSON(status, map[string]string{"error": code, "error_description": description})
}

const (
	maxRequest  = 2 << 20 // LINE: 2 MB
	maxUploaded = 10 << 20
)
