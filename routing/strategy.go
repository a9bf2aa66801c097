package routing

// The built-in strategies, by the name that Queue.Strategy holds (RT4). Among
// agents of equal key the lower id is asked first.
const (
	// RoundRobin asks who had a turn in the queue longest ago; the default.
	RoundRobin = "round_robin"
	// Random draws evenly; the draw is fixed by seed, item and attempt.
	Random = "random"
	// Weighted draws in proportion to Queue.Weights; an agent without an entry
	// weighs 1, one of weight 0 is drawn only when nobody else is able.
	Weighted = "weighted"
	// Designated lets Queue.Designated alone take the items.
	Designated = "designated"
	// LeastLoaded asks who has the fewest units in use.
	LeastLoaded = "least_loaded"
	// MostFree asks who has the most units free.
	MostFree = "most_free"
	// LongestIdle asks who ended the last work, or went online, longest ago.
	LongestIdle = "longest_idle"
	// FixedOrder asks by Queue.Rank, lower first; agents without a rank last.
	FixedOrder = "fixed_order"
	// SkillClosestFirst asks who comes closest to the item's skills: fewest
	// missing, then fewest levels short, then fewest levels above what is
	// needed, so that experts stay free.
	SkillClosestFirst = "skill_closest"
)

// Strategy orders the agents that are eligible for an item. Own strategies are
// given to board.New and named by Queue.Strategy.
//
// The Board alone decides who is eligible and reserves the capacity, so a
// strategy cannot break an invariant. One that panics, answers NaN or answers
// differently when asked twice is refused: that decision falls to RoundRobin
// and says so in Decision.Why.
type Strategy interface {
	// Name is what Queue.Strategy holds.
	Name() string
	// Key orders agents: the lowest key is asked first, ties by agent id. It
	// depends on nothing but its arguments, changes nothing, and does not
	// block. It must not depend on the time. a.State holds what was decided
	// but is not stored yet.
	Key(it Item, a Agent, q Queue) float64
}

// BuiltIn lists the built-in strategies, in the order in which pages offer them. A
// queue that names none uses the first.
func BuiltIn() []string {
	return []string{RoundRobin, LeastLoaded, MostFree, LongestIdle, FixedOrder, Weighted, Random, SkillClosestFirst, Designated}
}
