package ticket_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/ticket"
)

var start = time.Date(2030, 1, 2, 9, 0, 0, 0, time.UTC) // a Wednesday

func fresh(t testing.TB, id ticket.ID) (ticket.Ticket, []ticket.Entry) {
	t.Helper()
	d, err := ticket.Open(ticket.Ticket{ID: id, Channel: ticket.ChannelWeb, Title: "환불 문의", Body: "언제 되나요?",
		Requester: ticket.Requester{Name: "김민수", Email: "minsu@example.com"}}, 7, "customer", start)
	require.NoError(t, err)
	return end(t, d, nil)
}

// end stores a draft in the test's history.
func end(t testing.TB, d *ticket.Draft, history []ticket.Entry) (ticket.Ticket, []ticket.Entry) {
	t.Helper()
	stored, e, changed, err := d.End()
	require.NoError(t, err)
	if changed {
		history = append(history, e)
		stored.Version++
	}
	return stored, history
}

func edit(t testing.TB, from ticket.Ticket, actor string, after time.Duration) *ticket.Draft {
	t.Helper()
	d, err := ticket.Edit(from, actor, start.Add(after))
	require.NoError(t, err)
	return d
}

func TestATicketsWay(t *testing.T) {
	tk, history := fresh(t, "t1")
	require.Equal(t, ticket.Unassigned, tk.State)
	require.EqualValues(t, 7, tk.Number)
	require.Equal(t, start, tk.CustomerAt)

	d := edit(t, tk, "agent:mina", time.Minute)
	require.NoError(t, d.Assign("refunds", "mina"))
	require.NoError(t, d.SetTags(" vip", "refund", "vip"))
	tk, history = end(t, d, history)
	require.Equal(t, ticket.InProgress, tk.State)
	require.Equal(t, []string{"refund", "vip"}, tk.Tags)
	var shown []string
	for _, c := range history[1].Shown() {
		shown = append(shown, c.Member)
	}
	require.Equal(t, []string{"agent", "group", "state", "tags"}, shown)

	d = edit(t, tk, "agent:mina", 2*time.Minute)
	require.NoError(t, d.Answer("내일 됩니다."))
	require.NoError(t, d.SetState(ticket.Solved))
	tk, history = end(t, d, history)
	require.True(t, history[2].Public())
	require.Equal(t, ticket.Answered, history[2].Kind)
	require.Equal(t, start.Add(2*time.Minute), tk.SolvedAt)

	d = edit(t, tk, "customer", 3*time.Minute)
	require.NoError(t, d.Reply("아직인데요"))
	tk, history = end(t, d, history)
	require.Equal(t, ticket.InProgress, tk.State, "a reply to a solved ticket goes on with its agent")

	d = edit(t, tk, "agent:lead", 4*time.Minute)
	require.NoError(t, d.SetState(ticket.Complete))
	tk, history = end(t, d, history)
	d = edit(t, tk, "customer", 5*time.Minute)
	require.ErrorIs(t, d.Reply("또"), ticket.ErrConflict)
	require.ErrorIs(t, d.SetState(ticket.InProgress), ticket.ErrInvalid)
	require.ErrorIs(t, d.Assign("g", "mina"), ticket.ErrConflict)
	require.NoError(t, d.Comment("for the record"))
	tk, history = end(t, d, history)

	replayed, err := ticket.Replay(history)
	require.NoError(t, err)
	replayed.Version = tk.Version
	require.Equal(t, tk, replayed)
}

func TestWhatChangesNothingIsNoEntry(t *testing.T) {
	tk, history := fresh(t, "t1")
	d := edit(t, tk, "agent:mina", time.Minute)
	require.NoError(t, d.SetState(ticket.Unassigned))
	require.NoError(t, d.Assign("", ""))
	_, _, changed, err := d.End()
	require.NoError(t, err)
	require.False(t, changed)
	require.Len(t, history, 1)
	_, err = ticket.Replay([]ticket.Entry{history[0], {Ticket: "t1", Seq: 3}})
	require.ErrorIs(t, err, ticket.ErrInvalid)
}

