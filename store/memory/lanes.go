package memory

import (
	"cmp"
	"crypto/rand"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// laneKey names a lane within its workspace.
type laneKey struct {
	account channel.AccountID
	lane    string
}

// lanes is an index: what waits in each lane, in order.
type lanes[ID ~string] map[laneKey][]place[ID]

// place is a row's place in its lane.
type place[ID ~string] struct {
	order int64
	id    ID
}

func byOrder[ID ~string](a, b place[ID]) int { return cmp.Compare(a.order, b.order) }

func (l lanes[ID]) add(k laneKey, p place[ID]) {
	at, _ := slices.BinarySearchFunc(l[k], p, byOrder)
	l[k] = slices.Insert(l[k], at, p)
}

func (l lanes[ID]) remove(k laneKey, p place[ID]) {
	if at, ok := slices.BinarySearchFunc(l[k], p, byOrder); ok {
		l[k] = slices.Delete(l[k], at, at+1)
	}
	if len(l[k]) == 0 {
		delete(l, k)
	}
}

// newClaim makes the right to a lane, until the lease ends.
func newClaim(k laneKey, now time.Time, lease time.Duration) driver.Claim {
	return driver.Claim{Account: k.account, Lane: k.lane, Token: rand.Text(), Until: now.Add(lease)}
}

// holds refuses a claim that was given back or taken by another, now and at
// the commit. A lease that ended is still good while nobody took the lane.
func (t *tx) holds(claims map[laneKey]driver.Claim, c driver.Claim) error {
	check := func() error {
		if have, ok := claims[laneKey{c.Account, c.Lane}]; !ok || have.Token != c.Token {
			return errs.New(errs.Stale, "memory: the claim of lane %q of account %q is lost; leave the work to its new holder",
				c.Lane, c.Account)
		}
		return nil
	}
	if err := check(); err != nil {
		return err
	}
	t.checks = append(t.checks, check)
	return nil
}
