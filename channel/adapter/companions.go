package adapter

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/channel"
)

// Profiler is implemented by adapters that can look a person up.
type Profiler interface {
	// Profile returns what the provider tells of a user seen in a chat.
	// ErrNotFound when the provider gives no profile.
	Profile(ctx context.Context, acct channel.Account, chat channel.Chat, user channel.ProviderUserID) (channel.Profile, error)
}

// ChatProfiler is implemented by adapters that can look up a group or room.
type ChatProfiler interface {
	// ChatProfile returns the chat's name and picture; both may be empty, for
	// some kinds of chat have none. ErrNotFound when the provider tells nothing
	// of it (any more).
	ChatProfile(ctx context.Context, acct channel.Account, chat channel.Chat) (channel.Profile, error)
}

// MediaFetcher is implemented by adapters whose media must be fetched.
type MediaFetcher interface {
	// FetchMedia streams the media ref (Media.Provider) into sink and returns
	// its media type as told. Errors: ErrNotFound, ErrUnavailable (not ready,
	// ask again), ErrStale (the customer took it back).
	FetchMedia(ctx context.Context, acct channel.Account, ref string, sink MediaSink) error
}

// MediaSink takes a stream. Its methods return an error when the limit is exceeded,
// which ends the transfer.
type MediaSink interface {
	// Begin is called once, before the first Write, with the media type as told and
	// the size in bytes; -1: unknown.
	Begin(mediaType string, size int64) error
	Write(p []byte) (int, error)
}

// TypingIndicator is implemented by adapters that can show "writing".
type TypingIndicator interface {
	// ShowTyping shows in the chat for about d that somebody writes. ErrUnsupported
	// for a chat where the channel cannot.
	ShowTyping(ctx context.Context, acct channel.Account, chat channel.Chat, d time.Duration) error
}

// ReadMarker is implemented by adapters that can mark a message as read.
type ReadMarker interface {
	// MarkRead marks the message whose Inbound.ReadHandle it is given as read.
	MarkRead(ctx context.Context, acct channel.Account, handle string) error
}

// Inviter is implemented by adapters whose accounts have an address that
// customers open to reach them: a link to add a friend, a page with a chat.
type Inviter interface {
	// Invite returns the address, which stays the same as long as the account's
	// name at the provider does, and a QR picture of size × size pixels, 64 to
	// 2048; with size 0 it makes none, for others it is ErrInvalid. ErrNotFound
	// when the account has no address.
	Invite(ctx context.Context, acct channel.Account, size int) (channel.Invitation, error)
}

// Finding is one result of a Checker.
type Finding struct {
	OK     bool   `json:"ok"`
	Topic  string `json:"topic"` // token, bot, endpoint, redelivery, …
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
	// Replaces is the address that SetEndpoint would put ours in place of,
	// perhaps another tool's; empty: there is none.
	Replaces string `json:"replaces,omitempty"`
}

// Connector is implemented by adapters that can tell the provider where it is to
// send its events, in place of the address that it has.
type Connector interface {
	// SetEndpoint replaces the address of the webhook at the provider.
	SetEndpoint(ctx context.Context, acct channel.Account, address string) error
}

// Changer is implemented by adapters some of whose settings are fixed once an
// account has conversations.
type Changer interface {
	// MayChange refuses what must stay as it is. The error is ErrInvalid and says
	// what to do instead. It does no I/O.
	MayChange(old, next channel.Account) error
}

// Formatted is implemented by adapters whose settings hold texts in HTML or in
// plain text, such as layouts of mails. They follow the workspace's editor type.
type Formatted interface {
	// OtherFormat names the texts in next's settings that are not of the format,
	// "html" or "text", but for those that stand just so in was. It does no I/O.
	OtherFormat(was, next channel.Account, format string) []string
}

// Checker is implemented by adapters that can test an account at the provider.
type Checker interface {
	// Check asks the provider and says in words what is wrong. callbackURL is where
	// the account's webhooks should go; empty: it is not known.
	Check(ctx context.Context, acct channel.Account, callbackURL string) ([]Finding, error)
}
