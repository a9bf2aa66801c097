package bot_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/internal/errs"
)

func ExampleScript() {
	s := bot.Script{ID: "intake", Greeting: "Hello!", Question: "Your order number?", Field: "order"}
	first, _ := s.Next(context.Background(), bot.Turn{})
	for _, c := range first.Say {
		fmt.Println(c.Text)
	}
	second, _ := s.Next(context.Background(), bot.Turn{Data: first.Data, Message: conversation.Message{Content: channel.Text("A-42")}})
	fmt.Println(second.Attributes["order"], second.HandOver)
	// Output:
	// Hello!
	// Your order number?
	// A-42 true
}

func TestAScriptNeedsItsParts(t *testing.T) {
	whole := bot.Script{ID: "b", Question: "q", Field: "f"}
	require.NoError(t, whole.Validate())
	for _, s := range []bot.Script{{Question: "q", Field: "f"}, {ID: "b", Field: "f"}, {ID: "b", Question: "q"}} {
		require.ErrorIs(t, s.Validate(), errs.Invalid)
	}
}
