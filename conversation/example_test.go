package conversation_test

import (
	"fmt"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

// Lists show a message as one line, whatever it is.
func ExamplePreview() {
	fmt.Println(conversation.Preview(channel.Text("Where is\nmy order?")))
	fmt.Println(conversation.Preview(channel.Content{Kind: channel.KindImage, Media: &channel.Media{Name: "receipt.jpg"}}))
	// Output:
	// Where is my order?
	// [image]
}
