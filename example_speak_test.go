package sangdam_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/store"
)

// clerk is a bot of the host's own: it knows the opening hours and leaves
// everything else to people.
type clerk struct{}

func (clerk) Name() string { return "clerk" }

func (clerk) Next(_ context.Context, t bot.Turn) (bot.Reply, error) {
	if strings.Contains(t.Message.Content.Text, "open") {
		return bot.Reply{Say: []channel.Content{channel.Text("We are open from 9 to 6.")}}, nil
	}
	return bot.Reply{HandOver: true, Attributes: map[string]string{"asked": t.Message.Content.Text}}, nil
}

// Who speaks: the bot has the word until it hands over, then the agent. What the
// host tells by Notify takes the word from nobody.
func ExampleConfig_bots() {
	ctx := context.Background()
	s := open(func(cfg *sangdam.Config, setup *sangdam.Setup) {
		cfg.Bots = []bot.Bot{clerk{}}
		setup.WorkStreams[0].Bot = "clerk"
	})
	defer s.stop()
	s.online()
	c := s.writes("jun", "When do you open?")
	s.heard("jun", 1)
	fmt.Println("speaks:", s.of("jun").Control)
	must(s.Notify(ctx, s.host, sangdam.Notify{Conversation: c.ID, Content: channel.Text("Your parcel has left.")}))
	s.heard("jun", 2)
	fmt.Println("speaks:", s.of("jun").Control)

	s.writes("jun", "I want to talk to somebody")
	s.until(func() bool { return s.of("jun").Agent == "mina" })
	c = s.of("jun")
	fmt.Println("speaks:", c.Control, c.Agent, c.Attributes)
	must(s.Answer(ctx, s.mina, sangdam.Answer{Conversation: c.ID, Content: channel.Text("Here I am.")}))
	fmt.Println(strings.Join(s.heard("jun", 3), "\n"))
	// Output:
	// speaks: bot
	// speaks: bot
	// speaks: agent mina map[asked:I want to talk to somebody]
	// We are open from 9 to 6.
	// Your parcel has left.
	// Here I am.
}

// A parcel has left: whoever has a conversation is told in it, whatever state it
// is in, and whoever never wrote is written to first. The key makes a repeat safe.
func ExampleEngine_Notify() {
	ctx := context.Background()
	s := open(nil)
	defer s.stop()
	parcelLeft := func(order, customer string) (sangdam.Posted, error) {
		key, words := sangdam.Key("parcel "+order), channel.Text("Your parcel "+order+" has left.")
		if c := s.of(customer); c.ID != "" {
			return s.Notify(ctx, s.host, sangdam.Notify{Key: key, Conversation: c.ID, Content: words})
		}
		return s.Begin(ctx, s.host, sangdam.Begin{Key: key, Account: "box", User: channel.ProviderUserID(customer), Content: words})
	}
	c := s.writes("jun", "Thank you!")
	must(s.End(ctx, s.host, sangdam.End{Conversation: c.ID, Final: true}))

	told := must(parcelLeft("17", "jun"))
	again := must(parcelLeft("17", "jun"))
	fmt.Println("once:", told == again, s.heard("jun", 1), s.of("jun").State)
	must(parcelLeft("18", "sol"))
	fmt.Println("first:", s.heard("sol", 1), s.of("sol").State)
	// Output:
	// once: true [Your parcel 17 has left.] closed
	// first: [Your parcel 18 has left.] waiting
}

// An agent takes an answer back before it leaves.
func ExampleEngine_Unsend() {
	ctx := context.Background()
	s := open(nil)
	defer s.stop()
	s.online()
	s.writes("jun", "Is it blue?")
	s.until(func() bool { return s.of("jun").Agent == "mina" })
	c := s.of("jun").ID
	wrong := must(s.Answer(ctx, s.mina, sangdam.Answer{Conversation: c, Content: channel.Text("No."), Hold: time.Minute}))
	must(s.Unsend(ctx, s.mina, sangdam.Unsend{Message: wrong.Message}))
	must(s.Answer(ctx, s.mina, sangdam.Answer{Conversation: c, Content: channel.Text("Yes, it is.")}))
	fmt.Println(s.heard("jun", 1))
	// Output:
	// [Yes, it is.]
}

// A console of the host's own follows what happens, as far as its agent may see
// it, by server-sent events.
func ExampleEventStream() {
	s := open(nil)
	defer s.stop()
	loggedIn := func(*http.Request) (sangdam.Principal, error) { return s.mina, nil } // by the host's session
	server := httptest.NewServer(sangdam.EventStream(s.Engine, loggedIn))
	defer server.Close()

	response := must(http.Get(server.URL)) //nolint:noctx // the stream ends with the server
	defer func() { _ = response.Body.Close() }()
	s.writes("jun", "Hello?")
	fmt.Println(response.Header.Get("Content-Type"))
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && strings.Contains(data, `"conversation"`) {
			var change store.Event
			check(json.Unmarshal([]byte(data), &change))
			fmt.Println(change.Aggregate, change.Kind, change.Desk)
			break
		}
	}
	// Output:
	// text/event-stream
	// conversation opened support
}
