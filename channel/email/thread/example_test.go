package thread_test

import (
	"fmt"

	"github.com/sangdam/sangdam/channel/email/thread"
)

// A customer's answer finds its thread by the token in the mail that it answers.
// Somebody who only copies the subject, or makes a token of its own, does not.
func ExampleKey_Find() {
	own := []string{"help@shop.example"}
	key := thread.NewKey("shop-mail", "the account's secret thread_key")
	began := key.Begin("first.mail@customer.example")
	ours := key.MessageID(began, "0198a5c1-7d4e-7b2c-9a10-3f5e6d7c8b9a", "shop.example")

	answer := key.Find(own, thread.Mail{ID: "second.mail@customer.example", InReplyTo: []string{ours}})
	fmt.Println(answer.Thread == began, "by", answer.By)

	forged := thread.NewKey("shop-mail", "a guess").MessageID(began, "0198a5c1-7d4e-7b2c-9a10-3f5e6d7c8b9a", "shop.example")
	stranger := key.Find(own, thread.Mail{ID: "third.mail@elsewhere.example", InReplyTo: []string{forged}})
	fmt.Printf("%v by %q\n", stranger.Thread == began, stranger.By)
	// Output:
	// true by message id
	// false by ""
}
