package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
)

//go:embed refusals/*.json
var refusalFiles embed.FS

// refusals say the library's refusals in other languages than its own: by the
// format of the message, which is the refusal's code. What a language does not
// have is said in English.
func loadRefusals(tag string) map[string]string {
	out := map[string]string{}
	raw, err := refusalFiles.ReadFile("refusals/" + tag + ".json")
	if err != nil || json.Unmarshal(raw, &out) != nil { // English needs none
		return nil
	}
	return out
}

// words are an error's text for a person, without the name of the package it
// comes from.
func (l *language) words(err error) string {
	format, args, ok := errs.Parts(err)
	said := l.refusals[format]
	if !ok || said == "" {
		return plainWords(err)
	}
	plain := make([]any, len(args))
	for i, a := range args {
		if inner, is := a.(error); is {
			a = l.words(inner)
		}
		plain[i] = a
	}
	return fmt.Sprintf(said, plain...)
}

// plainWords is an error's text without the name of the package it comes from.
func plainWords(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	for _, p := range []string{"sangdam: ", "console: ", "store: ", "routing: ", "channel: ", "line: ", "ticket: ", "trigger: ", "hours: ",
		"webchat: "} {
		text = strings.TrimPrefix(text, p)
	}
	return text
}
