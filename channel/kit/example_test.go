package kit_test

import (
	"fmt"

	"github.com/sangdam/sangdam/channel/kit"
)

// A text that is too long for the provider is sent in parts, cut at blanks.
func ExampleSplit() {
	atoms := kit.Atoms("Your parcel has left the house and comes tomorrow.", nil)
	for _, part := range kit.Split(atoms, 24, func(kit.Atom) int { return 1 }) {
		text := ""
		for _, a := range part {
			text += a.Text
		}
		fmt.Printf("%q\n", text)
	}
	// Output:
	// "Your parcel has left "
	// "the house and comes "
	// "tomorrow."
}

// What a provider counts is rarely bytes: LINE counts UTF-16, people count
// characters.
func ExampleShorten() {
	fmt.Println(kit.Shorten("파란 모자 있나요?", 6, kit.Graphemes))
	fmt.Println(kit.UTF16("😀"), kit.Graphemes("😀"))
	// Output:
	// 파란 모자…
	// 2 1
}
