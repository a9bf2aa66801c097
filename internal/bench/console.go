package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/web/console"
)

// The console of a large desk: how long its pages take on the server, how long
// after the start of a process the first one comes, how soon a customer's words
// are on an agent's screen, and what a process of a hundred agents holds.

// residentEnv makes the program a console of a hundred agents and a thousand open
// conversations, which tells its address, and then its memory.
const residentEnv = "SANGDAM_BENCH_CONSOLE"

const (
	consoleAgents = 100
	consoleOpen   = 1_000
	pageTries     = 500
)

// pages is the console that a host would mount; a header says who asks, or the
// token of a client that has nothing else.
func pages(eng *sangdam.Engine) (http.Handler, error) {
	return console.NewHandler(eng, console.Options{Prefix: "/desk", Authenticate: func(r *http.Request) (sangdam.Principal, error) {
		id := r.Header.Get("Agent")
		if id == "" {
			id = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		}
		if id == "" {
			return sangdam.Principal{}, errors.New("nobody")
		}
		return sangdam.AgentPrincipal(workspace, routing.AgentID(id), sangdam.RoleAgent), nil
	}})
}

// page is one page, served without a network.
func page(h http.Handler, agent routing.AgentID, path string) (string, error) {
	r := httptest.NewRequest(http.MethodGet, "/desk"+path, nil)
	r.Header.Set("Agent", string(agent))
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return "", fmt.Errorf("%s is answered %d", path, w.Code)
	}
	return w.Body.String(), nil
}

func consolePages(ctx context.Context, o options) (report, error) {
	p, err := newPlace(ctx, "sqlite")
	if err != nil {
		return report{}, err
	}
	defer p.gone()
	sealer, err := seedConsole(ctx, p, o.conversations)
	if err != nil {
		return report{}, err
	}
	figures := map[string]any{"conversations": o.conversations, "agents": consoleAgents}
	if err := warmConsole(ctx, p, sealer, figures); err != nil {
		return report{}, err
	}
	figures["resident_MiB"], err = residentConsole(ctx)
	return report{Figures: figures}, err
}

func seedConsole(ctx context.Context, p place, n int) (seal.Sealer, error) {
	db, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	d, err := newDesk(ctx, db, sangdam.Hooks{}, consoleAgents, n)
	if err == nil {
		err = d.populate(ctx, n, n/10, consoleAgents)
	}
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return d.sealer, db.Close()
}

// warmConsole starts a process on what is there, and measures.
func warmConsole(ctx context.Context, p place, sealer seal.Sealer, figures map[string]any) error {
	began := time.Now()
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	eng, err := newEngine(db, sealer, sangdam.Hooks{})
	if err != nil {
		return err
	}
	stop := start(ctx, eng)
	h, err := pages(eng)
	if err == nil {
		_, err = page(h, agentID(1), "/conversations?view=all")
	}
	if err != nil {
		return errors.Join(err, stop())
	}
	figures["first_page_ms"] = ms(time.Since(began))
	accounts, err := eng.Accounts(ctx, sangdam.Host(workspace))
	if err != nil {
		return errors.Join(err, stop())
	}
	d := &desk{secret: channel.NewSecret(secret), hook: eng.AccountWebhook(accounts[0].Token)}
	thread, err := firstWords(ctx, eng, d)
	if err != nil {
		return errors.Join(err, stop())
	}
	// The same beside the taking in of all that waits, and when that is done.
	err = timePages(h, thread, "starting_", figures)
	if err == nil {
		err = tookIn(ctx)
	}
	if err == nil {
		err = timePages(h, thread, "", figures)
	}
	if err == nil {
		err = toScreen(ctx, h, d, thread, figures)
	}
	return errors.Join(err, stop())
}

// timePages measures the pages one after another.
func timePages(h http.Handler, thread, prefix string, figures map[string]any) error {
	for _, of := range [][2]string{{"list", "/conversations?view=all"}, {"list_mine", "/conversations?view=mine"}, {"thread", thread}} {
		var all []float64
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range pageTries {
			at := time.Now()
			if _, err := page(h, agentID(1), of[1]); err != nil {
				return err
			}
			all = append(all, ms(time.Since(at)))
		}
		runtime.ReadMemStats(&after)
		slices.Sort(all)
		name := prefix + of[0]
		figures[name+"_ms_p50"], figures[name+"_ms_p99"] = all[len(all)/2], all[len(all)*99/100]
		figures[name+"_KiB"] = (after.TotalAlloc - before.TotalAlloc) / pageTries / 1024
	}
	return nil
}

// tookIn waits until the process has nothing left to do: what it took in at its
// start, and what memory that has left behind.
func tookIn(ctx context.Context) error {
	for {
		before := measure.CPUTime()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
		if measure.CPUTime()-before < 15*time.Millisecond {
			return nil
		}
	}
}

