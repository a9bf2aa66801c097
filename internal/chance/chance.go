// Package chance draws numbers that are the same whenever they are drawn again, so
// that what was decided by lot can be decided again and explained.
package chance

import "math/bits"

// Draw returns a number below n, fixed by seed, name and attempt: FNV-1a over the
// name, then the finaliser of SplitMix64.
func Draw[S ~string](seed uint64, name S, attempt int, n uint64) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	x := mix(mix(h^seed) + uint64(attempt)*0x9E3779B97F4A7C15)
	high, _ := bits.Mul64(x, n)
	return high
}

func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}
