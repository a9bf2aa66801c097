// Package thread says which conversation a mail belongs to. It is pure.
//
// What identifies a thread is a token that only the account can make: it stands
// in the Message-ID of every mail that the account sends, and in the address to
// which answers go. A mail that carries one belongs there, whatever else it says.
// Without one, the exact Message-IDs that the mail answers are looked up by the
// library (adapter.Inbound.Answers). A subject never identifies anything.
package thread

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strings"
)

// alphabet survives gateways that change the case of addresses.
var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Lengths of a token's parts, in characters.
const (
	threadLen  = 24 // 120 bits
	messageLen = 26 // a UUID
	macLen     = 16 // 80 bits
)

// Key makes and checks the tokens of one account. It is immutable.
type Key struct {
	account string
	secret  []byte
}

// NewKey returns the key of an account; secret is not empty.
func NewKey(account, secret string) Key { return Key{account: account, secret: []byte(secret)} }

// Begin names the thread that a mail begins, by the first Message-ID of its
// References, or its own. It is no token: who knows the name cannot join.
func (k Key) Begin(root string) string {
	sum := sha256.Sum256([]byte(k.account + "\x00" + root))
	return alphabet.EncodeToString(sum[:15])
}

// Valid says that a string has the form of a thread's name.
func Valid(thread string) bool { return len(thread) == threadLen && inAlphabet(thread) }

func inAlphabet(s string) bool {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && (s[i] < '2' || s[i] > '7') {
			return false
		}
	}
	return true
}

func (k Key) mac(purpose, thread, message string) string {
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte(strings.Join([]string{"sangdam mail thread 1", purpose, k.account, thread, message}, "\x00")))
	return alphabet.EncodeToString(h.Sum(nil)[:10])
}

// MessageID is the Message-ID, without brackets, of a message of ours in a
// thread. The same message always has the same.
func (k Key) MessageID(thread, message, domain string) string {
	m := encodeMessage(message)
	return thread + "." + m + "." + k.mac("message", thread, m) + "@" + domain
}

// encodeMessage keeps a UUID readable, see Read; of anything else only a digest.
func encodeMessage(message string) string {
	raw, err := hex.DecodeString(strings.ReplaceAll(message, "-", ""))
	if err != nil || len(raw) != 16 {
		sum := sha256.Sum256([]byte(message))
		raw = sum[:16]
	}
	return alphabet.EncodeToString(raw)
}

// Read checks a Message-ID. ok says that this account made it; message is the
// UUID that it was made of.
func (k Key) Read(id string) (thread, message string, ok bool) {
	local, _, _ := strings.Cut(strings.ToLower(strings.Trim(strings.TrimSpace(id), "<>")), "@")
	parts := strings.Split(local, ".")
	if len(parts) != 3 || !Valid(parts[0]) || len(parts[1]) != messageLen || !inAlphabet(parts[1]) {
		return "", "", false
	}
	if !hmac.Equal([]byte(parts[2]), []byte(k.mac("message", parts[0], parts[1]))) {
		return "", "", false
	}
	raw, err := alphabet.DecodeString(parts[1])
	if err != nil || len(raw) != 16 {
		return "", "", false
	}
	h := hex.EncodeToString(raw)
	return parts[0], h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], true
}

// Address is where answers in a thread go: the account's own address with the
// token behind a plus.
func (k Key) Address(own, thread string) string {
	local, domain, _ := strings.Cut(own, "@")
	return local + "+" + thread + k.mac("address", thread, "") + "@" + domain
}

// ReadAddress checks a recipient. ok says that it is the account's own address
// with a token that the account made.
func (k Key) ReadAddress(own, recipient string) (thread string, ok bool) {
	own, recipient = strings.ToLower(own), strings.ToLower(strings.Trim(strings.TrimSpace(recipient), `<>`))
	local, domain, _ := strings.Cut(own, "@")
	there, at, _ := strings.Cut(recipient, "@")
	if strings.HasPrefix(there, `"`) {
		there = strings.Trim(there, `"`)
	}
	token, is := strings.CutPrefix(there, local+"+")
	if !is || at != domain || len(token) != threadLen+macLen || !inAlphabet(token) {
		return "", false
	}
	thread = token[:threadLen]
	return thread, hmac.Equal([]byte(token[threadLen:]), []byte(k.mac("address", thread, "")))
}

// Mail is what of a mail decides where it belongs.
type Mail struct {
	ID         string   // Message-ID; empty when there is none
	Recipients []string // everybody to whom it went, as far as is known
	InReplyTo  []string
	References []string
}

// By says what decided.
type By string

// What decides, the stronger first.
const (
	ByAddress   By = "address"    // a token in the address
	ByMessageID By = "message id" // a token in a Message-ID that it answers
	ByNothing   By = ""           // no token: a new thread, unless Answers are known
)

// Place is where a mail belongs.
type Place struct {
	Thread string
	By     By
	// Answers are the Message-IDs that the mail names, the nearest first: one
	// that the library knows exactly, and that its sender took part in, decides
	// if no token did.
	Answers []string
}

// Find decides. own are the account's addresses.
func (k Key) Find(own []string, m Mail) Place {
	for _, to := range m.Recipients {
		for _, address := range own {
			if thread, ok := k.ReadAddress(address, to); ok {
				return Place{Thread: thread, By: ByAddress}
			}
		}
	}
	answers := append([]string(nil), m.InReplyTo...)
	for i := len(m.References) - 1; i >= 0; i-- {
		answers = append(answers, m.References[i])
	}
	for _, id := range answers {
		if thread, _, ok := k.Read(id); ok {
			return Place{Thread: thread, By: ByMessageID}
		}
	}
	return Place{Thread: k.Begin(m.ID), Answers: unique(answers)}
}

func unique(ids []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, id := range ids {
		if id != "" && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}
