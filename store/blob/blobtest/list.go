package blobtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sangdam/sangdam/store/blob"
)

func listByTime(t *testing.T, s blob.Store) {
	name := put(t, s, "x")
	if names, err := s.List(t.Context(), longAgo, "", 10); err != nil || len(names) != 0 {
		t.Errorf("List before any blob was put returned %v, %v", names, err)
	}
	if names, err := s.List(t.Context(), farOff, "", 10); err != nil || !slices.Equal(names, []string{name}) {
		t.Errorf("List returned %v, %v; want the one blob", names, err)
	}
}

func listPages(t *testing.T, s blob.Store) {
	var want []string
	for i := range 23 {
		want = append(want, put(t, s, fmt.Sprint(i)))
	}
	slices.Sort(want)
	for _, size := range []int{1, 7, 22, 23, 24} {
		if got := pages(t, s, size, func() {}); !slices.Equal(got, want) {
			t.Errorf("pages of %d returned %d names; want %d in ascending order", size, len(got), len(want))
		}
	}
	// A name that is not there, or no longer, is a place to go on from.
	names, err := s.List(t.Context(), farOff, want[10]+"0", 100)
	if err != nil || !slices.Equal(names, want[11:]) {
		t.Errorf("List after a name that is not there returned %d names, %v; want %d", len(names), err, len(want)-11)
	}
}

func listStable(t *testing.T, s blob.Store) {
	var old []string
	for i := range 40 {
		old = append(old, put(t, s, fmt.Sprint(i)))
	}
	// Between pages one blob comes and one goes.
	gone := make(map[string]bool)
	next := 0
	got := pages(t, s, 3, func() {
		put(t, s, "new")
		if next < len(old) {
			must(t, s.Delete(t.Context(), old[next]))
			gone[old[next]] = true
			next += 5
		}
	})
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Error("pages repeat a name or are not in order")
	}
	for _, name := range old {
		if !gone[name] && !slices.Contains(got, name) {
			t.Error("a blob that stood throughout was skipped")
		}
	}
}

func listLimit(t *testing.T, s blob.Store) {
	put(t, s, "x")
	for _, limit := range []int{0, -1} {
		if _, err := s.List(t.Context(), farOff, "", limit); !errors.Is(err, blob.ErrInvalid) {
			t.Errorf("List with limit %d: %v; want ErrInvalid", limit, err)
		}
	}
}

// pages lists everything, calling between after each page.
func pages(t *testing.T, s blob.Store, size int, between func()) []string {
	t.Helper()
	var got []string
	after := ""
	for {
		names, err := s.List(t.Context(), farOff, after, size)
		must(t, err)
		if len(names) == 0 {
			return got
		}
		if len(names) > size {
			t.Fatalf("List with limit %d returned %d names", size, len(names))
		}
		got = append(got, names...)
		after = names[len(names)-1]
		between()
	}
}
