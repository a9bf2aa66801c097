// Command doorayroom runs the Dooray room of dooraytest.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/sangdam/sangdam/notify/dooray/dooraytest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8091", "address")
	flag.Parse()
	fmt.Printf("notices to http://%s/services/1/2/secret, shown on http://%s/\n", *addr, *addr)
	web := &http.Server{Addr: *addr, Handler: dooraytest.New(), ReadHeaderTimeout: 5 * time.Second}
	if err := web.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
