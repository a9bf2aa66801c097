// Command hooksink runs the receiver of webhooktest and prints the secret that
// requests to it are signed with.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8090", "address")
	flag.Parse()
	s := webhooktest.New(webhooktest.Options{})
	fmt.Printf("web hooks to http://%s/hook, shown on http://%s/\nsecret: %s\n", *addr, *addr, s.Secret().Reveal())
	web := &http.Server{Addr: *addr, Handler: s, ReadHeaderTimeout: 5 * time.Second}
	if err := web.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
