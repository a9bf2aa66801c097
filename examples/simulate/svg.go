package main

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// svg draws mean wait of each queue and occupancy of each group over time: a
// point a batch.
func (r Report) svg(w io.Writer) error {
	m := r.series
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 620" font-family="sans-serif" font-size="12">` + "\n")
	b.WriteString(`<rect width="900" height="620" fill="white"/>` + "\n")
	var waits, held [][]float64
	var queues, groups []string
	for i := range m.queues {
		var line []float64
		for j := range len(m.spans) {
			c := &m.queues[i].counts[j]
			line = append(line, c.wait/max(1, c.arrivals-c.overflowed))
		}
		waits, queues = append(waits, line), append(queues, m.s.Queues[i].Name)
	}
	for g := range m.groups {
		var line []float64
		for j, span := range m.spans {
			line = append(line, m.groups[g].areas[j]/max(1e-9, span*m.groups[g].units))
		}
		held, groups = append(held, line), append(groups, m.s.Agents[g].Name)
	}
	chart(&b, 20, "mean wait, seconds", waits, queues, m.spans)
	chart(&b, 320, "occupancy", held, groups, m.spans)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

var colours = []string{"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f"}

// chart draws lines into a box of 800 × 240 at the given height.
func chart(b *strings.Builder, top int, title string, lines [][]float64, names []string, spans []float64) {
	var most, total float64
	for _, l := range lines {
		for _, v := range l {
			most = max(most, v)
		}
	}
	if most == 0 {
		most = 1
	}
	for _, s := range spans {
		total += s
	}
	fmt.Fprintf(b, `<text x="60" y="%d">%s</text><rect x="60" y="%d" width="640" height="220" fill="none" stroke="#888"/>`+"\n", top+12,
		title, top+20)
	for i := range 5 {
		y := float64(top+240) - 220*float64(i)/4
		fmt.Fprintf(b, `<text x="55" y="%.1f" text-anchor="end">%.3g</text><line x1="60" x2="700" y1="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n",
			y+4, most*float64(i)/4, y, y)
	}
	fmt.Fprintf(b, `<text x="60" y="%d">0</text><text x="700" y="%d" text-anchor="end">%.4g h</text>`+"\n", top+256, top+256, total/3600)
	for i, l := range lines {
		colour := colours[i%len(colours)]
		var points strings.Builder
		var at float64
		for j, v := range l {
			mid := at + spans[j]/2
			at += spans[j]
			fmt.Fprintf(&points, "%.1f,%.1f ", 60+640*mid/max(total, 1e-9), float64(top+240)-220*v/most)
		}
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`+"\n", colour,
			strings.TrimSpace(points.String()))
		fmt.Fprintf(b, `<text x="710" y="%d" fill="%s">%s</text>`+"\n", top+32+16*i, colour, html.EscapeString(names[i]))
	}
}
