// Command mailsink runs the mail server of mailtest: SMTP on one address, the page
// with the mails on another.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sangdam/sangdam/notify/mail/mailtest"
)

func main() {
	smtp := flag.String("smtp", "127.0.0.1:2525", "address for SMTP")
	web := flag.String("web", "127.0.0.1:8025", "address of the page")
	flag.Parse()
	if err := run(*smtp, *web); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(smtp, web string) error {
	l, err := net.Listen("tcp", smtp)
	if err != nil {
		return err
	}
	s := mailtest.New(mailtest.Options{})
	defer s.Close()
	page := &http.Server{Addr: web, Handler: s, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 2)
	go func() { failed <- s.Serve(l) }()
	go func() { failed <- page.ListenAndServe() }()
	fmt.Printf("mail to %s, shown on http://%s/\n", smtp, web)
	return <-failed
}
