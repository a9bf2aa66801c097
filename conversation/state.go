package conversation

import (
	"slices"
)

// ThreadHolders are the states of conversations that hold their thread key: at
// most one conversation under a key is in one of them.
func ThreadHolders() []State { return []State{StateOpen, StateActive, StateWaiting} }

// HoldsThread reports whether a conversation in the state holds its thread key.
func (s State) HoldsThread() bool { return slices.Contains(ThreadHolders(), s) }
