// Package linetest plays LINE: the Messaging API for one channel, the
// customers with their phones, and the sender of webhooks, with the rules that
// matter for a correct integration and the faults that separate correct from
// naive ones.
//
// A Server is an http.Handler for both of LINE's API hosts. Mount it on a
// listener, or hand Server.Transport to an http.Client and use no network at
// all. Customers act through Go:
//
//	srv := linetest.New(linetest.Options{WebhookURL: hook.URL})
//	defer srv.Close()
//	mina := srv.User("Mina")
//	mina.SendText("Hello?")
//	err := srv.WaitDelivered(ctx, mina, 1)
//	fmt.Println(mina.Texts())
//
// or, from other processes, through the control interface of the program
// cmd/lineemu, which also serves a page with a phone: what a customer wrote and
// pressed is there after a reload and in every tab, and choices of every kind
// can be pressed.
//
// # What it holds to
//
// Reply tokens work once, for a minute after the (re)delivery, at most 20
// minutes after the event, and do not exist in standby. Retry keys are
// remembered 24 hours; a repeat gets 409 with the first answer's ids. Pushes
// to somebody who blocked the account, is deleted, or wrote as a stranger more
// than seven days ago are answered 200 and reach no phone. The month's
// messages are counted by recipient. Calls have LINE's rate limits. Messages
// are checked as LINE checks them (lengths in UTF-16 units or graphemes, https
// addresses, counts, mentions in groups only) and refused in LINE's form.
// Contents are 202 before 200, 404, and 410 once unsent. Webhooks are signed,
// have two seconds, may carry several events, and are sent again when that is
// switched on, with only isRedelivery changed.
//
// # What it does not do
//
// Narrowcasts, audiences, coupons, insights, LIFF and the partner interfaces
// are absent. Pictures and films that a message links to are not fetched. How
// LINE counts LINE emoji, when it sends webhooks again and the wording of most
// error texts are not public; here they are plausible, not authentic.
package linetest
