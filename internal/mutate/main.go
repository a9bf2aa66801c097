// Command mutate breaks the program on purpose, one small change at a time,
// and requires that tests notice: a rule whose loss turns nothing red is a rule
// that the next change may lose.
//
//	go run ./internal/mutate             all mutations
//	go run ./internal/mutate -only claim those with the word in their name
//	go run ./internal/mutate -list       their names and tests
//
// Each mutation replaces one passage of one file in a temporary copy, which the
// compiler takes instead of the file; the tree itself is never touched. A
// mutation survives when every named test passes all the same. It is an error
// too when its passage is not there exactly once, when it does not compile and
// when no test of the name runs. Survivors and errors make the exit code 1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// mutation is one change and the tests that must go red.
type mutation struct {
	name     string
	file     string
	old, new string // of the file's text
	pkg      string // where the tests are, as the go tool names it
	tests    string // for -run
}

// verdict of one mutation.
type verdict string

const (
	noticed  verdict = "noticed"
	survived verdict = "SURVIVED"
	broken   verdict = "BROKEN"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("mutate", flag.ContinueOnError)
	set.SetOutput(stderr)
	only := set.String("only", "", "`part` of the names to run")
	list := set.Bool("list", false, "print the mutations and run none")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	bad, ran := 0, 0
	for _, m := range mutations {
		if !strings.Contains(m.name, *only) {
			continue
		}
		ran++
		if *list {
			fmt.Fprintf(stdout, "%-60s %s %s\n", m.name, m.pkg, m.tests)
			continue
		}
		begun := time.Now()
		v, why := m.try(ctx, root)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if v != noticed {
			bad++
		}
		fmt.Fprintf(stdout, "%-8s %-60s %4.0fs %s\n", v, m.name, time.Since(begun).Seconds(), why)
	}
	switch {
	case ran == 0:
		return fmt.Errorf("no mutation has %q in its name", *only)
	case bad > 0:
		return fmt.Errorf("%d of %d mutations were not noticed or are broken", bad, ran)
	}
	return nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// mutated is the file's text with the change made.
func (m mutation) mutated(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("the passage is in %s %d times, not once", m.file, n)
	}
	return strings.Replace(string(text), m.old, m.new, 1), nil
}

// try applies the mutation and runs its tests.
func (m mutation) try(ctx context.Context, root string) (v verdict, why string) {
	text, err := m.mutated(root)
	if err != nil {
		return broken, err.Error()
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return broken, err.Error()
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	instead, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, m.file): instead}})
	if err != nil {
		return broken, err.Error()
	}
	if err := errors.Join(os.WriteFile(instead, []byte(text), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return broken, err.Error()
	}
	// First the short form, in which replays run in memory alone: what a mutation
	// breaks is mostly no store's. A test that the short form leaves out is run whole.
	for _, form := range []string{"-short", "-short=false"} {
		cmd := exec.CommandContext(ctx, "go", "test", "-v", "-overlay", overlay, "-vet=off", form, "-timeout", "10m",
			"-run", m.tests, m.pkg)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		v, why = judge(string(out), err == nil)
		if v == broken && err != nil {
			why += " (" + err.Error() + ")"
		}
		if why != leftOut {
			break
		}
	}
	return v, why
}

// leftOut is said of tests that are skipped: what passes so has proved nothing.
const leftOut = "its test is skipped"

// judge tells a test that failed from one that never ran.
func judge(out string, passed bool) (v verdict, why string) {
	failed := ""
	for line := range strings.Lines(out) {
		if name, is := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); is && failed == "" {
			failed, _, _ = strings.Cut(name, " ")
		}
	}
	switch {
	case strings.Contains(out, "no tests to run"):
		return broken, "no test of that name runs"
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		return broken, "it does not compile: " + strings.Join(strings.Fields(out[:min(len(out), 300)]), " ")
	case passed && (strings.HasPrefix(out, "--- SKIP: ") || strings.Contains(out, "\n--- SKIP: ")):
		return broken, leftOut
	case passed:
		return survived, ""
	case failed != "":
		return noticed, failed
	case strings.Contains(out, "panic:"), strings.Contains(out, "fatal error:"):
		return noticed, "the tests' process ended"
	}
	return broken, "the go tool failed: " + strings.Join(strings.Fields(out[:min(len(out), 300)]), " ")
}
