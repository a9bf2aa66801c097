package conversation

import (
	"slices"
)

// ThreadHolders are the states of conversations that hold their thread key: at
// most one conversation under a key is in one of them.
func ThreadHolders() []State { return []State{StateOpen, StateActive, StateWaiting} }

// Closed reports whether nothing is left to be done: neither answers nor panels.
func (s State) Closed() bool { return s == StateClosed }

// Ended reports whether the talk is over: only the panels may still be filled in.
func (s State) Ended() bool { return s == StateWrapUp || s == StateClosed }

// HoldsThread reports whether a conversation in the state holds its thread key.
func (s State) HoldsThread() bool { return slices.Contains(ThreadHolders(), s) }
