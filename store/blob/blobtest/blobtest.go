// Package blobtest is the conformance suite for stores of blobs: whatever
// passes it keeps the contract of blob.Store. It needs nothing but a function
// that opens an empty store:
//
//	func TestConformance(t *testing.T) {
//		blobtest.Run(t, func(t *testing.T) blob.Store { return mystore.New(t.TempDir()) })
//	}
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/sangdam/sangdam/store/blob"
)

// Open returns an empty store that lives as long as the test.
type Open func(t *testing.T) blob.Store

// Moments on either side of every clock: List is tested without waiting.
var (
	longAgo = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	farOff  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Run runs the suite. Each test opens a store of its own.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, blob.Store)
	}{
		{"bytes come back as they went in", roundTrip},
		{"same bytes twice are two blobs", sameTwice},
		{"readers of every manner", readerManners},
		{"limits", limits},
		{"an endless upload is cut at the limit", endless},
		{"a reader that fails leaves nothing", readerFails},
		{"a reader that panics leaves nothing", readerPanics},
		{"a cancelled context leaves nothing", cancelled},
		{"names that no Put returned", foreignNames},
		{"delete", remove},
		{"an open blob outlives its deletion", openOutlivesDelete},
		{"concurrent puts", concurrentPuts},
		{"list by time", listByTime},
		{"list by pages", listPages},
		{"list is stable while blobs come and go", listStable},
		{"list refuses a limit below 1", listLimit},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func roundTrip(t *testing.T, s blob.Store) {
	for _, size := range []int{0, 1, 4095, 64 << 10, 64<<10 + 1, 1<<20 + 3, 5 << 20} {
		want := pattern(size)
		info, err := s.Put(t.Context(), bytes.NewReader(want), int64(size)+10)
		must(t, err)
		sum := sha256.Sum256(want)
		if info.Size != int64(size) || info.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("Put of %d bytes says size %d, digest %s", size, info.Size, info.SHA256)
		}
		if !blob.ValidName(info.Name) {
			t.Errorf("Put named a blob %q; use blob.NewName", info.Name)
		}
		if !bytes.Equal(read(t, s, info.Name), want) {
			t.Errorf("%d bytes came back changed", size)
		}
	}
}

func sameTwice(t *testing.T, s blob.Store) {
	a, b := put(t, s, "same"), put(t, s, "same")
	if a == b {
		t.Fatal("two blobs have one name, so deleting one deletes the other")
	}
	must(t, s.Delete(t.Context(), a))
	if string(read(t, s, b)) != "same" {
		t.Error("deleting a blob changed another with the same bytes")
	}
}

func foreignNames(t *testing.T, s blob.Store) {
	kept := put(t, s, "kept")
	for _, name := range []string{
		"", ".", "..", "/", "a", "../" + kept, "../../etc/passwd", "/etc/passwd", kept[:2] + "/" + kept,
		kept + "/", kept + "\x00", kept + ".", kept[1:], "0" + kept, "tmp/" + kept,
		`..\` + kept, "%2e%2e%2f", "CON", "con.txt", "\u202e" + kept, string(bytes.ToUpper([]byte(kept))) + "g",
		"ffffffffffffffffffffffffffffffffffffffff", string(bytes.Repeat([]byte("a"), 4096)),
	} {
		if r, err := s.Open(t.Context(), name); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Open(%q) returned %v, %v; want ErrNotFound", name, r, err)
		}
		if err := s.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%q) returned %v; want nil", name, err)
		}
	}
	if string(read(t, s, kept)) != "kept" {
		t.Error("a foreign name changed a blob")
	}
	for _, after := range []string{"/", "..", "\x00", "g", "zz", "~", "ffffffffffffffffffffffffffffffffffffffffff"} {
		if _, err := s.List(t.Context(), farOff, after, 10); err != nil {
			t.Errorf("List after %q returned %v", after, err)
		}
	}
}

func remove(t *testing.T, s blob.Store) {
	name := put(t, s, "x")
	must(t, s.Delete(t.Context(), name))
	if _, err := s.Open(t.Context(), name); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Open after Delete returned %v; want ErrNotFound", err)
	}
	if err := s.Delete(t.Context(), name); err != nil {
		t.Errorf("second Delete returned %v; want nil", err)
	}
	wantNone(t, s)
}

func openOutlivesDelete(t *testing.T, s blob.Store) {
	want := pattern(3 << 20)
	info, err := s.Put(t.Context(), bytes.NewReader(want), 4<<20)
	must(t, err)
	r, err := s.Open(t.Context(), info.Name)
	must(t, err)
	head := make([]byte, 10)
	_, err = io.ReadFull(r, head)
	must(t, err)
	must(t, s.Delete(t.Context(), info.Name))
	rest, err := io.ReadAll(r)
	must(t, err)
	must(t, r.Close())
	if !bytes.Equal(slices.Concat(head, rest), want) {
		t.Error("a blob that was being read changed when it was deleted")
	}
}

func concurrentPuts(t *testing.T, s blob.Store) {
	const workers, each = 8, 4
	names := make(chan string, workers*each)
	fails := make(chan error, workers*each)
	for w := range workers {
		go func() {
			for i := range each {
				info, err := s.Put(t.Context(), bytes.NewReader(pattern(1000*w+i)), 1<<20)
				names <- info.Name
				fails <- err
			}
		}()
	}
	var got []string
	for range workers * each {
		must(t, <-fails)
		got = append(got, <-names)
	}
	slices.Sort(got)
	if n := len(slices.Compact(slices.Clone(got))); n != workers*each {
		t.Errorf("%d puts made %d names", workers*each, n)
	}
	if listed := all(t, s); !slices.Equal(listed, got) {
		t.Errorf("%d blobs put, %d listed", len(got), len(listed))
	}
}

// put stores a text and returns its name.
func put(t *testing.T, s blob.Store, text string) string {
	t.Helper()
	info, err := s.Put(t.Context(), bytes.NewReader([]byte(text)), int64(len(text)))
	must(t, err)
	return info.Name
}

func read(t *testing.T, s blob.Store, name string) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), name)
	must(t, err)
	b, err := io.ReadAll(r)
	must(t, errors.Join(err, r.Close()))
	return b
}

func all(t *testing.T, s blob.Store) []string {
	t.Helper()
	names, err := s.List(context.WithoutCancel(t.Context()), farOff, "", 1<<20)
	must(t, err)
	return names
}

// wantNone checks that a failed Put left nothing behind.
func wantNone(t *testing.T, s blob.Store) {
	t.Helper()
	if names := all(t, s); len(names) != 0 {
		t.Errorf("%d blobs are left, want none", len(names))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pattern returns n bytes in which every 64 KiB block differs.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>16)
	}
	return b
}
