package webhooktest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/webhook"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
)

// The receiver takes a request and its answer is lost. The repeat has the same id,
// so that a receiver which remembers ids acts once.
func Example() {
	receiver := webhooktest.New(webhooktest.Options{})
	receiver.Fail(webhooktest.Fault{Lost: true})
	carrier := webhook.New(webhook.Options{Transport: receiver.Transport()})
	target := notify.Target{ID: "crm", Kind: webhook.Kind, Name: "CRM", Settings: []byte(`{"url":"https://crm.example/hook"}`),
		Secrets: map[string]channel.Secret{webhook.SecretName: receiver.Secret()}}

	request, err := carrier.Plan(target, notify.Notice{ID: "n1", Event: "ticket.solved", Data: []byte(`{"ticket":17}`)}, time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		_, err := carrier.Send(context.Background(), target, request)
		fmt.Println("sent:", err == nil)
	}
	for _, r := range receiver.Acted() {
		fmt.Println(r.Type, string(r.Data))
	}
	// Output:
	// sent: false
	// sent: true
	// ticket.solved {"ticket":17}
}