// Whatever is done to a ticket, its history alone makes it again, and a draft
// never changes what it began from.
func TestHistoryIsComplete(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	all := fields(t)
	for range 200 {
		tk, history := fresh(t, "t1")
		steps := []string{asJSON(t, tk)}
		for i := range 1 + rng.IntN(25) {
			before, err := json.Marshal(tk)
			require.NoError(t, err)
			d, err := ticket.Edit(tk, fmt.Sprint("agent:", rng.IntN(3)), start.Add(time.Duration(i)*time.Minute))
			require.NoError(t, err)
			for range 1 + rng.IntN(3) {
				anything(rng, d, all)
			}
			after, err := json.Marshal(tk)
			require.NoError(t, err)
			require.JSONEq(t, string(before), string(after), "the stored ticket was changed in place")
			was := len(history)
			if tk, history = end(t, d, history); len(history) > was {
				steps = append(steps, asJSON(t, tk))
			}
		}
		var r ticket.Replayer
		var made []ticket.Ticket
		for _, e := range history {
			require.NoError(t, r.Add(e))
			made = append(made, r.Ticket())
		}
		for i, m := range made { // after all of them: a later step changes no earlier ticket
			require.JSONEq(t, steps[i], asJSON(t, m), "step %d", i)
		}
		replayed, err := ticket.Replay(history)
		require.NoError(t, err)
		replayed.Version = tk.Version
		want, err := json.Marshal(tk)
		require.NoError(t, err)
		got, err := json.Marshal(replayed)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))
	}
}

// asJSON is a ticket without its version, which is no part of its history.
func asJSON(t *testing.T, tk ticket.Ticket) string {
	t.Helper()
	tk.Version = 0
	raw, err := json.Marshal(tk)
	require.NoError(t, err)
	return string(raw)
}

// anything does one random thing; refusals are right too.
func anything(rng *rand.Rand, d *ticket.Draft, all ticket.Fields) {
	n := 3.5
	_ = []func() error{
		func() error { return d.SetState(ticket.States()[rng.IntN(6)]) },
		func() error {
			return d.Assign(ticket.GroupID(fmt.Sprint("g", rng.IntN(2))), ticket.AgentID([]string{"", "a", "b"}[rng.IntN(3)]))
		},
		func() error { return d.SetTags([]string{"x", "y", "z"}[:rng.IntN(4)]...) },
		func() error { return d.Follow(ticket.AgentID(fmt.Sprint(rng.IntN(3))), rng.IntN(2) == 0) },
		func() error { return d.Comment("note") },
		func() error { return d.Answer("answer", "blob") },
		func() error { return d.Reply("reply") },
		func() error {
			f, _ := all.Field("order")
			return d.SetField(f, ticket.Value{Text: []string{"", "A-1", "A-2"}[rng.IntN(3)]})
		},
		func() error { f, _ := all.Field("amount"); return d.SetField(f, ticket.Value{Number: &n}) },
		func() error {
			f, _ := all.Field("secret")
			return d.SetField(f, ticket.Value{Sealed: []byte("sealed")})
		},
		func() error {
			d.T.Title, d.T.Priority = fmt.Sprint("title ", rng.IntN(3)), ticket.Priority(rng.IntN(3))
			return nil
		},
	}[rng.IntN(11)]()
}

func names(s string) map[string]string { return map[string]string{"en": s, "ko": s + "(한)"} }

