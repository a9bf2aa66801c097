package store

import (
	"testing"

	"github.com/sangdam/sangdam/store/driver"
)

// Page tokens come from outside: none panics, and one that is read names the
// place that its writer meant.
func FuzzPageToken(f *testing.F) {
	f.Add("")
	f.Add("MSBh")
	f.Add("IA")
	f.Fuzz(func(t *testing.T, token string) {
		place, err := parsePage(token)
		if err != nil || place == nil {
			return
		}
		again, err := parsePage(pageAfter(driver.ConversationPlace{ID: place.ID, UpdatedAt: place.UpdatedAt}))
		if err != nil || *again != *place {
			t.Fatalf("%q: %v became %v, %v", token, place, again, err)
		}
	})
}
