package webchat

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// A visitor's token is 128 random bits with what they stand for, under the
// account's key: nothing of it is stored here, and another account, or the same
// one under a new key, does not know it.
//
//	kind (1) | expiry, Unix minutes (4) | random (16) | subject's hash (16, members only) | MAC (16)

const (
	anonymousKind byte = 'a'
	memberKind    byte = 'm'

	randomBytes = 16
	macBytes    = 16
	hashBytes   = 16
)

// How long tokens live. That of an anonymous visitor is renewed at each session,
// a member's by a new proof of the host's alone.
const (
	anonymousFor = 180 * 24 * time.Hour
	memberFor    = 12 * time.Hour
)

// visitorID is who a token stands for.
type visitorID struct {
	kind    byte
	expires time.Time
	random  []byte
	subject []byte
}

func newAnonymous(now time.Time) visitorID {
	v := visitorID{kind: anonymousKind, expires: now.Add(anonymousFor), random: make([]byte, randomBytes)}
	_, _ = rand.Read(v.random) // never fails
	return v
}

func newMember(subject string, now time.Time) visitorID {
	v := newAnonymous(now)
	v.kind, v.expires, v.subject = memberKind, now.Add(memberFor), subjectHash(subject)
	return v
}

func subjectHash(subject string) []byte {
	sum := sha256.Sum256([]byte("member\x00" + subject))
	return sum[:hashBytes]
}

// user is the name under which the engine knows the visitor. It tells nothing of
// the token.
func (v visitorID) user() channel.ProviderUserID {
	if v.kind == memberKind {
		return memberUser(v.subject)
	}
	sum := sha256.Sum256(append([]byte("visitor\x00"), v.random...))
	return channel.ProviderUserID("v-" + hex.EncodeToString(sum[:hashBytes]))
}

func memberUser(hash []byte) channel.ProviderUserID {
	return channel.ProviderUserID("m-" + hex.EncodeToString(hash))
}

// MemberUser is the user id that a member has on this channel, by the host's own
// id of the person: for Engine.LinkUser.
func MemberUser(subject string) channel.ProviderUserID { return memberUser(subjectHash(subject)) }

func (v visitorID) token(acct channel.Account) string {
	minutes := uint32(v.expires.Unix() / 60) //nolint:gosec // they fit until the year 10136
	raw := binary.BigEndian.AppendUint32([]byte{v.kind}, minutes)
	raw = append(append(raw, v.random...), v.subject...)
	return base64.RawURLEncoding.EncodeToString(append(raw, macOf(acct, "token", raw)...))
}

// readToken returns who presents the token. ErrPermissionDenied for one that is
// not the account's, not whole, or over.
func readToken(acct channel.Account, token string, now time.Time) (visitorID, error) {
	refused := errs.New(errs.PermissionDenied, "webchat: the token is not one of this account, or its time is over")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 1+4+randomBytes+macBytes {
		return visitorID{}, refused
	}
	raw, mac := raw[:len(raw)-macBytes], raw[len(raw)-macBytes:]
	want := 1 + 4 + randomBytes
	if raw[0] == memberKind {
		want += hashBytes
	} else if raw[0] != anonymousKind {
		return visitorID{}, refused
	}
	if len(raw) != want || !hmac.Equal(mac, macOf(acct, "token", raw)) {
		return visitorID{}, refused
	}
	v := visitorID{kind: raw[0], expires: time.Unix(int64(binary.BigEndian.Uint32(raw[1:5]))*60, 0),
		random: raw[5 : 5+randomBytes], subject: raw[5+randomBytes:]}
	if !now.Before(v.expires) {
		return visitorID{}, refused
	}
	return v, nil
}

// macOf signs for one purpose of one account. An account without a key signs
// nothing: every comparison fails.
func macOf(acct channel.Account, purpose string, body []byte) []byte {
	key := acct.Secrets[SecretVisitor].Reveal()
	if len(key) < minKey {
		return nil
	}
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(purpose + "\x00" + string(acct.ID) + "\x00"))
	h.Write(body)
	return h.Sum(nil)[:macBytes]
}

// fileRef is what a client names an uploaded file by: the file's description
// under the key, for this visitor alone.
func fileRef(acct channel.Account, user channel.ProviderUserID, m channel.Media) (string, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding.EncodeToString
	return enc(raw) + "." + enc(macOf(acct, "file\x00"+string(user), raw)), nil
}

// readFileRef undoes fileRef. ErrInvalid for anything else.
func readFileRef(acct channel.Account, user channel.ProviderUserID, ref string) (channel.Media, error) {
	refused := errs.New(errs.Invalid, "webchat: the file is not one that this visitor has uploaded")
	var m channel.Media
	body, mac, _ := strings.Cut(ref, ".")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	got, errMAC := base64.RawURLEncoding.Strict().DecodeString(mac)
	want := macOf(acct, "file\x00"+string(user), raw)
	if err != nil || errMAC != nil || len(want) == 0 || !hmac.Equal(got, want) || json.Unmarshal(raw, &m) != nil {
		return m, refused
	}
	return m, nil
}
