// Package line connects LINE Official Accounts through the Messaging API.
//
// The adapter answers to [adapter.Adapter] and to every optional interface that
// LINE can serve: it looks people up ([adapter.Profiler]), fetches what
// customers send ([adapter.MediaFetcher]), shows the loading animation
// ([adapter.TypingIndicator]), marks messages as read ([adapter.ReadMarker])
// and tests an account in words ([adapter.Checker]). What LINE offers besides
// (rich menus, account link, LINE Login tokens, add-friend addresses and QR
// pictures, the message quota) are methods of *[Adapter] and functions of this
// package.
//
// # Account
//
// An account needs the secret "channel_secret" and, by token mode:
//
//	long_lived   (default) secret "channel_token"
//	stateless    nothing more: tokens of 15 minutes are issued with the channel
//	             id and the channel secret, kept about 14 minutes
//	jwt          secret "assertion_key" (RSA private key, PEM or JWK) and the
//	             setting "kid": tokens of version 2.1
//
// The optional secret "channel_secret_next" is accepted besides
// "channel_secret", so that the secret can be reissued without losing a
// webhook. Settings is the JSON form of [Settings]; a field it does not know
// is refused.
//
// # In
//
// Receive verifies the signature over the raw bytes and makes one Envelope of
// each event. Parse knows every event and message kind of the Messaging API;
// what it does not know becomes adapter.EventUnsupported, never an error.
//
// # Out
//
// Plan answers with the reply token while it is fresh, which is free and can be
// used once, and otherwise pushes under a retry key that makes repeats harmless
// for 24 hours. One request carries up to five LINE messages. A row of text
// longer than 5,000 UTF-16 units is cut, never inside a grapheme; a row makes
// at most five LINE messages ([MaxTextUnits]), a longer one is refused. Kinds
// that the adapter cannot check beforehand (rich, sticker) travel alone. When
// LINE refuses a request for the content of some of its messages, the error
// names their rows, so that the others need not fail with them.
//
// Requests wait, within their context, until LINE's rate for the account and
// the endpoint lets them go ([Options].Rates): a backlog leaves evenly at 99 %
// of the limit. A wait that would take more than half of the context's time is
// refused at once as rate limited, with the time after which to try again.
//
// The emulator in the sub-package linetest plays LINE for tests, demonstrations
// and load; LINE forbids load tests through its own servers.
package line
