package sqlite

import (
	"crypto/rand"
	"sort"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// epoch is one opening of the file that gave numbers to events: those above after, up
// to where the next one begins. Two openings of copies of one file have other names, so
// that a number that both gave is not mistaken for the same event.
type epoch struct {
	after int64
	name  string
}

// epochs are those whose events are there, and the present one at the end; only the
// flag changes after they were loaded. The present one is stored with its first event,
// in the same commit, so that opening a file writes nothing and no event costs a
// statement more.
type epochs struct {
	list   []epoch
	stored bool // the present one is; it belongs to the committing goroutine
}

// epochsKept is how many are kept at least; beyond them those that have events.
const epochsKept = 100

// load reads them and begins the present one. Of those that are not kept nobody reads
// on; they are deleted when the present one is stored.
func (e *epochs) load(c *raw.Conn, last int64) error {
	oldest := last // number before the first event that is there
	err := c.Query(`SELECT min((SELECT seq FROM events WHERE ws = w.num ORDER BY seq LIMIT 1)) - 1
		FROM workspaces w`, func(r raw.Row) bool {
		if !r.Null(0) {
			oldest = min(oldest, r.Int(0))
		}
		return true
	})
	if err != nil {
		return err
	}
	err = c.Query(`SELECT after, name FROM feed_epochs WHERE after < ? ORDER BY after`, func(r raw.Row) bool {
		e.list = append(e.list, epoch{r.Int(0), r.Text(1)})
		return true
	}, last)
	e.list = e.list[max(0, min(e.at(oldest), len(e.list)-epochsKept)):]
	e.list = append(e.list, epoch{last, rand.Text()})
	return err
}

// at is where the epoch of a number is.
func (e *epochs) at(n int64) int {
	return max(0, sort.Search(len(e.list), func(i int) bool { return e.list[i].after >= n })-1)
}

// keep stores the present one if it has given numbers, up to last, and is not stored.
func (e *epochs) keep(c *raw.Conn, last int64) error {
	own := e.list[len(e.list)-1]
	if e.stored || last == own.after {
		return nil
	}
	if _, err := c.Exec(`DELETE FROM feed_epochs WHERE after < ? OR after >= ?`, e.list[0].after, own.after); err != nil {
		return err
	}
	_, err := c.Exec(`INSERT INTO feed_epochs (after, name) VALUES (?, ?)`, own.after, own.name)
	return err
}

// committed says that what keep stored stays.
func (e *epochs) committed(last int64) { e.stored = e.stored || last > e.list[len(e.list)-1].after }

// nameLength is how long a name is, of this program and of the migration.
const nameLength = 26

// Every cursor begins with its version. That of before named no epoch.
const (
	cursorPrefix       = "q2-"
	formerCursorPrefix = "q1-"
)

// cursor is the place behind the event of a number.
func (e *epochs) cursor(n int64) string {
	return cursorPrefix + strconv.FormatInt(n, 36) + "-" + e.list[e.at(n)].name
}

// parse returns the number of a cursor of this file. What another file gave, or this
// one before an older copy of it was put back, is gone.
func (e *epochs) parse(c string) (int64, error) {
	n, name, err := splitCursor(c)
	if err != nil {
		return 0, err
	}
	if name != e.list[e.at(n)].name {
		return 0, driver.ErrCursorGone
	}
	return n, nil
}

// splitCursor returns the number and the epoch that a cursor names; none for one of
// before.
func splitCursor(c string) (int64, string, error) {
	digits, former := strings.CutPrefix(c, formerCursorPrefix)
	text, is := strings.CutPrefix(c, cursorPrefix)
	name, named := "", false
	if is {
		digits, name, named = strings.Cut(text, "-")
	}
	n, err := strconv.ParseInt(digits, 36, 64)
	if former == named || err != nil || n < 0 || strconv.FormatInt(n, 36) != digits || named && len(name) != nameLength {
		return 0, "", errs.New(errs.Invalid, "sqlite: this is not a cursor of the feed; begin with the empty one")
	}
	return n, name, nil
}
