package webchat_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
)

// A host mounts the handler beside its own pages.
func ExampleNewHandler() {
	keys, err := seal.Ephemeral()
	if err != nil {
		log.Fatal(err)
	}
	eng, err := sangdam.New(sangdam.Config{DB: memory.New(memory.Options{}), Sealer: keys, Adapters: []adapter.Adapter{webchat.New()}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/webchat/", http.StripPrefix("/webchat", webchat.NewHandler(eng.Visitor(), webchat.Options{})))
	fmt.Println(webchat.Snippet("/webchat", channel.Account{Token: "5f0c7c1e"}, "en"))
	// Output: <script async src="/webchat/widget.js" data-account="5f0c7c1e" data-lang="en"></script>
}
