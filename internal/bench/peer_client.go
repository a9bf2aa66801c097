package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/internal/bench/measure"
)

// peerEnv makes the program the process of the customers of -case peer, so that
// their processor time is not counted as the engine's: its value is the address
// that they write to.
const peerEnv = "SANGDAM_BENCH_PEER"

// peerOrder has that process make webhooks ready, which an empty line sends.
type peerOrder struct {
	Clients int     `json:"clients"`
	Count   int     `json:"count"`
	From    int     `json:"from"`
	Rate    float64 `json:"rate"` // a second in all; 0: each as soon as the one before is answered
}

// peerAnswers are the times of answers in milliseconds; from when a webhook was
// due where there is a rate.
type peerAnswers struct {
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Most  float64 `json:"most"`
	Error string  `json:"error,omitempty"`
}

// peerClients is that process, as the other one sees it.
type peerClients struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func newPeerClients(ctx context.Context, address string) (*peerClients, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &peerClients{cmd: exec.CommandContext(ctx, self)}
	c.cmd.Env = append(os.Environ(), peerEnv+"="+address)
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	return c, c.cmd.Start()
}

func (c *peerClients) close() {
	_ = c.in.Close() // it ends by that
	_ = c.cmd.Wait()
}

func (c *peerClients) prepare(o peerOrder) error {
	if err := json.NewEncoder(c.in).Encode(o); err != nil {
		return err
	}
	var ready peerAnswers
	return c.out.Decode(&ready)
}

func (c *peerClients) write() (peerAnswers, error) {
	var said peerAnswers
	if err := json.NewEncoder(c.in).Encode(peerOrder{}); err != nil {
		return said, err
	}
	if err := c.out.Decode(&said); err != nil {
		return said, err
	}
	if said.Error != "" {
		return said, fmt.Errorf("the customers: %s", said.Error)
	}
	return said, nil
}

// playCustomers is what that process does.
func playCustomers(address string, in io.Reader, out io.Writer) error {
	orders, answers := json.NewDecoder(in), json.NewEncoder(out)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	for {
		var o, begin peerOrder
		if err := orders.Decode(&o); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		ready := make([]webhook, o.Count)
		for i := range ready {
			ready[i] = firstMessage(o.From + i)
		}
		if err := answers.Encode(peerAnswers{}); err != nil {
			return err
		}
		if err := orders.Decode(&begin); err != nil {
			return err
		}
		if err := answers.Encode(writeAll(client, address, o, ready)); err != nil {
			return err
		}
	}
}

// firstMessage is the n-th customer's.
func firstMessage(n int) webhook {
	body := fmt.Appendf(nil,
		`{"destination":"Uffffffffffffffffffffffffffffffff","events":[{"type":"message","message":{"type":"text","id":"%d",`+
			`"quoteToken":"q3Plxr4AgKd3Plxr4AgKdq3Plxr4AgKdq3Plxr4AgKd","text":"안녕하세요, 주문한 상품 환불 문의드립니다."},"webhookEventId":"01J%023d",`+
			`"deliveryContext":{"isRedelivery":false},"timestamp":%d,"source":{"type":"user","userId":"%s"},"replyToken":"%032x",`+
			`"mode":"active"}]}`,
		500000000000000000+n, n, time.Now().UnixMilli(), userID(n), n)
	return webhook{body, line.Sign(channel.NewSecret(secret), body)}
}

func writeAll(client *http.Client, address string, o peerOrder, ready []webhook) peerAnswers {
	var mu sync.Mutex
	var all measure.Latencies
	var failed error
	next := make(chan int)
	var wg sync.WaitGroup
	begin := time.Now()
	clients := o.Clients
	if o.Rate > 0 {
		clients *= 8 // so that one that is late holds nobody up
	}
	due := func(i int) time.Time { return begin.Add(time.Duration(float64(i) / o.Rate * float64(time.Second))) }
	for range clients {
		wg.Go(func() {
			for i := range next {
				from := time.Now()
				if o.Rate > 0 {
					from = due(i)
				}
				err := bring(client, address, ready[i])
				took := time.Since(from)
				mu.Lock()
				all = append(all, took)
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	for i := range ready {
		if o.Rate > 0 {
			time.Sleep(time.Until(due(i)))
		}
		next <- i
	}
	close(next)
	wg.Wait()
	ms := func(q float64) float64 { return all.At(q).Seconds() * 1000 }
	out := peerAnswers{P50: ms(0.5), P99: ms(0.99), Most: ms(1)}
	if failed != nil {
		out.Error = failed.Error()
	}
	return out
}

func bring(client *http.Client, address string, m webhook) error {
	r, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(m.body))
	if err != nil {
		return err
	}
	r.Header.Set("X-Line-Signature", m.sign)
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("a webhook was answered %d", res.StatusCode)
	}
	return nil
}
