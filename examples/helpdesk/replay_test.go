package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/sqlite"
)

// strictClock is the time, never the same millisecond twice: what the customers
// did last is then known from the events' own times.
func strictClock() func() time.Time {
	var mu sync.Mutex
	last := time.Time{}
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		last = later(time.Now().Truncate(time.Millisecond), last.Add(time.Millisecond))
		return last
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// recordADay lets customers do all kinds of things at a desk that records, and
// returns the file and the desk's data.
func recordADay(t *testing.T) (recorded []linetest.Recorded, data string) {
	file := filepath.Join(t.TempDir(), "day.jsonl")
	data = t.TempDir()
	srv, url := emulator(t, linetest.Options{Seed: 11, WebhookBatch: 3, Now: strictClock()})
	srv.SetChaos(linetest.Chaos{Duplicate: 0.3})
	d := start(t, data, lineEnv(srv, url), "-record", file)
	srv.SetWebhook(d.base + "/webhooks/line")
	aDay(t, srv)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, srv.WaitIdle(ctx))
	settle(t, d, data, func() *desk { return start(t, data, lineEnv(srv, url)) })

	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, private := range []string{"Mina", "Joon", "Sora", "비밀", "secret", srv.ChannelSecret(), srv.ChannelToken(), srv.BotUserID(),
		srv.User("Mina").ID()} {
		require.NotContains(t, string(raw), private)
	}
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	recorded, err = linetest.ReadRecorded(f)
	require.NoError(t, err)
	return recorded, data
}

func aDay(t *testing.T, srv *linetest.Server) {
	must := func(_ linetest.Posted, err error) { t.Helper(); require.NoError(t, err) }
	mina, joon, sora, dora := srv.User("Mina"), srv.User("Joon"), srv.User("Sora"), srv.User("Dora")
	mina.Follow()
	joon.Follow()
	hello := mina.SendText("비밀 hello from Mina")
	mina.Send(linetest.Text("what do you say?").Quoting(hello.MessageID))
	mina.Send(srv.MarkedText("안녕 😀 (moon)", linetest.Mark{Piece: "(moon)", ProductID: "5ac1bfd5040ab15980c9b435", EmojiID: "001"}))
	group, room := srv.Group("Family secret", mina, joon), srv.Room(joon, sora)
	for i := range 6 {
		p := group.Send(joon, srv.MarkedText(fmt.Sprintf("@Mina secret plan %d 👨‍👩‍👧", i), linetest.Mark{Piece: "@Mina", User: mina}))
		for j := range i % 4 {
			must(group.Edit(p.MessageID, fmt.Sprintf("secret plan %d, edit %d", i, j)))
		}
		if i >= 4 {
			must(group.Unsend(p.MessageID))
		}
	}
	dora.SetAnonymous(true)
	group.SendText(dora, "who am I?")
	room.SendText(sora, "secret room")
	gone := joon.Send(linetest.Image("image/jpeg", []byte("secret picture")))
	joon.SendAlbum(linetest.Image("image/jpeg", []byte("1")), linetest.Image("image/png", []byte("2")))
	joon.Send(linetest.File("secret of Joon.pdf", "application/pdf", []byte("pdf")))
	joon.Send(linetest.Location("Joon's home", "secret street 1", 37.5, 127.1))
	joon.Send(linetest.Sticker("446", "1988", "secret"))
	joon.Send(linetest.Unknown("hologram"))
	joon.SendUnknown("teleport")
	must(joon.Unsend(gone.MessageID))
	joon.Unfollow()
	joon.Follow()
	mina.Unfollow()
	for i := range 5 {
		sora.PressPostback(fmt.Sprintf("secret=%d", i), nil)
		sora.SendText(fmt.Sprintf("secret number %d", i))
	}
	must(mina.Unsend(hello.MessageID))
	group.Add(sora)
	group.Remove(sora)
	group.Dismiss()
}

// settle ends the desk once no event is left to be processed, starting it again
// while there are.
func settle(t *testing.T, d *desk, data string, again func() *desk) {
	t.Helper()
	for end := time.Now().Add(patience); ; d = again() {
		d.end()
		db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: data})
		require.NoError(t, err)
		lanes, err := db.System().ClaimInbox(t.Context(), "test", 1000, 1, time.Millisecond)
		require.NoError(t, err)
		require.NoError(t, db.Close())
		if len(lanes) == 0 {
			return
		}
		require.True(t, time.Now().Before(end), "events are left: %v", lanes)
	}
}

// told is a customer's message as it stands in the end.
type told struct {
	Chat, Message, Author, Kind, Content string
	Unsent                               bool
	EditedAt                             time.Time
}

// standing is all that a day leaves behind, without the ids and the times of
// the desk's own.
type standing struct {
	Conversations []string          // by chat
	Told          []told            // what customers wrote
	Automated     []string          // what they were told
	Follows       map[string]string // by user
}

