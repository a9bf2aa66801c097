package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/notify/webhook"
)

// bridge is all that the team writes to join the two: what the library's rules
// call goes to the ticket service, what the service solves goes to the customer.
//
// It keeps nothing. While the service is down it answers 503, and the library
// calls again, for three days, with the same webhook-id; that id is the service's
// Idempotency-Key, so that nothing is lost and nothing is there twice.
type bridge struct {
	secret  channel.Secret
	service string // base address of the ticket service
	client  *http.Client
	eng     *sangdam.Engine
}

// hook is what a rule's web hook carries; see action.WebhookParams.
type hook struct {
	Data struct {
		ID     string            `json:"id"`
		Depth  int               `json:"depth"`
		Fields map[string]string `json:"fields"`
	} `json:"data"`
}

// ServeHTTP receives a web hook of the library.
func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		err = webhook.Verify(r.Header, raw, time.Now(), b.secret)
	}
	var in hook
	if err == nil {
		err = json.Unmarshal(raw, &in)
	}
	if err != nil {
		http.Error(w, "this is no request of the desk", http.StatusUnauthorized)
		return
	}
	if err := b.forward(r.Context(), r.Header.Get(webhook.HeaderID), in); err != nil {
		http.Error(w, "the ticket system does not take it now", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// forward gives a message to the ticket service.
func (b *bridge) forward(ctx context.Context, key string, in hook) error {
	body, err := json.Marshal(map[string]string{"conversation": in.Data.ID, "text": in.Data.Fields["message"]})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.service+"/tickets", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Idempotency-Key", key)
	res, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the ticket service answered %d", res.StatusCode)
	}
	return nil
}

// solved tells the customer; the key makes it once, however often the service
// says so.
func (b *bridge) solved(t Ticket) {
	_, err := b.eng.Answer(context.Background(), host, sangdam.Answer{Key: sangdam.Key(fmt.Sprint("solved/", t.ID)),
		Conversation: conversation.ID(t.Conversation),
		Content: channel.Text(fmt.Sprintf("Ticket %d is solved. Thank you for your patience!",
			t.ID))})
	if err != nil {
		fmt.Println("the customer could not be told:", err)
	}
}
