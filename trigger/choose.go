package trigger

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
)

// Choice is how an assign action chooses among the agents it names.
type Choice string

// The choices: any of them by chance, each in turn in the order of the list, or
// always the first of the list who is able.
const (
	ChooseRandom Choice = "random"
	ChooseInTurn Choice = "in_turn"
	ChooseOne    Choice = "designated"
)

// Valid returns nil for one of the three choices, else ErrInvalid.
func (c Choice) Valid() error {
	if slices.Contains([]Choice{ChooseRandom, ChooseInTurn, ChooseOne}, c) {
		return nil
	}
	return errs.New(errs.Invalid, "trigger: %q is no way to choose an agent: use %s, %s or %s",
		cut(string(c), 32), ChooseRandom, ChooseInTurn, ChooseOne)
}

// Choose picks one of the agents. Those for whom able is false are passed over;
// none left is false. turn is the number that the action's last choice left (0
// at first) and next the one to keep: only ChooseInTurn moves it. The draw of
// ChooseRandom follows from the seed and the parts alone, such as event and
// trigger, so that a function that runs again chooses the same.
func (c Choice) Choose(agents []string, able func(string) bool, turn int64, seed uint64,
	parts ...string) (agent string, next int64, ok bool) {
	var left []int
	for i, a := range agents {
		if able(a) {
			left = append(left, i)
		}
	}
	if len(left) == 0 {
		return "", turn, false
	}
	switch c {
	case ChooseRandom:
		return agents[left[draw(seed, parts)%uint64(len(left))]], turn, true
	case ChooseInTurn:
		at := int(turn % int64(len(agents)))
		for _, i := range left {
			if i >= at {
				return agents[i], int64(i) + 1, true
			}
		}
		return agents[left[0]], int64(left[0]) + 1, true
	}
	return agents[left[0]], turn, true
}

// draw makes an even number of the seed and the parts.
func draw(seed uint64, parts []string) uint64 {
	h := sha256.New()
	var n [8]byte
	put := func(v uint64) {
		binary.BigEndian.PutUint64(n[:], v)
		h.Write(n[:])
	}
	put(seed)
	for _, p := range parts {
		put(uint64(len(p)))
		h.Write([]byte(p))
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}
