// Command doorayroom runs the Dooray room of dooraytest.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"

	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/notify/dooray/dooraytest"
)

func main() { emukit.Main("doorayroom", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("doorayroom", flag.ContinueOnError)
	addr := set.String("addr", "127.0.0.1:8091", "address")
	if err := set.Parse(args); err != nil {
		return err
	}
	return emukit.Serve(ctx, func(at []net.Addr) {
		fmt.Fprintf(out, "notices to http://%[1]s/services/1/2/secret, shown on http://%[1]s/\n", at[0])
	}, emukit.Web(*addr, dooraytest.New()))
}
