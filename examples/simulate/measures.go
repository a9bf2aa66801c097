package main

import (
	"math"
	"slices"
)

// batches is the number of batch means that an interval rests on. Their size
// is the same number of arrivals; quantiles of Student's t are for batches-1.
const (
	batches = 30
	t95     = 2.0452
	t999    = 3.6594
)

// Estimate is a mean with half the width of its 95 % interval.
type Estimate struct {
	Mean float64 `json:"mean"`
	CI95 float64 `json:"ci95"`
}

// measures counts, batch by batch.
type measures struct {
	s        *Scenario
	queues   []queueMeasures
	groups   []groupMeasures
	agents   []area  // in units held
	people   []share // of each agent
	capacity []float64
	fairness []float64
	from     int64 // start of the running batch; -1 before the first
	batch    int
	closed   int
	spans    []float64 // seconds
}

type queueMeasures struct {
	counts [batches]counts
	waits  [batches]histogram
	length area
	areas  [batches]float64
}

type groupMeasures struct {
	units float64
	areas [batches]float64
}

// counts are of the counted arrivals of one batch.
type counts struct {
	arrivals, overflowed, waited, abandoned, within float64
	wait                                            float64 // seconds
}

// share gathers the shares of the capacity that one agent held in each batch:
// their sum and the sum of their squares.
type share struct{ sum, squares float64 }

func (s *share) add(x float64) {
	s.sum += x
	s.squares += x * x
}

// estimate is of n batches, which weigh alike.
func (s *share) estimate(n int) Estimate {
	if n < 2 {
		return Estimate{Mean: s.sum}
	}
	mean := s.sum / float64(n)
	variance := max(0, s.squares-mean*s.sum) / float64(n-1)
	return Estimate{mean, t95 * math.Sqrt(variance/float64(n))}
}

// area is the integral of a step function over time, in value × seconds.
type area struct {
	value float64
	at    int64
	sum   float64
}

func (a *area) set(now int64, v float64) {
	a.sum += a.value * float64(now-a.at) / 1e9
	a.at, a.value = now, v
}

func newMeasures(s *Scenario, agents []simAgent) *measures {
	m := &measures{
		s: s, queues: make([]queueMeasures, len(s.Queues)), groups: make([]groupMeasures, len(s.Agents)),
		agents: make([]area, len(agents)), people: make([]share, len(agents)), from: -1,
	}
	for _, a := range agents {
		units := float64(s.Agents[a.group].Capacity)
		m.capacity = append(m.capacity, units)
		m.groups[a.group].units += units
	}
	return m
}

// tick tells that arrival n comes now; it begins and ends batches.
func (m *measures) tick(now int64, n int) {
	if n < m.s.Warmup || m.closed == batches {
		return
	}
	if m.from < 0 {
		m.reset(now)
		return
	}
	if n >= m.s.Arrivals || m.batchOf(n) != m.batch {
		m.close(now)
		m.batch++
	}
}

func (m *measures) batchOf(n int) int {
	return int(int64(n-m.s.Warmup) * batches / int64(m.s.Arrivals-m.s.Warmup))
}

// reset begins a batch.
func (m *measures) reset(now int64) {
	m.from = now
	for i := range m.queues {
		m.queues[i].length.set(now, m.queues[i].length.value)
		m.queues[i].length.sum = 0
	}
	for i := range m.agents {
		m.agents[i].set(now, m.agents[i].value)
		m.agents[i].sum = 0
	}
}

// close ends the running batch.
func (m *measures) close(now int64) {
	if m.closed == batches || m.from < 0 {
		return
	}
	span := float64(now-m.from) / 1e9
	for i := range m.queues {
		q := &m.queues[i]
		q.length.set(now, q.length.value)
		q.areas[m.closed] = q.length.sum
	}
	var sum, squares float64
	next := 0
	for g := range m.groups {
		for range m.s.Agents[g].Count {
			a := &m.agents[next]
			a.set(now, a.value)
			m.groups[g].areas[m.closed] += a.sum
			x := a.sum / m.capacity[next]
			sum += x
			squares += x * x
			m.people[next].add(x / span)
			next++
		}
	}
	if squares > 0 {
		m.fairness = append(m.fairness, sum*sum/squares/float64(len(m.agents)))
	}
	m.spans = append(m.spans, span)
	m.closed++
	m.reset(now)
}

