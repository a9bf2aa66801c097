package thread

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const message = "018f2f6e-7c00-7abc-8def-0123456789ab"

var (
	shop  = NewKey("shop", "the secret of the shop's threads")
	other = NewKey("other", "the secret of another's threads")
	twin  = NewKey("twin", "the secret of the shop's threads") // another account that has the same secret by mistake
	own   = []string{"help@shop.example", "Info@Shop.example"}
)

// What we sent is found again, whatever clients and gateways do with it.
func TestAnAnswerFindsItsThread(t *testing.T) {
	thread := shop.Begin("first@example.com")
	id := shop.MessageID(thread, message, "shop.example")
	require.Equal(t, id, shop.MessageID(thread, message, "shop.example"), "the same message has the same id")
	gotThread, gotMessage, ok := shop.Read(id)
	require.True(t, ok)
	require.Equal(t, []string{thread, message}, []string{gotThread, gotMessage})
	address := shop.Address("help@shop.example", thread)
	require.LessOrEqual(t, strings.IndexByte(address, '@'), 64, "a local part has at most 64 characters")
	for name, m := range map[string]Mail{
		"In-Reply-To":                          {ID: "n@x", InReplyTo: []string{id}},
		"References alone":                     {ID: "n@x", References: []string{"first@example.com", id, "later@example.com"}},
		"an unknown In-Reply-To beside ours":   {ID: "n@x", InReplyTo: []string{"unknown@example.com"}, References: []string{id}},
		"upper case":                           {ID: "n@x", InReplyTo: []string{strings.ToUpper(id)}},
		"another domain":                       {ID: "n@x", InReplyTo: []string{strings.Replace(id, "shop.example", "relay.example", 1)}},
		"the address":                          {ID: "n@x", Recipients: []string{"x@example.com", address}},
		"the address in upper case":            {ID: "n@x", Recipients: []string{strings.ToUpper(address)}},
		"the address quoted":                   {ID: "n@x", Recipients: []string{`"` + strings.Replace(address, "@", `"@`, 1)}},
		"the address of an alias":              {ID: "n@x", Recipients: []string{shop.Address("info@shop.example", thread)}},
		"the address and no Message-ID at all": {Recipients: []string{address}},
	} {
		p := shop.Find(own, m)
		require.Equal(t, thread, p.Thread, name)
		require.NotEqual(t, ByNothing, p.By, name)
	}
}

