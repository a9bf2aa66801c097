package sangdam

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// guarded is a row that a decision of the unit rests on.
type guarded struct {
	row driver.GuardRow
	key string
}

// guardOrder is the one order in which rows are locked.
var guardOrder = []driver.GuardRow{driver.GuardLease, driver.GuardItem, driver.GuardAgent, store.GuardContact, driver.GuardConversation}

// rests makes the commit depend on a row's staying in the version in which it was
// read, because a decision rests on it: whoever changes it meanwhile has the unit
// run again. Of an agent the version is State.EligRev, of a lease its epoch. What
// the unit writes itself is held to its version by the write.
func (u *unit) rests(row driver.GuardRow, key string, version int64) {
	if u.guards == nil {
		u.guards = map[guarded]int64{}
	}
	if _, known := u.guards[guarded{row, key}]; !known && version > 0 {
		u.guards[guarded{row, key}] = version
	}
}

// guard is the stage that holds what decisions rest on until the commit.
func (u *unit) guard() error {
	list := slices.SortedFunc(maps.Keys(u.guards), func(a, b guarded) int {
		return cmp.Or(cmp.Compare(slices.Index(guardOrder, a.row), slices.Index(guardOrder, b.row)), cmp.Compare(a.key, b.key))
	})
	for _, g := range list {
		if u.writes(g) {
			continue
		}
		if err := u.tx.Guard(u.ctx, g.row, g.key, u.guards[g]); err != nil {
			return err
		}
	}
	return nil
}

// writes says that the unit writes the row itself. An agent's load is another
// matter than its eligibility, on which decisions rest.
func (u *unit) writes(g guarded) bool {
	switch g.row {
	case driver.GuardConversation:
		w := u.conversations[conversation.ID(g.key)]
		return w != nil && w.differs()
	case store.GuardContact:
		w := u.contacts[conversation.ContactID(g.key)]
		return w != nil && w.differs()
	case driver.GuardItem:
		return slices.ContainsFunc(u.after.items, func(it routing.Item) bool { return it.ID == routing.ItemID(g.key) })
	}
	return false
}