// firstWords lets a customer begin, and returns the page of its conversation.
func firstWords(ctx context.Context, eng *sangdam.Engine, d *desk) (string, error) {
	if code := d.post(d.text(userID(1))); code != http.StatusOK {
		return "", fmt.Errorf("the webhook is answered %d", code)
	}
	for range 1000 {
		list, err := eng.Conversations(ctx, sangdam.Host(workspace), conversation.Filter{}, "", 1)
		if err != nil {
			return "", err
		}
		if c := list.Conversations; len(c) > 0 && c[0].Chat.ID == userID(1) {
			return "/conversations/" + string(c[0].ID) + "?view=all", nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", errors.New("the customer's conversation never came")
}

// toScreen lets the customer of a conversation write again and again: from the
// provider's POST to the agent's page that has the words, by way of its stream.
func toScreen(ctx context.Context, h http.Handler, d *desk, thread string, figures map[string]any) error {
	srv := httptest.NewServer(h)
	defer srv.Close()
	defer srv.CloseClientConnections()
	changes, err := followed(ctx, srv.URL, agentID(1))
	if err != nil {
		return err
	}
	var all []float64
	for i := range 200 {
		words := fmt.Sprintf("words-%d.", i)
		m := d.text(userID(1))
		m.body = bytes.Replace(m.body, []byte("안녕하세요, 주문한"), []byte(words), 1)
		m.sign = line.Sign(d.secret, m.body)
		at := time.Now()
		if code := d.post(m); code != http.StatusOK {
			return fmt.Errorf("the webhook is answered %d", code)
		}
		for shown := false; !shown; {
			select {
			case <-changes:
			case <-time.After(20 * time.Second):
				return errors.New("what a customer wrote never came to the screen")
			}
			body, err := page(h, agentID(1), thread)
			if err != nil {
				return err
			}
			shown = strings.Contains(body, words)
		}
		all = append(all, ms(time.Since(at)))
	}
	slices.Sort(all)
	figures["post_to_screen_ms_p50"], figures["post_to_screen_ms_p99"] = all[len(all)/2], all[len(all)*99/100]
	return nil
}

// followed follows an agent's event stream; each change is a token, at most one
// waits.
func followed(ctx context.Context, base string, agent routing.AgentID) (<-chan struct{}, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/desk/events?beat=2", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Agent", string(agent))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	changes := make(chan struct{}, 1)
	go func() {
		defer resp.Body.Close()
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			if strings.HasPrefix(s.Text(), "event: change") || strings.HasPrefix(s.Text(), "event:change") {
				select {
				case changes <- struct{}{}:
				default:
				}
			}
		}
	}()
	return changes, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// residentConsole starts the other process, opens a hundred consoles there, and
// asks it for its memory.
func residentConsole(ctx context.Context) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env, cmd.Stderr = append(os.Environ(), residentEnv+"=1"), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	said := bufio.NewScanner(out)
	if !said.Scan() {
		return 0, errors.Join(errors.New("the console did not start"), cmd.Wait())
	}
	base := said.Text()
	for i := range consoleAgents {
		if _, err := followed(ctx, base, agentID(i)); err != nil {
			return 0, err
		}
		for _, path := range []string{"/desk/conversations?view=mine", "/desk/conversations?view=all"} {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
			if err != nil {
				return 0, err
			}
			r.Header.Set("Agent", string(agentID(i)))
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				return 0, err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			if err := errors.Join(err, resp.Body.Close()); err != nil {
				return 0, err
			}
		}
	}
	if _, err := io.WriteString(in, "\n"); err != nil || !said.Scan() {
		return 0, errors.Join(errors.New("the console did not tell its memory"), err)
	}
	kib, err := strconv.ParseFloat(said.Text(), 64)
	return kib / 1024, errors.Join(err, in.Close(), cmd.Wait())
}

// beResident is the other process.
func beResident(ctx context.Context, in io.Reader, out io.Writer) error {
	p, err := newPlace(ctx, "sqlite")
	if err != nil {
		return err
	}
	defer p.gone()
	sealer, err := seedConsole(ctx, p, consoleOpen)
	if err != nil {
		return err
	}
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	eng, err := newEngine(db, sealer, sangdam.Hooks{})
	if err != nil {
		return err
	}
	stop := start(ctx, eng)
	h, err := pages(eng)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(ln) }() // until it is closed
	defer srv.Close()
	fmt.Fprintln(out, "http://"+ln.Addr().String())
	asked := bufio.NewScanner(in)
	asked.Scan()
	time.Sleep(time.Second) // what a page needs only while it is made is given back
	debug.FreeOSMemory()
	kib, err := residentKiB()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, kib)
	_ = srv.Close() // streams would hold the engine
	return stop()
}

// residentKiB is what the process holds of the machine's memory.
func residentKiB() (string, error) {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	for l := range strings.Lines(string(raw)) {
		if rest, is := strings.CutPrefix(l, "VmRSS:"); is {
			return strings.TrimSuffix(strings.TrimSpace(rest), " kB"), nil
		}
	}
	return "", errors.New("the system does not tell the process's memory")
}
