// Package webchat is the chat on a web page: an adapter for the engine, an HTTP
// handler that serves visitors, and an embeddable widget that speaks with it.
//
//	eng, err := sangdam.New(sangdam.Config{…, Adapters: []adapter.Adapter{webchat.New()}})
//	http.Handle("/webchat/", http.StripPrefix("/webchat", webchat.NewHandler(eng.Visitor(), webchat.Options{})))
//
// A page then carries one line, whose account is channel.Account.Token:
//
//	<script async src="/webchat/widget.js" data-account="…" data-lang="ko"></script>
//
// # Account
//
// The secret "visitor_key" (make one with [NewKey]) signs the tokens by which
// visitors are known again; a new key forgets them all. The optional secret
// "identity_key" is shared with the host's own server, which signs a JSON web
// token for whoever is logged in there: such a visitor is a known contact and has
// the same conversation on every device. Without it nobody can claim to be
// anybody. "identity_key_next" is accepted besides while the key is exchanged.
// Settings is the JSON form of [Settings], which must say what visitors agree to
// before they write (Consent), or that the host asks for it elsewhere (NoConsent):
//
//	{"consent": {"version": "1", "texts": {"": "What you write here is stored so that we can answer you."}}}
//
// # How visitors speak
//
// PROTOCOL.md beside this file is the whole of it: requests with keys made by the
// client, and one stream of events that can be taken up anywhere. A native
// application is written against that page.
//
// A server of the host's may speak for its members as well: it posts signed
// events to the account's webhook address (section "From server to server").
package webchat
