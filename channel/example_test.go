package channel_test

import (
	"fmt"

	"github.com/sangdam/sangdam/channel"
)

// A message says what it is; the adapter makes of it what its provider has.
func ExampleContent() {
	c := channel.Text("Which size?")
	c.Choices = []channel.Choice{{Label: "M", Kind: channel.ChoiceMessage, Text: "M, please"}}
	fmt.Println(c.Kind, c.Text, len(c.Choices))
	// Output: text Which size? 1
}

// A secret does not show itself in logs and errors.
func ExampleSecret() {
	token := channel.NewSecret("hunter2")
	fmt.Printf("%v %s\n", token, token)
	fmt.Println(len(token.Reveal()))
	// Output:
	// [redacted] [redacted]
	// 7
}
