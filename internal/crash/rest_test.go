package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// looks lets a number of looks pass and returns the verdict of the last.
func looks(p *patience[int], n int, see func(i int) (now int, done, able bool)) (v verdict) {
	for i := range n {
		if v = p.look(see(i)); v != goOn {
			return v
		}
	}
	return v
}

func TestRestIsToldByLooks(t *testing.T) {
	same := func(done, able bool) func(int) (int, bool, bool) {
		return func(int) (int, bool, bool) { return 1, done, able }
	}
	var p patience[int]
	require.Equal(t, goOn, looks(&p, settledLooks, same(true, true)))
	require.Equal(t, atRest, p.look(1, true, true), "nothing was left to do for as long as a lease")

	p = patience[int]{}
	require.Equal(t, goOn, looks(&p, stuckLooks, same(false, true)))
	require.Equal(t, stuck, p.look(1, false, true), "others came forward, and nothing moved")

	p = patience[int]{}
	require.Equal(t, stuck, looks(&p, circleLooks+1, func(i int) (int, bool, bool) { return i % 2, false, true }), "in circles")
}

// What a starved machine does not let happen is no fault of the processes.
func TestAStarvedMachineMakesNothingStuck(t *testing.T) {
	var p patience[int]
	for range 10 { // starved for as long as would be stuck, again and again, and all done in the end
		require.Equal(t, goOn, looks(&p, stuckLooks, func(int) (int, bool, bool) { return 1, false, false }))
		require.Equal(t, goOn, looks(&p, 5, func(int) (int, bool, bool) { return 1, false, true }))
	}
	require.Equal(t, atRest, looks(&p, settledLooks+1, func(int) (int, bool, bool) { return 2, true, true }))

	p = patience[int]{}
	require.Equal(t, blind, looks(&p, blindLooks+1, func(int) (int, bool, bool) { return 1, true, false }), "it has an end")
}