func fields(t testing.TB) ticket.Fields {
	t.Helper()
	var all ticket.Fields
	for _, f := range []ticket.Field{
		{Code: "order", Kind: ticket.CustomerField, Type: ticket.Text, Names: names("Order"), Required: true, Position: 1},
		{Code: "size", Kind: ticket.CustomerField, Type: ticket.Radio, Names: names("Size"),
			Options: []ticket.Option{{Code: "s", Names: names("S")}, {Code: "m", Names: names("M")}}},
		{Code: "amount", Kind: ticket.AgentField, Type: ticket.Number, Names: names("Amount")},
		{Code: "secret", Kind: ticket.AgentField, Type: ticket.Text, Names: names("Secret"), Encrypted: true, AdminsOnly: true},
		{Code: "bought", Kind: ticket.CustomerField, Type: ticket.Date, Names: names("Bought")},
		{Code: "extras", Kind: ticket.CustomerField, Type: ticket.Checkbox, Names: names("Extras"),
			Options: []ticket.Option{{Code: "a", Names: names("A")}, {Code: "b", Names: names("B")}}},
	} {
		var err error
		all, err = all.Add(f)
		require.NoError(t, err)
	}
	return all
}

// A field code is never usable again, in whatever order fields come and go.
func TestAFieldCodeIsNeverUsedAgain(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	for range 50 {
		var all ticket.Fields
		used := map[string]bool{}
		for range 60 {
			c := fmt.Sprint("f", rng.IntN(20))
			if rng.IntN(2) == 0 {
				next, err := all.Add(ticket.Field{Code: c, Kind: ticket.AgentField, Type: ticket.Text, Names: names(c)})
				require.Equal(t, used[c], err != nil, c)
				if err == nil {
					used[c], all = true, next
				} else {
					require.ErrorIs(t, err, ticket.ErrAlreadyExists)
				}
				continue
			}
			if next, err := all.Delete(c); err == nil {
				all = next
				f, ok := all.Field(c)
				require.True(t, ok && f.Deleted, "a deleted field stays readable")
			}
		}
	}
	for _, f := range ticket.SystemFields() {
		_, err := ticket.Fields{}.Add(ticket.Field{Code: f.Code, Kind: ticket.AgentField, Type: ticket.Text, Names: names("x")})
		require.ErrorIs(t, err, ticket.ErrAlreadyExists, f.Code)
		_, err = ticket.Fields{}.Delete(f.Code)
		require.ErrorIs(t, err, ticket.ErrInvalid, f.Code)
	}
}

func TestFieldsAreCheckedWhenSaved(t *testing.T) {
	good := ticket.Field{Code: "f", Kind: ticket.AgentField, Type: ticket.Dropdown, Names: names("F"),
		Options: []ticket.Option{{Code: "a", Names: names("A")}}}
	for name, spoil := range map[string]func(*ticket.Field){
		"code":            func(f *ticket.Field) { f.Code = "Order no" },
		"code with digit": func(f *ticket.Field) { f.Code = "1f" },
		"type":            func(f *ticket.Field) { f.Type = "color" },
		"kind":            func(f *ticket.Field) { f.Kind = "boss" },
		"no name":         func(f *ticket.Field) { f.Names = nil },
		"no options":      func(f *ticket.Field) { f.Options = nil },
		"twice":           func(f *ticket.Field) { f.Options = append(f.Options, f.Options[0]) },
		"options of text": func(f *ticket.Field) { f.Type = ticket.Text },
		"sealed choice":   func(f *ticket.Field) { f.Encrypted = true },
		"default":         func(f *ticket.Field) { f.Default = &ticket.Value{Text: "b"} },
		"system":          func(f *ticket.Field) { f.Kind = ticket.SystemField },
	} {
		bad := good
		bad.Options = slices.Clone(good.Options)
		spoil(&bad)
		_, err := ticket.Fields{}.Add(bad)
		require.ErrorIs(t, err, ticket.ErrInvalid, name)
	}
	all, err := ticket.Fields{}.Add(good)
	require.NoError(t, err)
	changed := good
	changed.Type, changed.Options = ticket.Text, nil
	_, err = all.Change(changed)
	require.ErrorIs(t, err, ticket.ErrInvalid, "values of tickets rest on the type")
	title, _ := all.Field("title")
	title.Required = false
	_, err = all.Change(title)
	require.ErrorIs(t, err, ticket.ErrInvalid)
	email, _ := all.Field("email")
	email.Required = false
	all, err = all.Change(email)
	require.NoError(t, err)
	email, _ = all.Field("email")
	require.False(t, email.Required)
	all, err = all.Reset("email")
	require.NoError(t, err)
	email, _ = all.Field("email")
	require.True(t, email.Required)
	_, err = all.Reset("f")
	require.ErrorIs(t, err, ticket.ErrInvalid)
}

