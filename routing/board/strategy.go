package board

import (
	"math"

	"github.com/sangdam/sangdam/routing"
)

// strategyKind is how the Board computes a strategy.
type strategyKind uint8

const (
	kindRoundRobin strategyKind = iota
	kindRandom
	kindWeighted
	kindDesignated
	kindLeastLoaded
	kindMostFree
	kindLongestIdle
	kindFixedOrder
	kindSkillClosest
	kindOwn
)

var builtIn = map[string]strategyKind{
	"": kindRoundRobin, routing.RoundRobin: kindRoundRobin, routing.Random: kindRandom, routing.Weighted: kindWeighted,
	routing.Designated: kindDesignated, routing.LeastLoaded: kindLeastLoaded, routing.MostFree: kindMostFree,
	routing.LongestIdle: kindLongestIdle, routing.FixedOrder: kindFixedOrder, routing.SkillClosestFirst: kindSkillClosest,
}

// drawn reports whether the strategy draws instead of ordering.
func (k strategyKind) drawn() bool { return k == kindRandom || k == kindWeighted }

// distance is how far an agent's skills are from the needed ones.
func distance(needed, has []routing.Skill) (short, surplus int64) {
	for _, n := range needed {
		want, got := int64(max(1, n.Level)), int64(levelOf(has, n.Name))
		switch {
		case got == 0:
			short += missingSkill + want
		case got < want:
			short += want - got
		default:
			surplus += got - want
		}
	}
	return short, surplus
}

// missingSkill weighs a skill that is missing altogether above any number of
// levels that are short.
const missingSkill = 1 << 20

// ordered maps a float64 to an int64 of the same order.
func ordered(f float64) int64 {
	b := int64(math.Float64bits(f + 0)) // -0 becomes 0
	return b ^ int64(uint64(b>>63)>>1)
}
