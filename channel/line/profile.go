package line

import (
	"context"
	"net/http"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// Profile asks for a person's name and picture: of a friend or somebody who
// wrote, or of a member of the group or room. ErrNotFound when LINE gives no
// profile (blocked, deleted, never seen).
func (a *Adapter) Profile(ctx context.Context, acct channel.Account, chat channel.Chat, user channel.ProviderUserID) (channel.Profile,
	error) {
	if chat.Kind == channel.ChatOther {
		return channel.Profile{}, errs.New(errs.NotFound, "line: profile: LINE has no profiles of members of this kind of chat")
	}
	if !validUser(user) || !validChat(chat) {
		return channel.Profile{}, errs.New(errs.Invalid, "line: profile: the user or chat id does not have the form of a LINE id")
	}
	path := "/v2/bot/profile/" + string(user)
	if chat.Kind != channel.ChatUser {
		path = "/v2/bot/" + string(chat.Kind) + "/" + chat.ID + "/member/" + string(user)
	}
	var p struct {
		DisplayName   string `json:"displayName"`
		PictureURL    string `json:"pictureUrl"`
		Language      string `json:"language"`
		StatusMessage string `json:"statusMessage"`
	}
	if err := a.callJSON(ctx, acct, "profile", http.MethodGet, path, nil, &p); err != nil {
		return channel.Profile{}, err
	}
	return channel.Profile{Name: p.DisplayName, Picture: p.PictureURL, Language: p.Language, Status: p.StatusMessage}, nil
}

// GroupSummary is the name and picture of a group, and how many people (bots
// excluded) are in it.
type GroupSummary struct {
	Name, Picture string
	Members       int
}

// Group looks a group up. Rooms have no name at LINE; for them only Members is
// set.
func (a *Adapter) Group(ctx context.Context, acct channel.Account, chat channel.Chat) (GroupSummary, error) {
	if !validChat(chat) || chat.Kind == channel.ChatUser {
		return GroupSummary{}, errs.New(errs.Invalid, "line: group: the id does not have the form of a LINE group or room id")
	}
	var name, picture string
	if chat.Kind == channel.ChatGroup {
		var err error
		if name, picture, err = a.summary(ctx, acct, chat); err != nil {
			return GroupSummary{}, err
		}
	}
	members, err := a.members(ctx, acct, chat)
	if err != nil {
		return GroupSummary{}, err
	}
	return GroupSummary{Name: name, Picture: picture, Members: members}, nil
}

// ChatProfile returns the name and picture of a group. Rooms have neither at
// LINE, and it is not asked about them.
func (a *Adapter) ChatProfile(ctx context.Context, acct channel.Account, chat channel.Chat) (channel.Profile, error) {
	if chat.Kind == channel.ChatRoom {
		return channel.Profile{}, nil
	}
	if chat.Kind != channel.ChatGroup || !validChat(chat) {
		return channel.Profile{}, errs.New(errs.NotFound, "line: chat profile: only groups have one")
	}
	name, picture, err := a.summary(ctx, acct, chat)
	return channel.Profile{Name: name, Picture: picture}, err
}

// summary asks for the name and picture of a group.
func (a *Adapter) summary(ctx context.Context, acct channel.Account, chat channel.Chat) (name, picture string, err error) {
	var summary struct {
		GroupName  string `json:"groupName"`
		PictureURL string `json:"pictureUrl"`
	}
	err = a.callJSON(ctx, acct, "group summary", http.MethodGet, "/v2/bot/group/"+chat.ID+"/summary", nil, &summary)
	return summary.GroupName, summary.PictureURL, err
}

// members asks how many people are in a group or room.
func (a *Adapter) members(ctx context.Context, acct channel.Account, chat channel.Chat) (int, error) {
	var members struct {
		Count int `json:"count"`
	}
	err := a.callJSON(ctx, acct, "number of members", http.MethodGet, "/v2/bot/"+string(chat.Kind)+"/"+chat.ID+"/members/count",
		nil, &members)
	return members.Count, err
}
