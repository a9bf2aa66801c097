package emukit

import (
	"context"
	"fmt"
	"sync"
)

// Changes wakes whoever waits for something to happen in an emulator. The zero
// value is ready; all methods may be called at once.
type Changes struct {
	mu   sync.Mutex
	next chan struct{} // made when somebody waits
}

// Touch says that something has happened.
func (c *Changes) Touch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}

// Next returns a channel that the next Touch closes.
func (c *Changes) Next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}

// Wait returns when cond holds, which is asked at once and after each Touch, or
// with the context's error. No lock is held while cond runs.
func (c *Changes) Wait(ctx context.Context, cond func() bool) error {
	for {
		next := c.Next()
		if cond() {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return fmt.Errorf("the emulator waited in vain: %w", ctx.Err())
		}
	}
}
