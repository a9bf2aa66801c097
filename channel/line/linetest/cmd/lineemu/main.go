// Command lineemu plays LINE on this machine: the Messaging API on one
// address, a customer's phone as a web page at /, and an interface under
// /_emulator/ by which another program can play customers.
//
//	lineemu -addr 127.0.0.1:9100 -webhook http://127.0.0.1:8080/hook/abc
//
// With -replay FILE it plays recorded webhooks against -webhook instead, each
// 2 to 10 times, shuffled by -seed, signed with -secret, and exits with 1 when
// an answer was not 2xx.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

func main() { emukit.Main("lineemu", run) }

type faultFlags []linetest.Fault

func (f *faultFlags) String() string { return "" }

func (f *faultFlags) Set(s string) error {
	fault, err := linetest.ParseFault(s)
	*f = append(*f, fault)
	return err
}

func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("lineemu", flag.ContinueOnError)
	set.SetOutput(out)
	var o linetest.Options
	var faults faultFlags
	var chaos linetest.Chaos
	addr := set.String("addr", "127.0.0.1:9100", "address to serve on; the control interface has no password")
	set.StringVar(&o.WebhookURL, "webhook", "", "address that gets the webhooks")
	set.StringVar(&o.ChannelSecret, "secret", "", "channel secret (made from the seed when empty)")
	set.StringVar(&o.ChannelToken, "token", "", "long-lived access token (made from the seed when empty)")
	set.StringVar(&o.ChannelID, "channel-id", "", "channel id (1234567890 when empty)")
	set.Uint64Var(&o.Seed, "seed", 1, "seed of ids, chance and order")
	set.Int64Var(&o.MonthlyQuota, "quota", 0, "messages a month; 0: no limit")
	set.IntVar(&o.WebhookParallel, "parallel", 4, "webhooks under way at once")
	set.IntVar(&o.WebhookBatch, "batch", 1, "events in one webhook at most")
	set.IntVar(&o.Redeliveries, "redeliveries", 0, "how often a failed webhook is sent again")
	set.DurationVar(&o.RedeliverAfter, "redeliver-after", time.Second, "pause before that")
	set.Float64Var(&chaos.Duplicate, "duplicate", 0, "share of events sent twice, 0 to 1")
	set.Float64Var(&chaos.Reorder, "reorder", 0, "share of events sent out of order, 0 to 1")
	set.IntVar(&o.KeepReceived, "keep-received", 1000, "messages that each phone keeps, the newest; 0: all")
	set.IntVar(&o.KeepMessages, "keep-messages", 100_000, "customers' messages that are remembered with their contents, the newest; 0: all")
	set.Var(&faults, "fault", "endpoint:kind:when, such as push:cut-after:10%; may be repeated")
	replay := set.String("replay", "", "file of recorded webhooks to play against -webhook")
	repeat := set.Int("repeat", 0, "how often each is played; 0: 2 to 10 times, by the seed")
	verbose := set.Bool("v", false, "log every call and webhook")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *replay != "" {
		return play(ctx, out, *replay, linetest.Replay{Target: o.WebhookURL, Secret: o.ChannelSecret, Repeat: *repeat, Seed: o.Seed})
	}
	if *verbose {
		o.Logger = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	srv := linetest.New(o)
	defer srv.Close()
	srv.SetChaos(chaos)
	for _, f := range faults {
		srv.AddFault(f)
	}
	hint := ""
	if o.WebhookURL == "" {
		hint = "no -webhook is given: what customers write reaches nobody until that program sets its address; examples/helpdesk and\n" +
			"examples/quickstart are reached by -webhook http://127.0.0.1:8080/webhooks/line\n"
	}
	return emukit.Serve(ctx, func(at []net.Addr) {
		fmt.Fprintf(out, `LINE emulator on http://%[1]s, a customer's phone is that page; bot user id %[2]s
For a program that is to talk to it, such as examples/helpdesk or examples/quickstart:
export LINE_API_BASE=http://%[1]s LINE_DATA_API_BASE=http://%[1]s
export LINE_CHANNEL_ID=%[3]s LINE_CHANNEL_SECRET=%[4]s LINE_CHANNEL_TOKEN=%[5]s
%[6]s`, at[0], srv.BotUserID(), srv.ChannelID(), srv.ChannelSecret(), srv.ChannelToken(), hint)
	}, emukit.Web(*addr, srv))
}

func play(ctx context.Context, out io.Writer, file string, p linetest.Replay) error {
	if p.Target == "" {
		return errors.New("-replay needs -webhook, the address to play against")
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	recorded, err := linetest.ReadRecorded(f)
	if err != nil {
		return err
	}
	played, err := p.Run(ctx, recorded)
	if encErr := json.NewEncoder(out).Encode(played); encErr != nil {
		return encErr
	}
	if err != nil {
		return err
	}
	good := 0
	for status, n := range played.Status {
		if status/100 == 2 {
			good += n
		}
	}
	if good != played.Sent {
		return fmt.Errorf("%d of %d webhooks were not answered with 2xx", played.Sent-good, played.Sent)
	}
	return nil
}
