package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// clientEnv makes the program the process that holds the connections of widgets:
// its value is the address that they are opened at.
const clientEnv = "SANGDAM_BENCH_STREAMS"

// streamClient is that process, as the other one sees it. It is given the tokens
// one a line and an empty line, and answers "ready"; then words to wait for.
type streamClient struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func newStreamClient(ctx context.Context, address string, tokens []string) (*streamClient, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &streamClient{cmd: exec.CommandContext(ctx, self)}
	c.cmd.Env = append(os.Environ(), clientEnv+"="+address)
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	lines := make([]string, len(tokens))
	for i, t := range tokens {
		lines[i] = "token:" + t
	}
	if _, err := io.WriteString(c.in, strings.Join(lines, "\n")+"\n\n"); err != nil {
		return nil, err
	}
	if line, err := c.line(); err != nil || line != "ready" {
		return nil, fmt.Errorf("the client says %q: %w", line, err)
	}
	return c, nil
}

func (c *streamClient) line() (string, error) {
	if !c.out.Scan() {
		return "", errors.Join(errors.New("the client has ended"), c.out.Err())
	}
	return c.out.Text(), nil
}

func (c *streamClient) close() {
	_ = c.in.Close() // it ends by that
	_ = c.cmd.Wait()
}

// measure has the client wait until n lines with the word have come, does what
// causes them, and returns how long they took, in milliseconds.
func (c *streamClient) measure(word string, n int, cause func() error) (p50, p99 float64, err error) {
	if _, err = fmt.Fprintf(c.in, "%d %s\n", n, word); err != nil {
		return 0, 0, err
	}
	if _, err = c.line(); err != nil { // it listens
		return 0, 0, err
	}
	began := time.Now().UnixNano()
	if err = cause(); err != nil {
		return 0, 0, err
	}
	line, err := c.line()
	if err != nil {
		return 0, 0, err
	}
	var half, most int64
	_, err = fmt.Sscan(line, &half, &most)
	return float64(half-began) / 1e6, float64(most-began) / 1e6, err
}

// arrivals are the times at which the word that is waited for has come.
type arrivals struct {
	mu   sync.Mutex
	word string
	want int
	at   []int64
	done chan struct{}
}

func (a *arrivals) expect(n int, word string) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.word, a.want, a.at, a.done = word, n, nil, make(chan struct{})
	return a.done
}

func (a *arrivals) line(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.word == "" || !strings.Contains(text, a.word) {
		return
	}
	if a.at = append(a.at, time.Now().UnixNano()); len(a.at) == a.want {
		a.word = ""
		close(a.done)
	}
}

// holdStreams is the client's side.
func holdStreams(address string, in io.Reader, out io.Writer) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	var a arrivals
	commands := bufio.NewScanner(in)
	for commands.Scan() && commands.Text() != "" {
		if err := holdStream(u, strings.TrimPrefix(commands.Text(), "token:"), &a); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "ready")
	for commands.Scan() {
		var n int
		number, word, _ := strings.Cut(commands.Text(), " ")
		if _, err := fmt.Sscan(number, &n); err != nil {
			return err
		}
		done := a.expect(n, word)
		fmt.Fprintln(out, "listening")
		select {
		case <-done:
		case <-time.After(time.Minute):
			return fmt.Errorf("only %d of %d connections got %q within a minute", len(a.at), n, word)
		}
		slices.Sort(a.at)
		fmt.Fprintln(out, a.at[len(a.at)/2], a.at[len(a.at)*99/100])
	}
	return commands.Err()
}

// holdStream opens one connection and returns when the stream has begun.
func holdStream(u *url.URL, token string, a *arrivals) error {
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return err
	}
	authorization := ""
	if token != "" {
		authorization = "Authorization: Bearer " + token + "\r\n"
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", u.RequestURI(), u.Host, authorization); err != nil {
		return err
	}
	r := bufio.NewReaderSize(conn, 512)
	if err := awaitStream(r); err != nil {
		return err
	}
	go func() {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			a.line(line)
		}
	}()
	return nil
}

// awaitStream reads up to where the stream begins.
func awaitStream(r *bufio.Reader) error {
	begun := false
	for !begun {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, "HTTP/1.1 ") && !strings.Contains(line, "200") {
			return fmt.Errorf("a stream was refused: %s", line)
		}
		begun = strings.HasPrefix(line, "retry:") || strings.HasPrefix(line, "event: place")
	}
	return nil
}
