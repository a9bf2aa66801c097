package webchat

import (
	"io"
	"iter"
	"maps"
	"net/http"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/internal/safehttp"
)

// message is what a client gets of a message.
type message struct {
	ID           channel.MessageID      `json:"id"`
	Conversation channel.ConversationID `json:"conversation"`
	Seq          int64                  `json:"seq"`
	Key          string                 `json:"key,omitempty"`
	Mine         bool                   `json:"mine"`
	Author       string                 `json:"author,omitempty"`
	At           time.Time              `json:"at"`
	Kind         channel.ContentKind    `json:"kind"`
	Text         string                 `json:"text,omitempty"`
	Unsent       bool                   `json:"unsent,omitempty"`
	File         *file                  `json:"file,omitempty"`
	Choices      []pressable            `json:"choices,omitempty"`
	Cards        []card                 `json:"cards,omitempty"`
	Place        *place                 `json:"place,omitempty"`
}

// file says what a message carries; its bytes are at files/{message}. Link is
// set instead where the file is elsewhere.
type file struct {
	Name string `json:"name,omitempty"`
	Type string `json:"type,omitempty"`
	Size int64  `json:"size,omitempty"`
	// Refused: files are switched off, nothing was kept.
	Refused bool   `json:"refused,omitempty"`
	Link    string `json:"link,omitempty"`
}

// pressable is a choice; URI is set for those that open something.
type pressable struct {
	Label string `json:"label"`
	URI   string `json:"uri,omitempty"`
}

type card struct {
	Title   string      `json:"title,omitempty"`
	Text    string      `json:"text,omitempty"`
	Choices []pressable `json:"choices,omitempty"`
}

type place struct {
	Title     string  `json:"title,omitempty"`
	Address   string  `json:"address,omitempty"`
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

func messageOf(m visitor.Message) message {
	c := m.Content
	out := message{ID: m.ID, Conversation: m.Conversation, Seq: m.Seq, Key: m.Key, Mine: m.Mine, Author: m.Author, At: m.At,
		Kind: c.Kind, Text: c.Text, Unsent: m.Unsent, Choices: pressables(c.Choices)}
	if f := c.Media; f != nil {
		out.File = &file{Name: f.Name, Type: f.Type, Size: f.Size, Refused: f.State == channel.MediaRefused}
		if f.Blob == "" && safeLink(f.URL) {
			out.File.Link = f.URL
		}
	}
	for _, k := range c.Cards {
		out.Cards = append(out.Cards, card{Title: k.Title, Text: k.Text, Choices: pressables(k.Choices)})
	}
	if l := c.Location; l != nil {
		out.Place = &place{l.Title, l.Address, l.Latitude, l.Longitude}
	}
	return out
}

// pressables keeps the order of the choices: they are named by it.
func pressables(choices []channel.Choice) []pressable {
	var out []pressable
	for _, c := range choices {
		p := pressable{Label: c.Label}
		if c.Kind == "uri" && safeLink(c.URI) {
			p.URI = c.URI
		}
		out = append(out, p)
	}
	return out
}

// state is how the conversation stands.
type state struct {
	Conversation channel.ConversationID `json:"conversation,omitempty"`
	Open         bool                   `json:"open"`
	Agent        string                 `json:"agent,omitempty"`
	Waiting      bool                   `json:"waiting,omitempty"`
	EndedBy      string                 `json:"ended_by,omitempty"`
	Rated        bool                   `json:"rated,omitempty"`
	AskRating    string                 `json:"ask_rating,omitempty"`
	Seq          int64                  `json:"seq"`
	Read         int64                  `json:"read"`
}

func stateOf(s visitor.State) state {
	return state{s.Conversation, s.Open, s.Agent, s.Waiting, s.EndedBy, s.Rated, s.AskRating, s.Seq, s.Read}
}

// download serves a message's file: shown only where nothing in it can run, and
// never by a name in the address alone.
func (h *Handler) download(c *call) error {
	if err := c.signedIn(); err != nil {
		return err
	}
	body, media, err := h.port.Download(c.r.Context(), c.ref, channel.MessageID(c.r.PathValue("message")))
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was only read
	safehttp.ServeHeaders(c.w.Header(), media.Type, media.Name)
	c.w.WriteHeader(http.StatusOK)
	_, _ = io.Copy(c.w, body) // the visitor's connection is its own concern
	return nil
}

func mapKeys(t Texts) iter.Seq[string] { return maps.Keys(t) }
