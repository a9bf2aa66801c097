package helpcenter_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/web/helpcenter"
)

// The host mounts the form; what customers send is a ticket of the workspace.
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
	if err := engine.CreateWorkspace(context.Background(), "shop", "Shop"); err != nil {
		fmt.Println(err)
		return
	}
	form, err := helpcenter.NewHandler(engine, helpcenter.Options{Prefix: "/help", Workspace: "shop",
		Title: map[string]string{"": "Write to the shop", "ko": "문의하기"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/help/", form)

	for _, language := range []string{"en", "ko"} {
		r := httptest.NewRequest(http.MethodGet, "/help/", http.NoBody)
		r.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		_, rest, _ := strings.Cut(w.Body.String(), "<h1>")
		title, _, _ := strings.Cut(rest, "</h1>")
		fmt.Println(w.Code, title)
	}
	// Output:
	// 200 Write to the shop
	// 200 문의하기
}
