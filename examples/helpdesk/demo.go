package main

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// demoData is where a demonstration keeps its data unless -data says else.
const demoData = "./helpdesk-data/demo"

// demoMark is stored in data that a demonstration has made.
const demoMark = "helpdesk/demo"

// demo is LINE, played in this process.
type demo struct {
	srv  *linetest.Server
	http *http.Server
	url  string
}

// startDemo plays LINE on o.demoAddr and points the LINE account there. The
// emulator forgets everything when it ends, so each start plays other people,
// whose ids are not those of the last one's.
func startDemo(o *options, webhooks net.Addr) (*demo, error) {
	ln, err := net.Listen("tcp", o.demoAddr)
	if err != nil {
		return nil, fmt.Errorf("the emulator cannot listen on %s; choose another -demo-addr: %w", o.demoAddr, err)
	}
	d := &demo{url: "http://" + ln.Addr().String()}
	d.srv = linetest.New(linetest.Options{Seed: rand.Uint64(), WebhookURL: "http://" + reachable(webhooks) + "/webhooks/line",
		Redeliveries: 5})
	d.http = &http.Server{Handler: d.srv, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		// It ends by close alone: the listener is this process's own.
		_ = d.http.Serve(ln)
	}()
	o.entry = cryptorand.Text()
	o.line = lineOptions{channelID: d.srv.ChannelID(), channelSecret: d.srv.ChannelSecret(), channelToken: d.srv.ChannelToken(),
		apiBase: d.url, dataAPIBase: d.url}
	return d, nil
}

// close ends the emulator, and phones that wait for news with it.
func (d *demo) close() error {
	d.srv.Close()
	return d.http.Close()
}

// reachable is a listening address as this machine can call it.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
	}
	return a.String()
}

// checkDemoOptions refuses what would mix a demonstration with a real account.
func checkDemoOptions(o options, env func(string) string) error {
	names := []string{"LINE_CHANNEL_ID", "LINE_CHANNEL_SECRET", "LINE_CHANNEL_TOKEN", "LINE_API_BASE", "LINE_DATA_API_BASE"}
	for _, name := range append(names, mailboxNames...) {
		if env(name) != "" {
			return fmt.Errorf("-demo plays the customers itself, and %s is set; unset it, or leave -demo out to serve the real account",
				name)
		}
	}
	if !loopback(o.demoAddr) {
		return fmt.Errorf("-demo-addr %s is not an address of this machine such as 127.0.0.1:9100; the emulator has no password",
			o.demoAddr)
	}
	return nil
}

// checkDemoData refuses real data to a demonstration and a demonstration's data
// to a real desk. It marks what is new.
func checkDemoData(ctx context.Context, db *store.DB, demo bool) error {
	_, err := db.System().Meta(ctx, demoMark)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	marked := err == nil
	if marked == demo {
		return nil
	}
	if marked {
		return errors.New("this data is a demonstration's; start with -demo, or choose another -data")
	}
	workspaces, err := db.System().Workspaces(ctx, driver.Having{})
	if err != nil {
		return err
	}
	if len(workspaces) > 0 {
		return errors.New("-demo does not use the data of a real desk; choose another -data, or leave it out")
	}
	return db.System().PutMeta(ctx, demoMark, nil, []byte(time.Now().UTC().Format(time.RFC3339)))
}

// demoAnswer is what the demonstration's agents say to a message.
func demoAnswer(c channel.Content) string {
	switch c.Kind {
	case channel.KindText:
		if saysBye(c.Text) {
			return "It was a pleasure. Good bye!"
		}
		return "You wrote: " + c.Text
	case channel.KindImage, channel.KindVideo, channel.KindAudio, channel.KindFile:
		return "Thank you, I have received what you sent."
	case channel.KindSticker:
		return "Nice sticker!"
	case channel.KindLocation:
		return "Thank you, now I know where you are."
	case channel.KindPostback:
		return "Thank you for your choice."
	}
	return "Thank you for your message."
}
