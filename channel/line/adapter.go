package line

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
)

// Kind is the channel's name.
const Kind channel.Kind = "line"

// Where LINE serves its interfaces.
const (
	DefaultAPIBase     = "https://api.line.me"
	DefaultDataAPIBase = "https://api-data.line.me"
)

// Options configures New. The zero value talks to LINE.
type Options struct {
	// APIBase is the address of the Messaging API; empty means DefaultAPIBase.
	// Plain http is accepted only for loopback addresses (the emulator).
	APIBase string
	// DataAPIBase is the address contents are fetched from and rich menu
	// pictures are sent to; empty means DefaultDataAPIBase.
	DataAPIBase string
	// HTTPClient performs the calls; nil means one with time-outs, without
	// proxy. Redirects are never followed, whatever the client says.
	HTTPClient *http.Client
	// Logger gets request ids and outcomes, never texts, tokens or secrets;
	// nil is silent.
	Logger *slog.Logger
	// Now is the clock for token expiry; nil means time.Now.
	Now func() time.Time
	// Rates replaces LINE's limits (DefaultRates) by endpoint, in requests a
	// second for each account; 0 means no limit of the adapter's own. Requests
	// wait within their context so as to stay one per cent below. Lower it when
	// several processes send for the same accounts: each counts for itself.
	Rates map[string]rate.Limit
}

// Adapter connects LINE accounts. It is safe for concurrent use and serves any
// number of accounts.
type Adapter struct {
	api, data string
	client    *kit.Client
	now       func() time.Time
	tokens    tokenCache
	settings  settingsCache
	limits    *kit.Limiters
}

var (
	_ adapter.Adapter         = (*Adapter)(nil)
	_ adapter.Profiler        = (*Adapter)(nil)
	_ adapter.MediaFetcher    = (*Adapter)(nil)
	_ adapter.TypingIndicator = (*Adapter)(nil)
	_ adapter.ReadMarker      = (*Adapter)(nil)
	_ adapter.Checker         = (*Adapter)(nil)
	_ adapter.Inviter         = (*Adapter)(nil)
)

