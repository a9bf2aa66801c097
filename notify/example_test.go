package notify_test

import (
	"fmt"

	"github.com/sangdam/sangdam/notify"
)

// The nearest layout is chosen: event before language.
func ExampleChoose() {
	have := map[[2]string]notify.Layout{
		{"", ""}:       {HTML: "<p>#{content}</p>"},
		{"", "ko"}:     {Language: "ko", HTML: "<p>안녕하세요. #{content}</p>"},
		{"solved", ""}: {Event: "solved", HTML: "<h1>Done</h1>#{content}"},
	}
	get := func(event, language string) (notify.Layout, bool, error) {
		l, ok := have[[2]string{event, language}]
		return l, ok, nil
	}
	for _, event := range []string{"solved", "received"} {
		l, _, err := notify.Choose(event, "ko-KR", get)
		before, after := l.Around()
		fmt.Println(before+notify.Paragraphs("It <left>.")+after, err)
	}
	// Output:
	// <h1>Done</h1>It &lt;left&gt;. <nil>
	// <p>안녕하세요. It &lt;left&gt;.</p> <nil>
}
