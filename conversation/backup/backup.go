// Package backup is for who reads the file of a backup (Engine.WriteBackup): it has
// the shapes of its lines. A line is one conversation in JSON, ends with a line feed
// and is a Line; the oldest conversation comes first.
package backup

import (
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

// Line is a line of a backup: a conversation as it is shown.
type Line struct {
	Conversation conversation.ID      `json:"conversation"`
	Customer     string               `json:"customer,omitempty"`
	Channel      channel.Kind         `json:"channel"`
	Account      channel.AccountID    `json:"account"`
	Desk         conversation.DeskID  `json:"desk"`
	Agent        conversation.AgentID `json:"agent,omitempty"`
	State        conversation.State   `json:"state"`
	Handled      bool                 `json:"handled"`
	OpenedAt     time.Time            `json:"opened_at"`
	ClosedAt     time.Time            `json:"closed_at,omitzero"`
	EndedBy      string               `json:"ended_by,omitempty"`
	EndReason    string               `json:"end_reason,omitempty"`
	Category     string               `json:"category,omitempty"`
	Memo         string               `json:"memo,omitempty"`
	Tags         []string             `json:"tags,omitempty"`
	Attributes   map[string]string    `json:"attributes,omitempty"`
	Rating       *conversation.Rating `json:"rating,omitempty"`
	Messages     []Message            `json:"messages"`
	Events       []conversation.Event `json:"events"`
}

// Message is a message in a backup. Of files it has the names.
type Message struct {
	ID        conversation.MessageID `json:"id"`
	At        time.Time              `json:"at"`
	Direction conversation.Direction `json:"direction"`
	Author    conversation.Author    `json:"author"`
	Kind      channel.ContentKind    `json:"kind"`
	Text      string                 `json:"text,omitempty"`
	Files     []Attachment           `json:"files,omitempty"`
	Status    conversation.Status    `json:"status"`
	EditedAt  time.Time              `json:"edited_at,omitzero"`
	UnsentAt  time.Time              `json:"unsent_at,omitzero"`
}

// Attachment is a file of a message.
type Attachment struct {
	Name string `json:"name,omitempty"`
	Type string `json:"type,omitempty"`
	Size int64  `json:"size,omitempty"`
	// State is empty for a file that is there.
	State channel.MediaState `json:"state,omitempty"`
}
