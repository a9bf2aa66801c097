// Command mailsink runs the mail server of mailtest: SMTP on one address, the page
// with the mails on another.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"

	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/notify/mail/mailtest"
)

func main() { emukit.Main("mailsink", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("mailsink", flag.ContinueOnError)
	smtp := set.String("smtp", "127.0.0.1:2525", "address for SMTP")
	web := set.String("web", "127.0.0.1:8025", "address of the page")
	if err := set.Parse(args); err != nil {
		return err
	}
	s := mailtest.New(mailtest.Options{})
	defer s.Close()
	return emukit.Serve(ctx, func(at []net.Addr) { fmt.Fprintf(out, "mail to %s, shown on http://%s/\n", at[0], at[1]) },
		emukit.Service{Addr: *smtp, Serve: s.Serve}, emukit.Web(*web, s))
}
