// Package adapter is for who writes a channel: the contract between the engine and
// what speaks a provider's protocol. A host only hands adapters over
// (sangdam.Config.Adapters); what it reads itself, accounts and content, is in
// package channel.
//
// An Adapter knows one provider, and of this library this package and channel. It
// verifies what the provider sent (Receive), says what it means (Parse), plans what
// is to be sent (Plan) and sends it (Send). It keeps no state of its own that
// matters: what must survive is in Envelopes, Attempts and accounts. Adapters are
// safe for concurrent use. What only some channels can do has an interface of its
// own beside it, such as Profiler, MediaFetcher or Runner, which an adapter
// implements or not.
//
// channel/channeltest holds an adapter to this contract, channel/kit has what
// adapters share, and channel/postcard is a small one, whole.
package adapter
