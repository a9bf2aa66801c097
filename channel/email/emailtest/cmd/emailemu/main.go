// Command emailemu serves the emulator of mail over the network: IMAP and SMTP
// for a desk, and a page that is the mailbox of a customer.
//
//	go run ./channel/email/emailtest/cmd/emailemu
//
// Then connect a mail account without encryption (settings.encryption "none") to
// 127.0.0.1, user "desk", password "secret", and open the page.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"

	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/channel/emukit"
)

func main() { emukit.Main("emailemu", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("emailemu", flag.ContinueOnError)
	imap := set.String("imap", "127.0.0.1:1143", "address of IMAP")
	smtp := set.String("smtp", "127.0.0.1:1587", "address of SMTP")
	web := set.String("page", "127.0.0.1:8025", "address of the customer's mailbox")
	desk := set.String("desk", "help@shop.test", "the desk's mail address")
	customer := set.String("customer", "mina@example.com", "the customer's mail address")
	if err := set.Parse(args); err != nil {
		return err
	}
	s := emailtest.New(emailtest.Options{Address: *desk})
	defer s.Close()
	return emukit.Serve(ctx, func(at []net.Addr) {
		fmt.Fprintf(out, "IMAP %s, SMTP %s, encryption none, user desk, password secret\n%s's mailbox: http://%s/\n",
			at[0], at[1], *customer, at[2])
	}, emukit.Service{Addr: *imap, Serve: s.ServeIMAP}, emukit.Service{Addr: *smtp, Serve: s.ServeSMTP},
		emukit.Web(*web, s.Page(*customer)))
}
