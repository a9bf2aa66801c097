package driver

import (
	"strings"
	"time"
)

const atTime = "@"

// CursorAt is the cursor of a feed at a time, from which Backend.Feed goes on.
func CursorAt(at time.Time) string { return atTime + at.UTC().Format(time.RFC3339Nano) }

// TimeOf is the time that CursorAt made the cursor of; false for every other cursor.
func TimeOf(cursor string) (time.Time, bool) {
	text, is := strings.CutPrefix(cursor, atTime)
	if !is {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil
}
