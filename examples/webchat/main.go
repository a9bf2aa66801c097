// Command webchat is a shop's page with the chat widget on it, and a desk whose
// one agent is a few lines of code:
//
//	go run ./examples/webchat
//
// serves http://127.0.0.1:8080. It keeps what it knows in ./webchat-data, or in
// the directory given, so that the chat is still there when the program or the
// page is started again. Open the page in two tabs, cut the network, stop the
// program in the middle: nothing that was said is lost or there twice.
package main

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/seal/tinkseal"
	"github.com/sangdam/sangdam/store/sqlite"
)

//go:embed page
var files embed.FS

var host, mina = sangdam.Host("shop"), sangdam.AgentPrincipal("shop", "mina")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: webchat [directory of the data]") }
	flag.Parse()
	ln, err := net.Listen("tcp", "127.0.0.1:8080")
	if err == nil {
		fmt.Println("The shop is at http://127.0.0.1:8080/")
		err = run(ctx, ln, cmp.Or(flag.Arg(0), "webchat-data"))
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, ln net.Listener, dir string) error {
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer db.Close()
	keys, _, errKeys := tinkseal.OpenOrCreate(filepath.Join(dir, "keys.json"))
	blobs, errBlobs := blob.Dir(filepath.Join(dir, "files"), blob.DirOptions{})
	eng, errNew := sangdam.New(sangdam.Config{DB: db, Sealer: keys, Blobs: blobs, Adapters: []adapter.Adapter{webchat.New()}})
	if err := errors.Join(errKeys, errBlobs, errNew); err != nil {
		return err
	}
	account, err := setUp(ctx, eng)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/webchat/", http.StripPrefix("/webchat", webchat.NewHandler(eng.Visitor(), webchat.Options{})))
	mux.Handle("/page/", http.FileServerFS(files))
	mux.Handle("/{$}", shopPage(account))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return unlessClosed(srv.Serve(ln)) })
	group.Go(func() error { return eng.Run(ctx) })
	group.Go(func() error { return agent(ctx, eng) })
	group.Go(func() error { <-ctx.Done(); return srv.Close() })
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil // it was stopped
}

func unlessClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// shopPage carries the widget with one line. Its policy allows scripts and
// connections of this very server and nothing else for the chat; the style sheet
// is the shop's own.
func shopPage(account channel.Account) http.Handler {
	page := template.Must(template.ParseFS(files, "page/index.html"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lang := r.URL.Query().Get("lang")
		if lang != "ko" && lang != "ja" {
			lang = "en"
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'")
		_ = page.Execute(w, map[string]string{"Account": account.Token, "Lang": lang}) // the browser's connection is its own concern
	})
}

// setUp makes what the shop needs the first time; later it finds its account.
func setUp(ctx context.Context, eng *sangdam.Engine) (channel.Account, error) {
	err := eng.CreateWorkspace(ctx, "shop", "Shop")
	if errors.Is(err, sangdam.ErrAlreadyExists) {
		accounts, err := eng.Accounts(ctx, host)
		if err != nil || len(accounts) == 0 {
			return channel.Account{}, errors.Join(err, errors.New("the directory holds a shop that was not set up to its end; delete it"))
		}
		return accounts[0], nil
	}
	agent := routing.Agent{ID: "mina", Name: "Mina", Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Assign: routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 100}}
	_, errAgent := eng.SaveAgent(ctx, host, sangdam.SaveAgent{Agent: agent})
	_, errDesk := eng.SaveDesk(ctx, host, sangdam.SaveDesk{Desk: routing.Desk{ID: "support", Name: "Hat shop"}, Agent: "mina"})
	_, errQueue := eng.SaveQueue(ctx, host, sangdam.SaveQueue{Queue: routing.Queue{ID: "all", Name: "All",
		Members: []routing.AgentID{"mina"}}})
	stream := routing.WorkStream{ID: "web", Name: "Web chat", ChannelKind: "webchat", Mode: routing.Push, Cost: 1, Queue: "all", Live: true,
		AutoAccept: true,
		Messages: automated.Texts{automated.Greeting: {"": "Hello! One moment, please.", "ko": "안녕하세요! 잠시만 기다려 주세요.",
			"ja": "こんにちは。少々お待ちください。"}}}
	_, errStream := eng.SaveWorkStream(ctx, host, sangdam.SaveWorkStream{WorkStream: stream})
	settings, errSettings := json.Marshal(webchat.Settings{Color: "#8a3b12",
		Consent: &webchat.Consent{Version: "2026-01", Texts: webchat.Texts{
			"": "What you write here is stored so that we can answer you.", "ko": "상담을 위해 대화 내용이 저장됩니다.",
			"ja": "お問い合わせ対応のため、会話の内容を保存します。"}}})
	if err := errors.Join(err, errAgent, errDesk, errQueue, errStream, errSettings); err != nil {
		return channel.Account{}, err
	}
	saved, err := eng.SaveAccount(ctx, host, sangdam.SaveAccount{Account: channel.Account{Kind: webchat.Kind, Name: "Shop", Desk: "support",
		WorkStream:  "web",
		Attachments: true, CustomerAttachments: true, AgentAttachments: true, Settings: settings,
		Secrets: map[string]channel.Secret{webchat.SecretVisitor: channel.NewSecret(webchat.NewKey())}}})
	return saved.Account, err
}

// agent comes online and answers every conversation that has something new.
func agent(ctx context.Context, eng *sangdam.Engine) error {
	hints, stop := eng.Watch()
	defer stop()
	err := eng.SetPresence(ctx, mina, sangdam.SetPresence{Agent: "mina", Presence: routing.Online})
	for err == nil {
		var page sangdam.Page
		page, err = eng.Conversations(ctx, mina, conversation.Filter{Agent: "mina", States: []conversation.State{conversation.StateActive}},
			"", 0)
		for _, c := range page.Conversations {
			if c.Unread > 0 && err == nil {
				_, err = eng.Answer(ctx, mina, sangdam.Answer{Conversation: c.ID, Content: answer()})
				err = errors.Join(err, eng.MarkRead(ctx, mina, c.ID))
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-hints: // there may be news
		case <-time.After(10 * time.Second): // hints may be missing, and an agent's heart beats
			err = errors.Join(err, eng.Heartbeat(ctx, "shop", "mina"))
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func answer() channel.Content {
	c := channel.Text("This is Mina, a few lines of code. Which hat do you like?")
	c.Choices = []channel.Choice{{Label: "The felt hat", Kind: "message"}, {Label: "The straw hat", Kind: "message"}}
	return c
}