func TestValuesFitTheirField(t *testing.T) {
	all := fields(t)
	n, huge := 5.0, 1e300
	for _, c := range []struct {
		field string
		value ticket.Value
		ok    bool
	}{
		{"order", ticket.Value{Text: "A-1"}, true}, {"order", ticket.Value{}, true}, {"order", ticket.Value{Text: "two\nlines"}, false},
		{"order", ticket.Value{Text: strings.Repeat("x", ticket.MaxValueText+1)}, false}, {"order", ticket.Value{Number: &n}, false},
		{"order", ticket.Value{Text: "\xff"}, false}, {"order", ticket.Value{Sealed: []byte("x")}, false},
		{"size", ticket.Value{Text: "m"}, true}, {"size", ticket.Value{Text: "xl"}, false},
		{"size", ticket.Value{List: []string{"m"}}, false},
		{"amount", ticket.Value{Number: &n}, true}, {"amount", ticket.Value{Number: &huge}, false},
		{"amount", ticket.Value{Text: "5"}, false},
		{"bought", ticket.Value{Text: "2030-02-28"}, true}, {"bought", ticket.Value{Text: "2030-02-30"}, false},
		{"extras", ticket.Value{List: []string{"b", "a"}}, true}, {"extras", ticket.Value{List: []string{"a", "a"}}, false},
		{"extras", ticket.Value{List: []string{"c"}}, false},
		{"secret", ticket.Value{Sealed: []byte("x")}, true},
	} {
		f, ok := all.Field(c.field)
		require.True(t, ok)
		assert.Equal(t, c.ok, f.Check(c.value) == nil, "%s %+v", c.field, c.value)
	}
	tk, _ := fresh(t, "t1")
	d := edit(t, tk, "agent:a", 0)
	secret, _ := all.Field("secret")
	require.ErrorIs(t, d.SetField(secret, ticket.Value{Text: "open"}), ticket.ErrInvalid)
	phone, _ := all.Field("callback_number")
	require.ErrorIs(t, d.SetField(phone, ticket.Value{Text: "02-123-4567"}), ticket.ErrInvalid, "only on phone tickets")
	order, _ := all.Field("order")
	order.Deleted = true
	require.ErrorIs(t, d.SetField(order, ticket.Value{Text: "A"}), ticket.ErrInvalid)
}