func (m *measures) arrived(q int32, n int) { m.queues[q].counts[m.batchOf(n)].arrivals++ }

func (m *measures) queue(now int64, q int32, waiting int) {
	m.queues[q].length.set(now, float64(waiting))
}

func (m *measures) load(now int64, agent, group int32, units int) {
	a := &m.agents[agent]
	a.set(now, a.value+float64(units))
}

func (m *measures) assigned(it simItem, wait int64) {
	if !it.counted {
		return
	}
	c := m.waited(it, wait)
	if float64(wait)/1e9 <= m.s.Target {
		c.within++
	}
}

func (m *measures) abandoned(it simItem, wait int64) {
	if it.counted {
		m.waited(it, wait).abandoned++
	}
}

func (m *measures) waited(it simItem, wait int64) *counts {
	b := m.batchOf(it.number)
	c := &m.queues[it.queue].counts[b]
	seconds := float64(wait) / 1e9
	c.wait += seconds
	if wait > 0 {
		c.waited++
	}
	m.queues[it.queue].waits[b].add(seconds)
	return c
}

func (m *measures) overflowed(it simItem) {
	if it.counted {
		m.queues[it.queue].counts[m.batchOf(it.number)].overflowed++
	}
}

// ratio estimates the sum of x over the sum of y: the mean is over everything,
// the interval from the batches' own ratios.
func ratio(x, y []float64) Estimate {
	var sumX, sumY float64
	var own []float64
	for i := range x {
		sumX += x[i]
		sumY += y[i]
		if y[i] > 0 {
			own = append(own, x[i]/y[i])
		}
	}
	if sumY == 0 {
		return Estimate{}
	}
	return Estimate{sumX / sumY, halfWidth(own)}
}

// halfWidth of the 95 % interval of the mean of independent values.
func halfWidth(values []float64) float64 {
	n := float64(len(values))
	if n < 2 {
		return 0
	}
	var mean, squares float64
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return t95 * math.Sqrt(squares/(n-1)/n)
}

func meanOf(values []float64) Estimate {
	ones := make([]float64, len(values))
	for i := range ones {
		ones[i] = 1
	}
	return ratio(values, ones)
}

// histogram counts waits in buckets that are half a per cent wide; waits of 0
// are apart.
type histogram struct {
	zero, n uint64
	buckets []uint32
}

const (
	bucketWidth = 0.005   // of the logarithm
	smallest    = 1e-3    // seconds
	maxBuckets  = 1 << 13 // beyond the age of any queue
)

func (h *histogram) add(seconds float64) {
	h.n++
	if seconds < smallest {
		h.zero++
		return
	}
	b := min(int(math.Log(seconds/smallest)/bucketWidth), maxBuckets-1)
	if b >= len(h.buckets) {
		h.buckets = append(h.buckets, make([]uint32, b+1-len(h.buckets))...)
	}
	h.buckets[b]++
}

func (h *histogram) merge(o *histogram) {
	h.n += o.n
	h.zero += o.zero
	if len(o.buckets) > len(h.buckets) {
		h.buckets = append(h.buckets, make([]uint32, len(o.buckets)-len(h.buckets))...)
	}
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
}

// quantile returns the middle of the bucket in which it lies.
func (h *histogram) quantile(p float64) float64 {
	rank := uint64(math.Ceil(p * float64(h.n)))
	seen := h.zero
	if rank <= seen {
		return 0
	}
	for i, n := range h.buckets {
		if seen += uint64(n); seen >= rank {
			return smallest * math.Exp((float64(i)+0.5)*bucketWidth)
		}
	}
	return 0
}

func (q *queueMeasures) quantile(p float64) Estimate {
	var all histogram
	var own []float64
	for b := range q.waits {
		if q.waits[b].n > 0 {
			all.merge(&q.waits[b])
			own = append(own, q.waits[b].quantile(p))
		}
	}
	return Estimate{all.quantile(p), halfWidth(own)}
}

// column takes one figure of every batch.
func (q *queueMeasures) column(f func(*counts) float64) []float64 {
	out := make([]float64, batches)
	for b := range q.counts {
		out[b] = f(&q.counts[b])
	}
	return out
}

func times(values []float64, by float64) []float64 {
	out := slices.Clone(values)
	for i := range out {
		out[i] *= by
	}
	return out
}
