package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"github.com/sangdam/sangdam/store/blob"
)

func readerManners(t *testing.T, s blob.Store) {
	want := pattern(70_000)
	for name, r := range map[string]io.Reader{
		"one byte at a time":    iotest.OneByteReader(bytes.NewReader(want)),
		"half of what is asked": iotest.HalfReader(bytes.NewReader(want)),
		"data with the end":     iotest.DataErrReader(bytes.NewReader(want)),
		"empty reads between":   &stutter{r: bytes.NewReader(want)},
	} {
		info, err := s.Put(t.Context(), r, int64(len(want)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(read(t, s, info.Name), want) {
			t.Errorf("%s: bytes came back changed", name)
		}
	}
}

func limits(t *testing.T, s blob.Store) {
	for _, size := range []int{0, 1, 1000, 64 << 10, 1 << 20} {
		info, err := s.Put(t.Context(), bytes.NewReader(pattern(size)), int64(size))
		if err != nil {
			t.Errorf("%d bytes with a limit of exactly that: %v", size, err)
			continue
		}
		must(t, s.Delete(t.Context(), info.Name))
		_, err = s.Put(t.Context(), bytes.NewReader(pattern(size+1)), int64(size))
		if !errors.Is(err, blob.ErrTooLarge) || !errors.Is(err, blob.ErrInvalid) {
			t.Errorf("%d bytes with a limit of %d: %v; want ErrTooLarge, an ErrInvalid", size+1, size, err)
		}
		wantNone(t, s)
	}
	if _, err := s.Put(t.Context(), bytes.NewReader(nil), -1); !errors.Is(err, blob.ErrInvalid) || errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("limit -1: %v; want ErrInvalid", err)
	}
	wantNone(t, s)
	if _, err := s.Put(t.Context(), bytes.NewReader(pattern(10)), math.MaxInt64); err != nil {
		t.Errorf("largest limit: %v", err)
	}
}

func endless(t *testing.T, s blob.Store) {
	r := &counter{r: zeros{}}
	const limit = 100_000
	if _, err := s.Put(t.Context(), r, limit); !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("endless upload: %v; want ErrTooLarge", err)
	}
	if r.n > limit+1<<20 {
		t.Errorf("read %d bytes of an upload that may have %d", r.n, limit)
	}
	wantNone(t, s)
}

func readerFails(t *testing.T, s blob.Store) {
	broken := errors.New("the customer's connection broke")
	for _, after := range []int{0, 1, 100_000} {
		for _, fault := range []error{broken, io.ErrUnexpectedEOF} {
			r := io.MultiReader(bytes.NewReader(pattern(after)), iotest.ErrReader(fault))
			if _, err := s.Put(t.Context(), r, 1<<20); !errors.Is(err, fault) {
				t.Errorf("reader fails after %d bytes: %v; want its error, wrapped", after, err)
			}
			wantNone(t, s)
		}
	}
	// The failure counts also where the limit is already reached.
	r := io.MultiReader(bytes.NewReader(pattern(50)), iotest.ErrReader(broken))
	if _, err := s.Put(t.Context(), r, 50); !errors.Is(err, broken) {
		t.Errorf("reader fails at the limit: %v; want its error, wrapped", err)
	}
	wantNone(t, s)
}

func readerPanics(t *testing.T, s blob.Store) {
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Put(t.Context(), io.MultiReader(bytes.NewReader(pattern(100)), panicking{}), 1<<20)
	}()
	wantNone(t, s)
	if string(read(t, s, put(t, s, "still works"))) != "still works" {
		t.Error("the store does not work after a reader's panic")
	}
}

func cancelled(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	// An endless reader in which the context ends: only looking at ctx between
	// reads ends this Put.
	r := &onRead{r: zeros{}, at: 5, do: cancel}
	if _, err := s.Put(ctx, r, math.MaxInt64); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled during Put: %v; want context.Canceled", err)
	}
	wantNone(t, s)
	name := put(t, s, "kept")
	if _, err := s.Put(ctx, bytes.NewReader(nil), 10); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before Put: %v; want context.Canceled", err)
	}
	if _, err := s.Open(ctx, name); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before Open: %v; want context.Canceled", err)
	}
	if _, err := s.List(ctx, farOff, "", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before List: %v; want context.Canceled", err)
	}
	if err := s.Delete(ctx, name); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before Delete: %v; want context.Canceled", err)
	}
	if string(read(t, s, name)) != "kept" || len(all(t, s)) != 1 {
		t.Error("a cancelled call changed the store")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("a reader's own fault") }

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// onRead calls do at the at-th read.
type onRead struct {
	r  io.Reader
	at int
	do func()
}

func (o *onRead) Read(p []byte) (int, error) {
	if o.at--; o.at == 0 {
		o.do()
	}
	return o.r.Read(p)
}

// stutter returns nothing on every other read, which readers may.
type stutter struct {
	r    io.Reader
	gave bool
}

func (s *stutter) Read(p []byte) (int, error) {
	if s.gave = !s.gave; !s.gave {
		return 0, nil
	}
	return s.r.Read(p)
}
