package blob

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// MemoryStore is a Store in the process, for tests and the memory store. What
// it holds is gone with the process.
type MemoryStore struct {
	mu    sync.RWMutex
	blobs map[string]memoryBlob
}

type memoryBlob struct {
	bytes []byte
	at    time.Time
}

var _ Store = (*MemoryStore)(nil)

// Memory returns an empty store.
func Memory() *MemoryStore { return &MemoryStore{blobs: make(map[string]memoryBlob)} }

// Put implements Store.
func (m *MemoryStore) Put(ctx context.Context, r io.Reader, limit int64) (Info, error) {
	var buf bytes.Buffer
	size, digest, err := CopyLimited(ctx, &buf, r, limit)
	if err != nil {
		return Info{}, err
	}
	name := NewName()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[name] = memoryBlob{bytes: buf.Bytes(), at: time.Now()}
	return Info{Name: name, Size: size, SHA256: digest}, nil
}

// Open implements Store. The reader is an io.Seeker as well.
func (m *MemoryStore) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	b, ok := m.blobs[name]
	if !ok {
		return nil, notFound()
	}
	return memoryReader{bytes.NewReader(b.bytes)}, nil
}

// Delete implements Store.
func (m *MemoryStore) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, name)
	return nil
}

// List implements Store.
func (m *MemoryStore) List(ctx context.Context, before time.Time, after string, limit int) ([]string, error) {
	if limit < 1 {
		return nil, badLimit(limit)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m.blobs)) {
		if name <= after || !m.blobs[name].at.Before(before) {
			continue
		}
		if names = append(names, name); len(names) == limit {
			break
		}
	}
	return names, nil
}

type memoryReader struct{ *bytes.Reader }

func (memoryReader) Close() error { return nil }
