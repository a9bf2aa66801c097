// Package notify is the contract of what leaves the house by another way than a
// customer's channel: mail to an agent, a web hook, a notice in a messenger
// room, a text message.
//
// A Carrier knows one way (notify/mail, notify/webhook, notify/dooray; for text
// messages a host brings its own, see SMS). A Target is one place that an
// administrator set up for it: a mailbox to send from, the address of a web
// hook. A Notice is what is to be said. The engine keeps notices in its outbox,
// asks the Carrier for the exact request once, and repeats that request byte for
// byte until its Policy says that it is enough.
//
// Who wants a notice sent by a rule saves a Target (Engine.SaveTarget) and names it
// in a trigger; who brings a way of their own implements Carrier and passes it in
// Config.Carriers. It is not for messages to customers in their chats, which are
// channels.
package notify

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
)

// ErrInvalid is the kind of this package's errors; compare with errors.Is.
var ErrInvalid error = errs.Invalid

// Kind names a way out: "mail", "webhook", "dooray", "sms".
type Kind string

// TargetID names a Target within a workspace.
type TargetID = id.Target

// Target is a place that notices go to, or go out from.
type Target struct {
	ID TargetID `json:"id"`
	// Version counts the changes. Who replaces a target gives back the one that
	// was read; 0 makes a new one.
	Version int64  `json:"version"`
	Kind    Kind   `json:"kind"`
	Name    string `json:"name"`
	// Settings are the carrier's own, checked by its Validate.
	Settings json.RawMessage `json:"settings,omitempty"`
	// Disabled targets carry nothing: what waits for them fails, and can be sent
	// again later. Why says who switched it off: "" an administrator, else a
	// channel.Reason of the target's answer, such as gone.
	Disabled bool           `json:"disabled,omitempty"`
	Why      channel.Reason `json:"why,omitempty"`
	// SecretNames are the names of the secrets that it has, so that people see
	// which are there; the library writes them.
	SecretNames []string `json:"secret_names,omitempty"`
	// Secrets are the opened credentials; never stored, never encoded.
	Secrets map[string]channel.Secret `json:"-"`
	// Sealed is the credentials under the keyset, as stored.
	Sealed []byte `json:"sealed,omitempty"`
}

// Notice is one thing to say to one place. It is never addressed to several
// recipients at once, so that none learns of the others.
type Notice struct {
	// ID is the same whenever this notice is sent, also in a replay: the
	// receiver knows by it what it has had already.
	ID string `json:"id"`
	// Event is what happened: "ticket.created".
	Event string `json:"event"`
	// Subject is the record it is about, "ticket:17". Notices of one subject to
	// one target leave in order.
	Subject string    `json:"subject,omitempty"`
	At      time.Time `json:"at,omitzero"`
	// To is the recipient, for carriers that have one: a mail address, a phone
	// number.
	To Recipient `json:"to,omitzero"`
	// Title is one line; Text what people read; HTML the same for mail, where
	// there is a form of its own; a mail without Text gets one made of HTML. Link
	// leads to the record.
	Title string `json:"title,omitempty"`
	Text  string `json:"text,omitempty"`
	HTML  string `json:"html,omitempty"`
	Link  string `json:"link,omitempty"`
	// Data is what programs read: the body of a web hook.
	Data json.RawMessage `json:"data,omitempty"`
	// Files go along, by a FileCarrier alone.
	Files []File `json:"files,omitempty"`
}

// File is a file of a Notice: the name of a blob, whose bytes never change, and
// what the recipient is told of it.
type File struct {
	Blob string `json:"blob"`
	Name string `json:"name"` // safe to save under
	Type string `json:"type"`
	Size int64  `json:"size"` // bytes
}

// Recipient is a person or a device.
type Recipient struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
}

// MailID is the local part of the Message-ID of a mail that carries the notice of
// an id: what may stand there. A bounce names it.
func MailID(notice string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_' {
			return r
		}
		return '_'
	}, notice)
}

// Limits of a Notice.
const (
	MaxTitle = 500       // characters
	MaxBody  = 256 << 10 // bytes of Text, of HTML and of Data, each
	MaxFiles = 20
)

