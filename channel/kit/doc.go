// Package kit is what every channel adapter needs and none should write again:
//
//   - Client performs a request and tells one that certainly never left from
//     one whose outcome is unknown; Refusal maps statuses to what the library
//     does about them.
//   - Verify checks the HMAC of a webhook, over its raw bytes, under the
//     present secret and the next one.
//   - Object reads JSON of which only some fields are known; Valid checks it and
//     bounds its depth before anything recursive sees it.
//   - Limiters keep each account below the provider's rates.
//   - Atoms and Split cut a text into parts of the provider's unit, never
//     through a character or a marked span.
//   - Recorder keeps webhooks without what identifies people, to be played again.
//   - Carries tells why a channel cannot carry a content.
//
// channel/line is written with it, and channel/postcard shows the smallest
// adapter that does all that is asked; begin there to write one of your own.
package kit
