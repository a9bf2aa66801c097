package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// user is who may sign in: a name and a password for one agent of the desk.
type user struct {
	Name    string          `json:"name"`
	Version int64           `json:"version"`
	Agent   routing.AgentID `json:"agent"`
	Salt    []byte          `json:"salt"`
	Hash    []byte          `json:"hash"` // argon2id
}

var users = store.Declare(store.Kind[user]{Name: "helpdesk_user",
	ID: func(u *user) string { return u.Name }, Version: func(u *user) *int64 { return &u.Version }})

// session is a browser that has signed in. What is stored is a hash of its
// token, so that whoever reads the database cannot sign in with it.
type session struct {
	ID      string          `json:"id"`
	Version int64           `json:"version"`
	Agent   routing.AgentID `json:"agent"`
	Expires time.Time       `json:"expires"`
}

var sessions = store.Declare(store.Kind[session]{Name: "helpdesk_session",
	ID: func(s *session) string { return s.ID }, Version: func(s *session) *int64 { return &s.Version },
	Indexes: []store.Index[session]{{Name: "expires", Value: func(s *session) []byte { return store.Time(s.Expires) }}}})

// Limits of signing in.
const (
	sessionFor  = 12 * time.Hour
	minPassword = 10 // characters
	maxPassword = 200
	hashing     = 2 // passwords at once: each takes 64 MiB
)

// passwords hashes passwords, so many at once that a flood of attempts costs
// the desk neither its memory nor its processors.
type passwords struct{ slots chan struct{} }

func newPasswords() passwords { return passwords{make(chan struct{}, hashing)} }

// hash waits for its turn, no longer than ctx.
func (p passwords) hash(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, 1, 64<<10, 2, 32), nil
}

// errSignIn is the one answer to a wrong name and to a wrong password.
var errSignIn = errors.New("name or password is wrong")

// check says whose password it is. An unknown name costs as much time as a
// wrong password, so that names cannot be found out.
func (h *helpdesk) check(ctx context.Context, name, password string) (routing.AgentID, error) {
	var u user
	err := h.db.View(ctx, workspace, func(ctx context.Context, tx store.Tx) (err error) {
		u, err = users.Get(ctx, tx, folded(name))
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrInvalid) {
		return "", err
	}
	if u.Salt == nil {
		u.Salt = make([]byte, 16)
	}
	given, err := h.passwords.hash(ctx, password[:min(len(password), maxPassword)], u.Salt)
	if err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare(given, u.Hash) != 1 || u.Agent == "" {
		return "", errSignIn
	}
	return u.Agent, nil
}

func folded(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// errPassword refuses a password.
var errPassword = fmt.Errorf("a password has at least %d characters and at most %d bytes", minPassword, maxPassword)

// hashedPassword is what is kept of a password.
type hashedPassword struct{ salt, hash []byte }

func (h *helpdesk) hashed(ctx context.Context, password string) (hashedPassword, error) {
	if n := len([]rune(password)); n < minPassword || len(password) > maxPassword {
		return hashedPassword{}, errPassword
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	hash, err := h.passwords.hash(ctx, password, salt)
	return hashedPassword{salt, hash}, err
}

// keepPassword gives an agent a name and a password to sign in with. A name
// that another agent has is refused.
func (h *helpdesk) keepPassword(ctx context.Context, name string, agent routing.AgentID, p hashedPassword) error {
	return h.db.Update(ctx, workspace, func(ctx context.Context, tx store.Tx) error {
		u, err := users.Get(ctx, tx, folded(name))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if u.Agent != "" && u.Agent != agent {
			return fmt.Errorf("the name %q is another agent's", folded(name))
		}
		u.Name, u.Agent, u.Salt, u.Hash = folded(name), agent, p.salt, p.hash
		return users.Save(ctx, tx, &u)
	})
}

// firstAdministrator makes somebody who may sign in where nobody may, and
// returns the password: the only time that it is known.
func (h *helpdesk) firstAdministrator(ctx context.Context) (password string, err error) {
	var have []user
	err = h.db.View(ctx, workspace, func(ctx context.Context, tx store.Tx) (err error) {
		have, err = users.GetAll(ctx, tx, administrator)
		return err
	})
	if err != nil || len(have) > 0 {
		return "", err
	}
	password = rand.Text()
	hashed, err := h.hashed(ctx, password)
	if err != nil {
		return "", err
	}
	return password, h.keepPassword(ctx, administrator, administrator, hashed)
}

// begin makes a session and returns its token.
func (h *helpdesk) begin(ctx context.Context, agent routing.AgentID) (token string, err error) {
	token = rand.Text()
	s := session{ID: digest(token), Agent: agent, Expires: time.Now().Add(sessionFor)}
	return token, h.db.Update(ctx, workspace, func(ctx context.Context, tx store.Tx) error {
		s.Version = 0
		old, err := sessions.List(ctx, tx, store.List[session]{Index: "expires", To: store.Time(time.Now())})
		if err != nil {
			return err
		}
		for i := range old.Items {
			if err := sessions.Delete(ctx, tx, &old.Items[i]); err != nil {
				return err
			}
		}
		return sessions.Save(ctx, tx, &s)
	})
}

// finish ends a session.
func (h *helpdesk) finish(ctx context.Context, token string) error {
	return h.db.Update(ctx, workspace, func(ctx context.Context, tx store.Tx) error {
		s, err := sessions.Get(ctx, tx, digest(token))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return sessions.Delete(ctx, tx, &s)
	})
}

// whose is the agent of a session, with the role that it has now.
func (h *helpdesk) whose(ctx context.Context, token string) (p sangdam.Principal, err error) {
	err = h.db.View(ctx, workspace, func(ctx context.Context, tx store.Tx) error {
		s, err := sessions.Get(ctx, tx, digest(token))
		if err != nil {
			return err
		}
		if time.Now().After(s.Expires) {
			return errSignIn
		}
		a, err := tx.Agents().Agent(ctx, s.Agent)
		if err != nil {
			return err
		}
		if a.Disabled {
			return errSignIn
		}
		p = sangdam.AgentPrincipal(workspace, a.ID, sangdam.Role(a.Role))
		return nil
	})
	return p, err
}

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
