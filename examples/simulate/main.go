// Simulate answers staffing questions with the routing package's own Board and
// virtual time: how long customers wait, how busy agents are, what another
// strategy would change. README.md describes scenario and result.
//
//	go run ./examples/simulate < scenario.json
//	go run ./examples/simulate -scenario scenario.json -json
//	go run ./examples/simulate -scenario scenario.json -compare longest_idle,round_robin
//	go run ./examples/simulate -scenario scenario.json -svg waits.svg
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "simulate:", err)
		}
		os.Exit(2)
	}
}

func run(args []string, in io.Reader, out, notes io.Writer) error {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	flags.SetOutput(notes)
	file := flags.String("scenario", "", "read the scenario from `FILE` instead of standard input")
	asJSON := flags.Bool("json", false, "write JSON instead of a table")
	two := flags.String("compare", "", "run two strategies, `A,B`, on the same arrivals")
	svg := flags.String("svg", "", "draw waits and occupancy over time into `FILE`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *file != "" {
		f, err := os.Open(*file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	scenario, err := readScenario(in)
	if err != nil {
		return err
	}
	var progress func(done, of int)
	if !*asJSON {
		progress = bar(notes)
	}
	if *two == "" {
		report, err := simulate(scenario, progress)
		if err != nil {
			return err
		}
		return write(report, report, *asJSON, *svg, out)
	}
	strategies := strings.Split(*two, ",")
	if len(strategies) != 2 {
		return fmt.Errorf("-compare takes two strategies, A,B; it got %q", *two)
	}
	var reports []Report
	for _, name := range strategies {
		scenario.Strategy = name
		report, err := simulate(scenario, progress)
		if err != nil {
			return err
		}
		reports = append(reports, report)
	}
	return write(compare(strategies, reports), reports[1], *asJSON, *svg, out)
}

// write puts the result out, and draws what is to be drawn.
func write(result interface{ table(io.Writer) }, drawn Report, asJSON bool, svg string, out io.Writer) error {
	if svg != "" {
		f, err := os.Create(svg)
		if err != nil {
			return err
		}
		if err := errors.Join(drawn.svg(f), f.Close()); err != nil {
			return err
		}
	}
	if !asJSON {
		result.table(out)
		return nil
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(result)
}

// bar draws how far the run is.
func bar(w io.Writer) func(done, of int) {
	last := -1
	return func(done, of int) {
		done = min(done, of)
		percent := int(int64(done) * 100 / int64(of))
		if percent == last {
			return
		}
		last = percent
		fmt.Fprintf(w, "\r[%-50s] %3d%%", strings.Repeat("#", percent/2), percent)
		if percent == 100 {
			fmt.Fprintln(w)
		}
	}
}