// Check refuses a notice that no carrier could take.
func (n Notice) Check() error {
	switch {
	case n.ID == "" || len(n.ID) > 200:
		return errs.New(errs.Invalid, "notify: the id of a notice has %d bytes; use 1 to 200", len(n.ID))
	case n.Event == "" || len(n.Event) > 200:
		return errs.New(errs.Invalid, "notify: the event of a notice has %d bytes; use 1 to 200", len(n.Event))
	case utf8.RuneCountInString(n.Title) > MaxTitle:
		return errs.New(errs.Invalid, "notify: the title of a notice has more than %d characters", MaxTitle)
	case len(n.Text) > MaxBody || len(n.HTML) > MaxBody || len(n.Data) > MaxBody:
		return errs.New(errs.Invalid, "notify: text, HTML and data of a notice have at most %d bytes each", MaxBody)
	case len(n.Files) > MaxFiles:
		return errs.New(errs.Invalid, "notify: a notice brings %d files at most, not %d", MaxFiles, len(n.Files))
	case len(n.Data) > 0 && !json.Valid(n.Data):
		return errs.New(errs.Invalid, "notify: the data of a notice is not JSON")
	case strings.ContainsFunc(n.ID+n.To.Address, func(r rune) bool { return r < ' ' || r == 0x7F }):
		return errs.New(errs.Invalid, "notify: the id or the recipient of a notice holds a control character")
	}
	return nil
}

// Policy is how a carrier's requests are made and repeated.
type Policy struct {
	// Timeout bounds one Send.
	Timeout time.Duration
	// Waits are the pauses before the second, third, … try; the engine adds up
	// to a quarter by chance. When they are used up the notice is a dead letter.
	Waits []time.Duration
	// IdempotentFor is how long after planning the receiver knows a repeat by its
	// id. Zero: a request whose outcome was lost is never repeated; it stays
	// unknown, for a person to decide.
	IdempotentFor time.Duration
}

// Carrier carries notices of one kind. All methods may be called at once.
type Carrier interface {
	// Kind is its name; constant.
	Kind() Kind
	// Policy is constant.
	Policy() Policy
	// Validate checks a target's settings and secrets without the network. The
	// error is ErrInvalid and names the field and what to put there; made by
	// Wrong it tells a form which field that is.
	Validate(t Target) error
	// Plan makes the exact request. It does no I/O. An error is a
	// *adapter.SendError of Permanent disposition: this notice cannot leave by
	// this target.
	Plan(t Target, n Notice, now time.Time) (request []byte, err error)
	// Send makes the request once. It honours ctx. An error is a
	// *adapter.SendError or a context error, which counts as ambiguous. A
	// Permanent one of channel.ReasonGone switches the target off.
	Send(ctx context.Context, t Target, request []byte) (Receipt, error)
}

// FileCarrier is a Carrier whose notices may bring files, as mails do.
type FileCarrier interface {
	Carrier
	// FileBytes is how many bytes of files one notice brings at most, all
	// together; constant.
	FileBytes() int64
	// SendFiles is Send with a way to the files; the library calls it instead.
	SendFiles(ctx context.Context, t Target, request []byte, open adapter.OpenFile) (Receipt, error)
}

// Receipt is a receiver's acceptance.
type Receipt struct {
	// Status is the receiver's own code, such as an HTTP status.
	Status int
	// ID is the receiver's name of what it took, for support.
	ID string
}

// Attempt is one try and what became of it: State is queued when another try
// followed. It is what a log of deliveries keeps.
type Attempt struct {
	At     time.Time           `json:"at"`
	State  channel.OutboxState `json:"state"`
	Reason channel.Reason      `json:"reason,omitempty"`
	Detail string              `json:"detail,omitempty"`
}

// Refuse is the error of Plan and Send for what will never leave, a permanent
// *adapter.SendError: the engine does not try again, and shows reason and detail.
// detail holds no secret and no word of the notice.
func Refuse(reason channel.Reason, status int, detail string) error {
	return &adapter.SendError{Disposition: adapter.Permanent, Reason: reason, Status: status, Detail: detail}
}

// Wrong is the error of Validate for one part of a target, an ErrInvalid: part is
// "settings." or "secrets." and the name of the member or secret. A form shows text
// beside its field. text says what to put there, without what stands there now.
func Wrong(part, text string) error {
	return errs.About(part, errs.New(errs.Invalid, "%s", text))
}

// Settings reads a target's settings strictly: a member that the carrier does
// not know is ErrInvalid, so that a misspelt one is not silently without effect.
func Settings[T any](t Target) (T, error) {
	var s T
	raw := t.Settings
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, errs.About("settings", errs.New(errs.Invalid, "notify: the settings of %s target %q do not fit: %w", t.Kind, t.Name, err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return s, errs.About("settings", errs.New(errs.Invalid,
			"notify: there is something after the settings of %s target %q", t.Kind, t.Name))
	}
	return s, nil
}