func readStanding(t *testing.T, data string, users []string) (s standing) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: data})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.View(t.Context(), workspace, func(ctx context.Context, tx store.Tx) error {
		s = standing{Follows: map[string]string{}}
		people := map[conversation.IdentityID]string{}
		for _, user := range users {
			i, err := tx.Contacts().Identity(ctx, line.Kind, "account:"+accountID, channel.ProviderUserID(user))
			if errors.Is(err, store.ErrNotFound) {
				s.Follows[user] = "unknown"
				continue
			}
			if err != nil {
				return err
			}
			people[i.ID] = user
			if i.Follows != nil {
				s.Follows[user] = fmt.Sprint(*i.Follows, i.FollowsAt.UnixMilli(), i.WelcomedAt.IsZero())
			}
		}
		all, _, err := tx.Conversations().List(ctx, conversation.Filter{}, "", 200)
		if err != nil {
			return err
		}
		for _, c := range all {
			s.Conversations = append(s.Conversations, fmt.Sprint(c.Chat.Kind, c.Chat.ID, c.State,
				people[c.Identity] != "" || c.Chat.Kind != channel.ChatUser))
			ms, err := tx.Conversations().Messages(ctx, c.ID, 0, 200)
			if err != nil {
				return err
			}
			for _, m := range ms {
				s.add(m, people)
			}
		}
		bad, err := tx.Inbox().Quarantined(ctx, 100)
		require.Empty(t, bad)
		return err
	}))
	slices.Sort(s.Conversations)
	slices.Sort(s.Automated)
	slices.SortFunc(s.Told, func(a, b told) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return s
}

func (s *standing) add(m conversation.Message, people map[conversation.IdentityID]string) {
	if m.Direction != conversation.Inbound {
		s.Automated = append(s.Automated, m.Chat.ID+" "+m.Automated)
		return
	}
	c := m.Content
	if c.Media != nil { // how far its download has come is another matter
		media := *c.Media
		media.State, media.Blob = "", ""
		c.Media = &media
	}
	raw, _ := json.Marshal(c)
	one := told{Chat: m.Chat.ID, Message: string(m.Provider), Author: people[m.Author.Identity], Kind: string(c.Kind), Content: string(raw),
		Unsent: !m.UnsentAt.IsZero(), EditedAt: m.EditedAt.UTC()}
	if one.Unsent {
		one.EditedAt = time.Time{} // whether what is gone was edited before
	}
	s.Told = append(s.Told, one)
}

// shape is the standing without what a recording replaces.
func (s standing) shape() (all []string) {
	for _, m := range s.Told {
		all = append(all, fmt.Sprint(m.Message, m.Author == "", m.Kind, m.Unsent, m.EditedAt))
	}
	slices.Sort(all)
	return all
}

// recordedUsers are the people of a recording.
func recordedUsers(t *testing.T, recorded []linetest.Recorded) (users []string) {
	for _, r := range recorded {
		var body struct {
			Events []struct{ Source struct{ UserID string } }
		}
		require.NoError(t, json.Unmarshal(r.Body, &body))
		for _, e := range body.Events {
			if u := e.Source.UserID; u != "" && !slices.Contains(users, u) {
				users = append(users, u)
			}
		}
	}
	return users
}

// A recorded day played again, each webhook several times and shuffled, leaves
// what the day in its order leaves.
func TestARecordedDayCanBePlayedInAnyOrder(t *testing.T) {
	recorded, original := recordADay(t)
	users := recordedUsers(t, recorded)
	require.Len(t, users, 3, "the fourth is known to nobody")

	srv, url := emulator(t, linetest.Options{ChannelSecret: "the secret of another account"})
	replayed := func(t *testing.T, play func(linetest.Replay) linetest.Played) standing {
		data := t.TempDir()
		open := func() *desk { return start(t, data, lineEnv(srv, url)) }
		d := open()
		played := play(linetest.Replay{Target: d.base, Secret: srv.ChannelSecret()})
		require.Equal(t, map[int]int{200: played.Sent}, played.Status)
		settle(t, d, data, open)
		return readStanding(t, data, users)
	}
	want := replayed(t, func(p linetest.Replay) (all linetest.Played) {
		all.Status = map[int]int{}
		p.Repeat = 1
		for i := range recorded { // one by one: in order
			one, err := p.Run(t.Context(), recorded[i:i+1])
			require.NoError(t, err)
			all.Sent += one.Sent
			all.Status[200] += one.Status[200]
		}
		return all
	})
	require.Len(t, want.Conversations, 5)
	require.Equal(t, readStanding(t, original, nil).withoutAuthors().shape(), want.withoutAuthors().shape(),
		"nothing but names, texts and ids was replaced")
	unsent, edited := 0, 0
	for _, m := range want.Told {
		if m.Unsent {
			unsent++
		}
		if !m.EditedAt.IsZero() {
			edited++
		}
	}
	require.Equal(t, []int{4, 3}, []int{unsent, edited})

	for _, seed := range []uint64{1, 2, 3, 4} {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			got := replayed(t, func(p linetest.Replay) linetest.Played {
				p.Seed = seed
				played, err := p.Run(t.Context(), recorded)
				require.NoError(t, err)
				require.Greater(t, played.Sent, 2*len(recorded))
				return played
			})
			require.Equal(t, want.Conversations, got.Conversations)
			require.Equal(t, want.Told, got.Told)
			require.Equal(t, want.Follows, got.Follows)
			require.Equal(t, want.Automated, got.Automated)
		})
	}
}

// withoutAuthors forgets who wrote.
func (s standing) withoutAuthors() standing {
	s.Told = slices.Clone(s.Told)
	for i := range s.Told {
		s.Told[i].Author = ""
	}
	return s
}
