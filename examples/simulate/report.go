package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Report is the result; README.md describes it.
type Report struct {
	Queues   []QueueReport `json:"queues"`
	Agents   []GroupReport `json:"agents"`
	Fairness Estimate      `json:"fairness"`

	series *measures
}

// QueueReport is of the arrivals that were counted.
type QueueReport struct {
	Name     string   `json:"name"`
	Arrivals int      `json:"arrivals"`
	PWait    Estimate `json:"p_wait"`
	MeanWait Estimate `json:"mean_wait_s"`
	PAbandon Estimate `json:"p_abandon"`
	POver    Estimate `json:"p_overflow"`
	Service  Estimate `json:"service_level"`
	Length   Estimate `json:"mean_queue"`
	P50      Estimate `json:"wait_p50_s"`
	P90      Estimate `json:"wait_p90_s"`
	P99      Estimate `json:"wait_p99_s"`
}

// GroupReport is the share of its capacity that a group held, and the shares
// of those of its agents who held the least and the most.
type GroupReport struct {
	Name      string   `json:"name"`
	Occupancy Estimate `json:"occupancy"`
	Least     Estimate `json:"least"`
	Most      Estimate `json:"most"`
}

// simulate runs the scenario.
func simulate(s Scenario, progress func(done, of int)) (Report, error) {
	sim, err := newSimulation(&s)
	if err != nil {
		return Report{}, err
	}
	if err := sim.run(progress); err != nil {
		return Report{}, err
	}
	return sim.m.report(), nil
}

func (m *measures) report() Report {
	r := Report{series: m, Fairness: meanOf(m.fairness)}
	spans := m.spans
	for i := range m.queues {
		q := &m.queues[i]
		arrivals := q.column(func(c *counts) float64 { return c.arrivals })
		accepted := q.column(func(c *counts) float64 { return c.arrivals - c.overflowed })
		out := QueueReport{Name: m.s.Queues[i].Name}
		for _, n := range arrivals {
			out.Arrivals += int(n)
		}
		out.PWait = ratio(q.column(func(c *counts) float64 { return c.waited }), accepted)
		out.MeanWait = ratio(q.column(func(c *counts) float64 { return c.wait }), accepted)
		out.PAbandon = ratio(q.column(func(c *counts) float64 { return c.abandoned }), accepted)
		out.POver = ratio(q.column(func(c *counts) float64 { return c.overflowed }), arrivals)
		out.Service = ratio(q.column(func(c *counts) float64 { return c.within }), arrivals)
		out.Length = ratio(q.areas[:len(spans)], spans)
		out.P50, out.P90, out.P99 = q.quantile(0.5), q.quantile(0.9), q.quantile(0.99)
		r.Queues = append(r.Queues, out)
	}
	next := 0
	for g := range m.groups {
		out := GroupReport{Name: m.s.Agents[g].Name}
		out.Occupancy = ratio(m.groups[g].areas[:len(spans)], times(spans, m.groups[g].units))
		out.Least, out.Most = m.extremes(next, next+m.s.Agents[g].Count)
		next += m.s.Agents[g].Count
		r.Agents = append(r.Agents, out)
	}
	return r
}

// extremes are the estimates of the agents, of those from up to to, who held
// the least and the most.
func (m *measures) extremes(from, to int) (least, most Estimate) {
	for i := from; i < to; i++ {
		e := m.people[i].estimate(len(m.spans))
		if i == from || e.Mean < least.Mean {
			least = e
		}
		if i == from || e.Mean > most.Mean {
			most = e
		}
	}
	return least, most
}

// Comparison is of two strategies on the same arrivals. Differences are the
// second minus the first, paired batch by batch.
type Comparison struct {
	Strategies  []string     `json:"strategies"`
	Reports     []Report     `json:"reports"`
	Differences []Difference `json:"differences"`
}

// Difference of a queue.
type Difference struct {
	Name     string   `json:"name"`
	MeanWait Estimate `json:"mean_wait_s"`
	Service  Estimate `json:"service_level"`
}

func compare(strategies []string, reports []Report) Comparison {
	c := Comparison{Strategies: strategies, Reports: reports}
	a, b := reports[0].series, reports[1].series
	for i := range a.queues {
		d := Difference{Name: a.s.Queues[i].Name}
		d.MeanWait = paired(&a.queues[i], &b.queues[i], func(c *counts) (float64, float64) { return c.wait, c.arrivals - c.overflowed })
		d.Service = paired(&a.queues[i], &b.queues[i], func(c *counts) (float64, float64) { return c.within, c.arrivals })
		c.Differences = append(c.Differences, d)
	}
	return c
}

func paired(a, b *queueMeasures, f func(*counts) (float64, float64)) Estimate {
	var diffs []float64
	for i := range a.counts {
		x, n := f(&a.counts[i])
		y, k := f(&b.counts[i])
		if n > 0 && k > 0 {
			diffs = append(diffs, y/k-x/n)
		}
	}
	return meanOf(diffs)
}

func (e Estimate) String() string { return fmt.Sprintf("%.4g ±%.2g", e.Mean, e.CI95) }

func (e Estimate) percent() string { return fmt.Sprintf("%.2f%% ±%.2g", 100*e.Mean, 100*e.CI95) }

// table writes the report for people.
func (r Report) table(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "queue\tarrivals\twaited\tmean wait s\tp50\tp90\tp99\tabandoned\toverflowed\tin target\twaiting\t")
	for _, q := range r.Queues {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%.4g\t%.4g\t%.4g\t%s\t%s\t%s\t%s\t\n", q.Name, q.Arrivals, q.PWait.percent(), q.MeanWait,
			q.P50.Mean, q.P90.Mean, q.P99.Mean, q.PAbandon.percent(), q.POver.percent(), q.Service.percent(), q.Length)
	}
	t.Flush()
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "agents\toccupancy\tthe least\tthe most\t")
	for _, g := range r.Agents {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", g.Name, g.Occupancy.percent(), g.Least.percent(), g.Most.percent())
	}
	t.Flush()
	fmt.Fprintf(w, "\nfairness %s (1 is even)\n", r.Fairness)
}

func (c Comparison) table(w io.Writer) {
	for i, r := range c.Reports {
		fmt.Fprintf(w, "%s\n\n", c.Strategies[i])
		r.table(w)
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%s minus %s, paired\n\n", c.Strategies[1], c.Strategies[0])
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "queue\tmean wait s\tin target\t")
	for _, d := range c.Differences {
		fmt.Fprintf(t, "%s\t%s\t%s\t\n", d.Name, d.MeanWait, d.Service.percent())
	}
	t.Flush()
}
