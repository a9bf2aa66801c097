// Command hooksink runs the receiver of webhooktest and prints the secret that
// requests to it are signed with.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"

	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
)

func main() { emukit.Main("hooksink", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("hooksink", flag.ContinueOnError)
	addr := set.String("addr", "127.0.0.1:8090", "address")
	if err := set.Parse(args); err != nil {
		return err
	}
	s := webhooktest.New(webhooktest.Options{})
	return emukit.Serve(ctx, func(at []net.Addr) {
		fmt.Fprintf(out, "web hooks to http://%[1]s/hook, shown on http://%[1]s/\nsecret: %[2]s\n", at[0], s.Secret().Reveal())
	}, emukit.Web(*addr, s))
}