func TestFormsShowCategoryFirstAndConsentLast(t *testing.T) {
	all := fields(t)
	tree := intake(t)
	form := ticket.Form{Category: "ship", Fields: []string{"size", "order"}}
	require.NoError(t, form.Validate(all))
	var codes []string
	for _, f := range form.Shown(all) {
		codes = append(codes, f.Code)
	}
	require.Equal(t, []string{"category", "email", "title", "content", "size", "order", "consent"}, codes)
	for _, bad := range [][]string{{"nobody"}, {"amount"}, {"order", "order"}} {
		require.ErrorIs(t, ticket.Form{Fields: bad}.Validate(all), ticket.ErrInvalid)
	}
	sent := ticket.Ticket{Category: "ship", Title: "t", Body: "b", Requester: ticket.Requester{Email: "a@b.c"}, ConsentAt: start,
		Fields: map[string]ticket.Value{"order": {Text: "A-1"}}}
	require.NoError(t, form.CheckSubmission(sent, all, tree))
	missing := sent
	missing.Fields, missing.ConsentAt = nil, time.Time{}
	var m *ticket.MissingFields
	require.ErrorAs(t, form.CheckSubmission(missing, all, tree), &m)
	require.Equal(t, []string{"order", "consent"}, m.Codes)
	require.ErrorIs(t, m, ticket.ErrInvalid)
	other := sent
	other.Fields = map[string]ticket.Value{"order": {Text: "A"}, "amount": {}}
	require.ErrorIs(t, form.CheckSubmission(other, all, tree), ticket.ErrInvalid)
	hidden := sent
	hidden.Category = "inner"
	require.ErrorIs(t, form.CheckSubmission(hidden, all, tree), ticket.ErrInvalid)

	for _, c := range []struct {
		channel string
		admin   bool
		want    []string
	}{
		{ticket.ChannelWeb, false, []string{"amount"}}, {ticket.ChannelWeb, true, []string{"amount", "secret"}},
		{ticket.ChannelPhone, false, []string{"phone_time", "phone_direction", "callback", "callback_time", "callback_number", "amount"}},
	} {
		var got []string
		for _, f := range all.AgentFields(c.channel, c.admin) {
			got = append(got, f.Code)
		}
		require.Equal(t, c.want, got)
	}
}

func intake(t testing.TB) ticket.Tree {
	t.Helper()
	tree := ticket.Tree{Kind: ticket.Intake}
	for _, c := range []ticket.Category{
		{ID: "order", Names: names("Order"), Offered: true},
		{ID: "ship", Parent: "order", Names: names("Shipping"), Offered: true},
		{ID: "inner", Parent: "order", Names: names("Internal")},
		{ID: "below", Parent: "inner", Names: names("Below"), Offered: true},
	} {
		var err error
		tree, err = tree.Add(c, start)
		require.NoError(t, err)
	}
	return tree
}

func TestCategories(t *testing.T) {
	tree := intake(t)
	require.Equal(t, 3, tree.Level("below"))
	require.True(t, tree.OfferedTo("ship"))
	require.False(t, tree.OfferedTo("below"), "what stands under a hidden one is hidden")
	_, err := tree.Add(ticket.Category{ID: "x", Parent: "order", Names: map[string]string{"en": " ｓhipping"}}, start)
	require.ErrorIs(t, err, ticket.ErrAlreadyExists, "names are unique within a level, whatever their width and case")
	_, err = tree.Add(ticket.Category{ID: "x", Parent: "ship", Names: names("Shipping")}, start)
	require.NoError(t, err, "another level may use the name")
	_, err = tree.Add(ticket.Category{ID: "x", Parent: "moon", Names: names("x")}, start)
	require.ErrorIs(t, err, ticket.ErrNotFound)
	_, err = tree.Add(ticket.Category{ID: "x", Names: nil}, start)
	require.ErrorIs(t, err, ticket.ErrInvalid)

	deep, parent := tree, ticket.CategoryID("below")
	for level := 4; level <= 6; level++ {
		id := ticket.CategoryID(fmt.Sprint("l", level))
		next, err := deep.Add(ticket.Category{ID: id, Parent: parent, Names: names("Level")}, start)
		require.Equal(t, level <= 5, err == nil, "a sixth level is refused")
		if err == nil {
			deep, parent = next, id
		}
	}
	chat := ticket.Tree{Kind: ticket.ChatResolution}
	for i, p := range []ticket.CategoryID{"", "c0", "c1", "c2"} {
		next, err := chat.Add(ticket.Category{ID: ticket.CategoryID(fmt.Sprint("c", i)), Parent: p, Names: names("x")}, start)
		require.Equal(t, i < 3, err == nil)
		if err == nil {
			chat = next
		}
	}

	_, err = tree.Change(ticket.Category{ID: "new", Names: names("New")}, start)
	require.ErrorContains(t, err, "there is no category new; a new one is saved without an id")
	renamed, err := tree.Change(ticket.Category{ID: "ship", Names: names("Delivery"), Parent: "moon"}, start.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, ticket.CategoryID("order"), renamed.Categories["ship"].Parent)
	require.Equal(t, start, renamed.Categories["ship"].CreatedAt)
	require.Equal(t, "Shipping", tree.Categories["ship"].Names["en"], "the tree before is left as it was")

	left, gone, err := tree.Remove("order")
	require.NoError(t, err)
	require.ElementsMatch(t, []ticket.CategoryID{"order", "ship", "inner", "below"}, gone)
	require.Empty(t, left.Categories)
	var walked []ticket.CategoryID
	for _, c := range tree.Walk() {
		walked = append(walked, c.ID)
	}
	require.Equal(t, []ticket.CategoryID{"order", "inner", "below", "ship"}, walked)
}

