package emukit_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/sangdam/sangdam/channel/emukit"
)

// telegraph is a whole emulator: it takes telegrams over HTTP, goes wrong when it
// is told to, and reports each one by webhook.
type telegraph struct {
	faults  emukit.Faults[emukit.Mishap]
	taken   emukit.Record[string]
	changes emukit.Changes
	sender  *emukit.Sender[string]
}

func newTelegraph(desk http.Handler) *telegraph {
	t := &telegraph{}
	t.sender = emukit.NewSender(emukit.SenderOptions[string]{
		Client: &http.Client{Transport: emukit.Transport(desk)}, Changes: &t.changes, Redeliveries: 1,
		Webhook: func(events []emukit.Sending[string]) (emukit.Webhook, bool) {
			return emukit.Webhook{Address: "https://desk.example/webhook", Body: []byte(events[0].Event),
				Header: http.Header{"X-Signature": {"made of the body and a secret"}}}, true
		}})
	return t
}

func (t *telegraph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mishap := t.faults.Next()
	if mishap.Untaken(r) {
		panic(http.ErrAbortHandler)
	}
	body, err := emukit.ReadBody(r, 100)
	if err != nil {
		emukit.JSON(http.StatusRequestEntityTooLarge, "too long for a telegram").Write(w)
		return
	}
	t.taken.Add(string(body))
	t.sender.Queue("taken: " + string(body))
	answer := emukit.JSON(http.StatusOK, map[string]int{"telegrams": t.taken.Count()})
	mishap.Taken(r, answer, emukit.Answer{Status: http.StatusInternalServerError}, 0).Write(w)
}

// An emulator takes a telegram and cuts the connection; the sender cannot know,
// but the webhook tells. The desk fails once, and is told again.
func Example() {
	tries := 0
	desk := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	provider := newTelegraph(desk)
	defer provider.sender.Close()
	provider.faults.Fail(emukit.CutAfter)

	client := &http.Client{Transport: emukit.Transport(provider)}
	_, err := client.Post("https://telegraph.example/send", "text/plain", strings.NewReader("Arrived safely"))
	fmt.Println("answered:", err == nil, "taken:", provider.taken.All())

	if err := provider.changes.Wait(context.Background(), provider.sender.Idle); err != nil {
		fmt.Println(err)
	}
	for _, d := range provider.sender.Sent() {
		fmt.Println(d.Attempt, d.Status, string(d.Body))
	}
	// Output:
	// answered: false taken: [Arrived safely]
	// 0 503 taken: Arrived safely
	// 1 200 taken: Arrived safely
}
