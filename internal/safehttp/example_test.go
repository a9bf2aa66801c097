package safehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/sangdam/sangdam/internal/safehttp"
)

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "GIF89a...")
	}))
	defer server.Close()
	ctx := context.Background()

	_, err := safehttp.New(safehttp.Options{AnyPort: true}).Fetch(ctx, safehttp.Request{URL: server.URL})
	fmt.Println(errors.Is(err, safehttp.ErrBlocked))

	client := safehttp.New(safehttp.Options{AnyPort: true, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer client.Close()
	file, err := client.Fetch(ctx, safehttp.Request{URL: server.URL, MaxBytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close() //nolint:errcheck // an example
	fmt.Println(file.Type, safehttp.Inline(file.Type))
	// Output:
	// true
	// image/gif true
}

func ExampleDisposition() {
	fmt.Println(safehttp.Disposition(false, "영수증.pdf"))
	// Output: attachment; filename="___.pdf"; filename*=UTF-8''%EC%98%81%EC%88%98%EC%A6%9D.pdf
}
