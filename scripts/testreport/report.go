package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxOutput is how many bytes of a test's output are kept, the last ones.
const maxOutput = 256 << 10

// event is what go test -json prints; see go doc test2json.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// report is what was read so far.
type report struct {
	out io.Writer
	// output holds what the running tests print, by package and test.
	output  map[[2]string]string
	skipped []string
	// failed and packages count packages.
	failed, packages, tests int
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[[2]string]string{}}
}

// read reads events to the end. A line that is none is printed as it is.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if line != "" && (!strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil) {
			fmt.Fprint(r.out, line)
		} else if line != "" {
			r.add(e)
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (r *report) add(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.addOutput(key, e.Output)
	case "pass", "fail", "skip":
		r.end(key, e.Action)
	}
}

// addOutput prints the closing line of a package at once and keeps the rest
// until it is known whether the test fails.
func (r *report) addOutput(key [2]string, text string) {
	if key[1] == "" && isClosing(text) {
		fmt.Fprint(r.out, text)
		return
	}
	kept := r.output[key] + text
	r.output[key] = kept[max(len(kept)-maxOutput, 0):]
}

func isClosing(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t") ||
		strings.HasPrefix(line, "?   \t") || strings.HasPrefix(line, "\t")
}

func (r *report) end(key [2]string, action string) {
	output := r.output[key]
	delete(r.output, key)
	switch {
	case action == "fail":
		fmt.Fprint(r.out, output)
	case action == "skip" && key[1] != "":
		r.skipped = append(r.skipped, fmt.Sprintf("%s %s: %s", key[0], key[1], reason(output)))
	}
	if key[1] != "" {
		r.tests++
		return
	}
	r.packages++
	if action == "fail" {
		r.failed++
	}
}

// reason returns what a skipped test says, in one line.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}

// finish prints the sum and reports whether all is well.
func (r *report) finish(strict bool) bool {
	for key, output := range r.output {
		if key[1] != "" {
			fmt.Fprintf(r.out, "unfinished: %s %s\n%s", key[0], key[1], output)
		}
	}
	for _, s := range r.skipped {
		fmt.Fprintln(r.out, "skipped:", s)
	}
	fmt.Fprintf(r.out, "%d packages, %d failed; %d tests, %d skipped\n", r.packages, r.failed, r.tests, len(r.skipped))
	if strict && len(r.skipped) > 0 {
		fmt.Fprintln(r.out, "skipped tests are failures here")
		return false
	}
	return r.failed == 0 && r.packages > 0
}