// Nothing that others can write leads into a thread: guessed, cut, mixed, of
// somebody else, or only alike. None may be wrong.
func TestNothingForgedFindsAThread(t *testing.T) {
	thread, second := shop.Begin("first@example.com"), shop.Begin("second@example.com")
	id, id2 := shop.MessageID(thread, message, "shop.example"), shop.MessageID(second, message, "shop.example")
	address := shop.Address("help@shop.example", thread)
	local, _, _ := strings.Cut(address, "@")
	token := strings.TrimPrefix(local, "help+")
	parts, parts2 := strings.Split(strings.TrimSuffix(id, "@shop.example"), "."),
		strings.Split(strings.TrimSuffix(id2, "@shop.example"), ".")
	forged := map[string]Mail{
		"the subject's number":    {ID: "Re: [#1234]@x"},
		"the thread's name alone": {InReplyTo: []string{thread + "@shop.example"}},
		"no token":                {InReplyTo: []string{parts[0] + "." + parts[1] + ".@shop.example"}},
		"an empty token":          {InReplyTo: []string{"..@shop.example"}},
		"another message under the token": {InReplyTo: []string{parts[0] + "." + strings.Repeat("a", 26) + "." +
			parts[2] + "@shop.example"}},
		"the token of another thread":        {InReplyTo: []string{parts[0] + "." + parts[1] + "." + parts2[2] + "@shop.example"}},
		"another account's token":            {InReplyTo: []string{other.MessageID(thread, message, "shop.example")}},
		"another account of the same secret": {InReplyTo: []string{twin.MessageID(thread, message, "shop.example")}},
		"a fourth part":                      {InReplyTo: []string{strings.Replace(id, "@", ".x@", 1)}},
		"spaces within":                      {InReplyTo: []string{strings.Replace(id, ".", ". ", 1)}},
		"a letter like ours":                 {InReplyTo: []string{strings.Replace(id, parts[2], "а"+parts[2][1:], 1)}}, // a Cyrillic а
		"the address without a token":        {Recipients: []string{"help+" + thread + "@shop.example"}},
		"an empty address token":             {Recipients: []string{"help+@shop.example"}},
		"the address of another thread":      {Recipients: []string{"help+" + second + token[24:] + "@shop.example"}},
		"the message's token in an address":  {Recipients: []string{"help+" + thread + parts[2] + "@shop.example"}},
		"the address' token in a message id": {InReplyTo: []string{parts[0] + "." + parts[1] + "." + token[24:] + "@shop.example"}},
		"another account's address":          {Recipients: []string{other.Address("help@shop.example", thread)}},
		"another domain":                     {Recipients: []string{strings.Replace(address, "shop.example", "evil.example", 1)}},
		"another person":                     {Recipients: []string{strings.Replace(address, "help+", "sales+", 1)}},
		"two pluses":                         {Recipients: []string{strings.Replace(address, "help+", "help+x+", 1)}},
		"the thread's own first id":          {ID: "n@x", References: []string{"first@example.com"}},
		// the library looks whether its sender took part
	}
	for i := range len(token) {
		bent := []byte(token)
		bent[i] = map[bool]byte{true: 'b', false: 'a'}[bent[i] == 'a']
		forged["a letter of the address changed"+string(rune('a'+i))] = Mail{Recipients: []string{"help+" + string(bent) + "@shop.example"}}
		forged["the address cut"+string(rune('a'+i))] = Mail{Recipients: []string{"help+" + token[:i] + "@shop.example"}}
	}
	mac := parts[2]
	for i := range len(mac) {
		bent := []byte(mac)
		bent[i] = map[bool]byte{true: 'b', false: 'a'}[bent[i] == 'a']
		forged["a letter of the token changed"+
			string(rune('a'+i))] = Mail{InReplyTo: []string{parts[0] + "." + parts[1] + "." + string(bent) + "@shop.example"}}
		forged["the token cut"+
			string(rune('a'+i))] = Mail{References: []string{parts[0] + "." + parts[1] + "." + mac[:i] + "@shop.example"}}
	}
	require.Greater(t, len(forged), 100)
	for name, m := range forged {
		if m.ID == "" {
			m.ID = "attack@evil.example"
		}
		p := shop.Find(own, m)
		require.Equal(t, ByNothing, p.By, name)
		require.NotContains(t, []string{thread, second}, p.Thread, name)
	}
}

// What no token decides is handed on, the nearest first, each once.
func TestAnswersAreTheNearestFirst(t *testing.T) {
	p := shop.Find(own, Mail{ID: "n@x", InReplyTo: []string{"c@x"}, References: []string{"a@x", "b@x", "c@x"}})
	require.Equal(t, []string{"c@x", "b@x", "a@x"}, p.Answers)
	require.True(t, Valid(p.Thread))
	require.False(t, Valid("../"+p.Thread))
	require.NotEqual(t, p.Thread, other.Find(own, Mail{ID: "n@x"}).Thread, "accounts share no threads")
}

// FuzzRead: what this account did not make is not read.
func FuzzRead(f *testing.F) {
	thread := shop.Begin("first@example.com")
	id, address := shop.MessageID(thread, message, "shop.example"), shop.Address("help@shop.example", thread)
	f.Add(id)
	f.Add(address)
	f.Add("a.b.c@d")
	f.Fuzz(func(t *testing.T, s string) {
		canonical, _, _ := strings.Cut(strings.ToLower(strings.Trim(strings.TrimSpace(s), "<>")), "@")
		if _, _, ok := shop.Read(s); ok {
			ours, _, _ := strings.Cut(id, "@")
			require.Equal(t, ours, canonical)
		}
		if got, ok := shop.ReadAddress("help@shop.example", s); ok {
			require.Equal(t, thread, got)
		}
	})
}
