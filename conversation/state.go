package conversation

import (
	"slices"
)

// ThreadHolders returns the states in which a conversation holds its thread
// key. Of all conversations with one thread key at most one is in such a state.
func ThreadHolders() []State { return []State{StateOpen, StateActive, StateWaiting} }

// Closed reports whether the state is StateClosed: nothing is left to do.
func (s State) Closed() bool { return s == StateClosed }

// Ended reports whether the state is StateWrapUp or StateClosed: nobody talks
// to the customer any more.
func (s State) Ended() bool { return s == StateWrapUp || s == StateClosed }

// HoldsThread reports whether a conversation in the state holds its thread key.
func (s State) HoldsThread() bool { return slices.Contains(ThreadHolders(), s) }
