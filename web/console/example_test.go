package console_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/web/console"
)

// The host mounts the console and says who a request is from: here by a cookie
// that its own log-in set. Who is not signed in is led there.
func ExampleNewHandler() {
	keys, err := seal.Ephemeral() // a program of its own keeps its keys, see seal/tinkseal
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := sangdam.New(sangdam.Config{DB: memory.New(memory.Options{}), Sealer: keys})
	if err != nil {
		fmt.Println(err)
		return
	}
	pages, err := console.NewHandler(engine, console.Options{
		Prefix: "/console", SignIn: "/sign-in",
		Authenticate: func(r *http.Request) (sangdam.Principal, error) {
			if c, err := r.Cookie("session"); err == nil && c.Value == "mina's" {
				return sangdam.AgentPrincipal("shop", "mina"), nil
			}
			return sangdam.Principal{}, errors.New("nobody is signed in")
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/console/", pages)

	r := httptest.NewRequest(http.MethodGet, "/console/", http.NoBody)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 303 /sign-in?next=%2Fconsole%2F
}