func TestTextsOfRemovedLanguagesStay(t *testing.T) {
	n := map[string]string{"ko": "배송", "ja": "配送"}
	require.Equal(t, "배송", ticket.Name(n, "en", "ko"))
	require.Equal(t, "配送", ticket.Name(n, "ja"))
	require.Equal(t, "配送", ticket.Name(n, "en"))
	require.Equal(t, []string{"en"}, ticket.Gaps(n, []string{"ko", "en"}))
}

// A full target loses the least of what is merged into it, but no former part.
func TestAFullTargetKeepsFormerParts(t *testing.T) {
	first, _ := fresh(t, "first")
	second, _ := fresh(t, "second")
	into, _ := fresh(t, "into")
	for i := range ticket.MaxLinks {
		into.Links = append(into.Links, ticket.Link{To: ticket.ID(fmt.Sprint("other", i)), As: ticket.Related})
	}
	second.Links = []ticket.Link{{To: first.ID, As: ticket.MergedOf}, {To: "elsewhere", As: ticket.Related}}
	d := edit(t, into, "agent:x", 1)
	merged, err := ticket.Merge(edit(t, second, "agent:x", 1), d)
	require.NoError(t, err)
	require.True(t, merged)
	require.Equal(t, []ticket.Link{{To: first.ID, As: ticket.MergedOf}, {To: second.ID, As: ticket.MergedOf}}, d.T.Links[ticket.MaxLinks:])
}

