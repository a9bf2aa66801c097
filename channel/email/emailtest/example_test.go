package emailtest_test

import (
	"context"
	"fmt"
	"net/smtp"
	"time"

	"github.com/sangdam/sangdam/channel/email/emailtest"
)

// A desk that answers by SMTP, and a customer who answers back, without any mail
// server. channel/email is tried in the same way, by email.Options.Dial.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	mail := emailtest.New(emailtest.Options{Address: "help@shop.test"})
	defer mail.Close()

	conn, err := mail.Dial(ctx, "tcp", "mail.shop.test:25")
	if err != nil {
		fmt.Println(err)
		return
	}
	desk, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer desk.Close()
	if err := desk.Auth(smtp.PlainAuth("", "desk", "secret", "localhost")); err != nil {
		fmt.Println(err)
		return
	}
	if err := sendBy(desk, "help@shop.test", "jun@customer.test",
		"Subject: Your parcel\r\nMessage-ID: <1@shop.test>\r\n\r\nIt left today.\r\n"); err != nil {
		fmt.Println(err)
		return
	}

	got, err := mail.Wait(ctx, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got[0].To, got[0].Header("Subject"))
	letter := emailtest.Answer(got[0], "Thank you!")
	fmt.Println(letter.From, letter.Subject, letter.InReplyTo)
	// Output:
	// jun@customer.test Your parcel
	// jun@customer.test Re: Your parcel 1@shop.test
}

func sendBy(c *smtp.Client, from, to, text string) error {
	if err := c.Mail(from); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	return w.Close()
}
