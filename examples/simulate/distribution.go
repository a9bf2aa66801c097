package main

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Distribution of a time in seconds.
type Distribution struct {
	// Dist is exponential, constant, lognormal, gamma or empirical.
	Dist string `json:"dist"`
	// Mean of all but empirical.
	Mean float64 `json:"mean_s"`
	// CV is the coefficient of variation of lognormal and gamma.
	CV float64 `json:"cv"`
	// Values of empirical; each is as likely as any other.
	Values []float64 `json:"values_s"`
}

func (d *Distribution) check() error {
	switch d.Dist {
	case "empirical":
		if len(d.Values) == 0 {
			return fmt.Errorf("empirical needs values_s")
		}
		for _, v := range d.Values {
			if !finite(v) || v < 0 {
				return fmt.Errorf("values_s has %v: use 0 or more", v)
			}
		}
		return nil
	case "lognormal", "gamma":
		if !finite(d.CV) || d.CV <= 0 || d.CV > 1000 {
			return fmt.Errorf("%s has cv %v: use above 0", d.Dist, d.CV)
		}
	case "exponential", "constant":
	default:
		return fmt.Errorf("unknown dist %q: use exponential, constant, lognormal, gamma or empirical", d.Dist)
	}
	if !finite(d.Mean) || d.Mean < 0 || d.Mean > 1e9 {
		return fmt.Errorf("mean_s is %v: use 0 to 1e9", d.Mean)
	}
	return nil
}

func (d *Distribution) mean() float64 {
	if d.Dist != "empirical" {
		return d.Mean
	}
	var sum float64
	for _, v := range d.Values {
		sum += v
	}
	return sum / float64(len(d.Values))
}

// draw returns the next value.
func (d *Distribution) draw(rng *rand.Rand) float64 {
	switch d.Dist {
	case "exponential":
		return rng.ExpFloat64() * d.Mean
	case "lognormal":
		v := math.Log1p(d.CV * d.CV)
		return math.Exp(math.Log(d.Mean) - v/2 + math.Sqrt(v)*rng.NormFloat64())
	case "gamma":
		shape := 1 / (d.CV * d.CV)
		return gamma(rng, shape) * d.Mean / shape
	case "empirical":
		return d.Values[rng.IntN(len(d.Values))]
	}
	return d.Mean
}

// gamma draws with scale 1 by the method of Marsaglia and Tsang (2000).
func gamma(rng *rand.Rand, shape float64) float64 {
	boost := 1.0
	if shape < 1 {
		boost = math.Pow(rng.Float64(), 1/shape)
		shape++
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(rng.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return boost * d * v
		}
	}
}