func TestMergeAndSplit(t *testing.T) {
	a, ha := fresh(t, "a")
	b, hb := fresh(t, "b")
	c, hc := fresh(t, "c")
	da, dc := edit(t, a, "agent:x", 1), edit(t, c, "agent:x", 1)
	require.NoError(t, ticket.Relate(da, ticket.Parent, dc))
	require.NoError(t, ticket.Relate(da, ticket.Parent, dc), "twice is once")
	require.ErrorIs(t, ticket.Relate(da, ticket.Related, da), ticket.ErrInvalid)
	require.ErrorIs(t, ticket.Relate(da, ticket.MergedOf, dc), ticket.ErrInvalid)
	require.NoError(t, da.SetTags("one"))
	require.NoError(t, da.Follow("mina", true))
	a, ha = end(t, da, ha)
	c, hc = end(t, dc, hc)
	require.Equal(t, []ticket.Link{{To: "a", As: ticket.Child}}, c.Links)

	from, into := edit(t, a, "agent:x", 2), edit(t, b, "agent:x", 2)
	merged, err := ticket.Merge(from, into)
	require.NoError(t, err)
	require.True(t, merged)
	again, err := ticket.Merge(from, into)
	require.NoError(t, err)
	require.False(t, again, "merging twice is a no-op")
	a, ha = end(t, from, ha)
	b, hb = end(t, into, hb)
	dc = edit(t, c, "agent:x", 2)
	dc.MoveLinks("a", "b")
	c, _ = end(t, dc, hc)
	require.Equal(t, ticket.ID("b"), a.MergedInto)
	require.Equal(t, []string{"one"}, b.Tags)
	require.Equal(t, []ticket.AgentID{"mina"}, b.Followers)
	require.ElementsMatch(t, []ticket.Link{{To: "c", As: ticket.Parent}, {To: "a", As: ticket.MergedOf}}, b.Links)
	require.Equal(t, []ticket.Link{{To: "b", As: ticket.Child}}, c.Links)
	require.Equal(t, ticket.Merged, ha[len(ha)-1].Kind)
	require.Equal(t, ticket.ID("a"), hb[len(hb)-1].From)
	_, err = ticket.Edit(a, "customer", start)
	require.ErrorIs(t, err, ticket.ErrConflict)
	require.ErrorContains(t, err, "ticket b")
	_, err = ticket.Merge(edit(t, b, "x", 3), edit(t, b, "x", 3))
	require.ErrorIs(t, err, ticket.ErrInvalid)

	d := edit(t, b, "customer", 3*time.Minute)
	require.NoError(t, d.Reply("and another thing"))
	b, hb = end(t, d, hb)
	d = edit(t, b, "agent:x", 4*time.Minute)
	part, err := ticket.SplitOff(d, hb[len(hb)-1], "d", 9, "Another thing")
	require.NoError(t, err)
	n, _ := end(t, part, nil)
	b, _ = end(t, d, hb)
	require.Equal(t, "and another thing", n.Body)
	require.Equal(t, []ticket.Link{{To: "b", As: ticket.SplitFrom}}, n.Links)
	require.Contains(t, b.Links, ticket.Link{To: "d", As: ticket.SplitTo})
	_, err = ticket.SplitOff(edit(t, b, "x", 5), hb[0], "e", 10, "x")
	require.ErrorIs(t, err, ticket.ErrInvalid, "an entry without words")
}

func TestBadTicketsAreRefused(t *testing.T) {
	good := ticket.Ticket{ID: "t", Channel: "api", Title: "x"}
	for name, spoil := range map[string]func(*ticket.Ticket){
		"id": func(x *ticket.Ticket) { x.ID = "" }, "channel": func(x *ticket.Ticket) { x.Channel = "" },
		"title": func(x *ticket.Ticket) { x.Title = " " }, "long title": func(x *ticket.Ticket) { x.Title = strings.Repeat("가", 301) },
		"body":     func(x *ticket.Ticket) { x.Body = strings.Repeat("x", ticket.MaxBody+1) },
		"priority": func(x *ticket.Ticket) { x.Priority = 9 },
		"name":     func(x *ticket.Ticket) { x.Requester.Name = strings.Repeat("x", 321) },
		"tag":      func(x *ticket.Ticket) { x.Tags = []string{""} },
	} {
		bad := good
		spoil(&bad)
		_, err := ticket.Open(bad, 1, "host", start)
		require.ErrorIs(t, err, ticket.ErrInvalid, name)
	}
	tk, _ := fresh(t, "t")
	d := edit(t, tk, "agent:a", 0)
	require.ErrorIs(t, d.Comment("  "), ticket.ErrInvalid)
	require.NoError(t, d.Comment("one"))
	require.ErrorIs(t, d.Answer("two"), ticket.ErrInvalid, "one entry, one comment")
	require.ErrorIs(t, d.SetState("moon"), ticket.ErrInvalid)
	require.NoError(t, d.SetCustom(ticket.CustomState{ID: "waiting_parts", As: ticket.OnHold, Names: names("Waiting for parts")}))
	require.Equal(t, "waiting_parts", d.T.Custom)
	require.NoError(t, d.SetState(ticket.InProgress))
	require.Empty(t, d.T.Custom)
	for _, c := range []ticket.CustomState{{ID: "solved", As: ticket.Solved, Names: names("x")}, {ID: "x", As: "moon", Names: names("x")},
		{ID: "X", As: ticket.Solved, Names: names("x")}} {
		require.ErrorIs(t, c.Validate(), ticket.ErrInvalid)
	}
}
