// Command emailemu serves the emulator of mail over the network: IMAP and SMTP
// for a desk, and a page that is the mailbox of a customer.
//
//	go run ./channel/email/emailtest/cmd/emailemu
//
// Then connect a mail account without encryption (settings.encryption "none") to
// 127.0.0.1, user "desk", password "secret", and open the page.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sangdam/sangdam/channel/email/emailtest"
)

func main() {
	imap := flag.String("imap", "127.0.0.1:1143", "address of IMAP")
	smtp := flag.String("smtp", "127.0.0.1:1587", "address of SMTP")
	web := flag.String("page", "127.0.0.1:8025", "address of the customer's mailbox")
	desk := flag.String("desk", "help@shop.test", "the desk's mail address")
	customer := flag.String("customer", "mina@example.com", "the customer's mail address")
	flag.Parse()
	if err := serve(*imap, *smtp, *web, *desk, *customer); err != nil {
		fmt.Fprintln(os.Stderr, "emailemu:", err)
		os.Exit(1)
	}
}

func serve(imap, smtp, web, desk, customer string) error {
	s := emailtest.New(emailtest.Options{Address: desk})
	defer s.Close()
	in, err := net.Listen("tcp", imap)
	if err != nil {
		return err
	}
	out, err := net.Listen("tcp", smtp)
	if err != nil {
		return err
	}
	fmt.Printf("IMAP %s, SMTP %s, user desk, password secret\n%s's mailbox: http://%s/\n", in.Addr(), out.Addr(), customer, web)
	failed := make(chan error, 3)
	go func() { failed <- s.ServeIMAP(in) }()
	go func() { failed <- s.ServeSMTP(out) }()
	go func() {
		failed <- (&http.Server{Addr: web, Handler: s.Page(customer), ReadHeaderTimeout: 10 * time.Second}).ListenAndServe()
	}()
	return <-failed
}