// New returns an adapter. It does no I/O. ErrInvalid when an address is not a
// usable base or a rate is of an endpoint that there is not.
func New(o Options) (*Adapter, error) {
	a := &Adapter{now: o.Now}
	var err error
	if a.api, err = kit.Base("line: API base", cmp.Or(o.APIBase, DefaultAPIBase), DefaultAPIBase); err != nil {
		return nil, err
	}
	if a.data, err = kit.Base("line: API base", cmp.Or(o.DataAPIBase, DefaultDataAPIBase), DefaultDataAPIBase); err != nil {
		return nil, err
	}
	if a.now == nil {
		a.now = time.Now
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a.client = &kit.Client{Name: "line", Provider: "LINE", HTTP: kit.NewHTTP(o.HTTPClient), Timeout: callTimeout,
		MaxAnswer: maxAnswer, RequestID: "X-Line-Request-Id", Log: log}
	if a.limits, err = a.client.Limiters(DefaultRates(), o.Rates); err != nil {
		return nil, err
	}
	return a, nil
}

// Kind is "line".
func (a *Adapter) Kind() channel.Kind { return Kind }

// Routes that Plan chooses.
const (
	RouteReply = "reply"
	RoutePush  = "push"
)

// Limits of the Messaging API, from developers.line.biz/en/reference/messaging-api.
const (
	// MaxMessages is how many LINE messages one request, and so one row, has.
	MaxMessages = 5
	// MaxMessageUnits is the length of one text message in UTF-16 units.
	MaxMessageUnits = 5000
	// MaxTextUnits is the longest text of a row in UTF-16 units. A longer text
	// than MaxMessageUnits is cut into several LINE messages at the best place
	// in the last sixth of each, so that 20,000 always fit into five.
	MaxTextUnits = 20000
	// MaxChoices is how many quick replies a message has.
	MaxChoices = 13
	// MaxCards is how many columns a carousel has.
	MaxCards = 10
	// MaxWebhookBytes is the largest webhook body that Receive accepts. LINE
	// documents none.
	MaxWebhookBytes = 2 << 20
	// retryKeyLife is how long LINE remembers a retry key (24 h), less a margin
	// for clocks that differ and a request that is under way.
	retryKeyLife = 23*time.Hour + 30*time.Minute
	// replyLife is how long after the webhook's arrival a reply token is used;
	// LINE promises about one minute.
	replyLife = 50 * time.Second
	// replyMargin is what must be left of it when an attempt is planned.
	replyMargin = 5 * time.Second
	// repeatMargin is what must be left of it when an attempt is repeated whose
	// outcome is not known: whoever is answered "invalid token" then must be
	// able to say that the earlier try used it up.
	repeatMargin = 10 * time.Second
	// replyCap is the age of an event after which LINE refuses its reply token
	// even in a redelivery.
	replyCap = 20 * time.Minute
	// maxRequestBytes is LINE's limit of 2 MB for a request, less a margin.
	maxRequestBytes = 2_000_000
)

// Capabilities says what LINE can do.
func (a *Adapter) Capabilities() adapter.Capabilities {
	return adapter.Capabilities{
		Send: map[channel.ContentKind]adapter.Level{
			channel.KindText:     adapter.Full,
			channel.KindImage:    adapter.Full,
			channel.KindVideo:    adapter.Partial,
			channel.KindAudio:    adapter.Partial,
			channel.KindFile:     adapter.Fallback,
			channel.KindLocation: adapter.Full,
			channel.KindSticker:  adapter.Partial,
			channel.KindCard:     adapter.Partial,
			channel.KindRich:     adapter.Partial,
		},
		Limits: map[channel.ContentKind]adapter.Limits{
			channel.KindText: {MaxChars: MaxTextUnits, Unit: "utf16", MaxItems: MaxChoices,
				Note: "over 5,000 units it is cut into several messages; labels of choices are shortened to 20 graphemes"},
			channel.KindImage: {MaxBytes: 10 << 20, Types: []string{"image/jpeg", "image/png"},
				Note: "other picture types are sent as a link"},
			channel.KindVideo: {MaxBytes: 200 << 20, Types: []string{"video/mp4"},
				Note: "needs a preview picture, otherwise it is sent as a link"},
			channel.KindAudio: {MaxBytes: 200 << 20, Types: []string{"audio/mpeg", "audio/mp4", "audio/x-m4a"},
				Note: "needs its duration, otherwise it is sent as a link"},
			channel.KindFile:    {Note: "LINE has no outgoing files: sent as name and link"},
			channel.KindSticker: {Note: "only stickers of LINE's list of sendable stickers"},
			channel.KindCard: {MaxItems: MaxCards,
				Note: "cards without choices, over LINE's lengths or with more than 4 choices (3 in a carousel) are sent as text"},
			channel.KindRich: {MaxBytes: 50 << 10, Note: "a LINE message object; anything else is sent as its text"},
		},
		Choices:     adapter.Partial,
		ChoiceKinds: channel.ChoiceKinds(),
		MaxFiles:    MaxMessages,
		MediaLinks:  true,
		MaxBatch:    MaxMessages,
		Routes: map[string]adapter.Route{
			RouteReply: {IdempotentFor: replyLife - repeatMargin, ByHandle: true},
			RoutePush:  {IdempotentFor: retryKeyLife, Metered: true},
		},
		Persistent:  true,
		Groups:      true,
		Edits:       true,
		Unsends:     true,
		TypingOut:   true,
		MarkRead:    true,
		Profiles:    true,
		MediaFetch:  true,
		Quotes:      true,
		SenderName:  true,
		ReplyHandle: true,
		Watched:     true,
		Notified:    true,
	}
}
