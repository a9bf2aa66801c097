package emukit_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"

	"github.com/sangdam/sangdam/channel/emukit"
)

// An adapter under test is given the emulator in the place of the network. The
// provider takes the message, and its answer is lost.
func ExampleTransport() {
	taken := 0
	provider := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		taken++
		panic(http.ErrAbortHandler) // cuts the connection
	})
	client := &http.Client{Transport: emukit.Transport(provider)}
	_, err := client.Post("https://api.provider.example/messages", "text/plain", strings.NewReader("Hello"))
	fmt.Println(taken, "taken; the sender cannot know:", errors.Is(err, io.ErrUnexpectedEOF))
	// Output: 1 taken; the sender cannot know: true
}

// Nothing was sent: whoever sees a refused connection may try again.
func ExampleUnreachable() {
	client := &http.Client{Transport: emukit.Unreachable()}
	_, err := client.Get("https://api.provider.example/health")
	fmt.Println(errors.Is(err, syscall.ECONNREFUSED))
	// Output: true
}
