package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ldapsync/testenv/mutate"
)

// patience is how long a test may take; one that goes on for ever has noticed.
const patience = 3 * time.Minute

// maxMemory, in KiB, is where a mutant that does not end is ended.
const maxMemory = 6 << 20

// run is one run of the command.
type run struct {
	all             bool
	jobs, histories int
	out             io.Writer
	binaries        []string // of the tests of dit and of simulate
	// reasons says of which mutants it is known why they make no difference.
	reasons map[string]string

	mu        sync.Mutex
	tried     int
	survivors []mutate.Site
	found     []string // that had a reason
}

// readReasons reads lines of a mutant's key, a tab and a reason; empty lines and
// those that begin with # are comments.
func readReasons(path string) (map[string]string, error) {
	reasons := map[string]string{}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return reasons, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, reason, ok := strings.Cut(line, "\t")
		if !ok || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("%s:%d: no reason", path, n)
		}
		reasons[key] = reason
	}
	return reasons, lines.Err()
}

// stage is one way to notice a mutant, the quick ones first.
type stage struct {
	name   string
	binary int
	args   []string
}

func (r *run) stages() []stage {
	return []stage{
		{"scenarios", 0, []string{"-test.skip", "Random", "-test.short"}},
		{"random", 0, []string{"-test.run", "Random", "-test.short"}},
		{"histories", 1, []string{"-test.run", "^TestHistories$", "-histories", fmt.Sprint(r.histories), "-steps", "60", "-shrink=false"}},
	}
}

// killer returns the first stage that notices a mutant, and what it says; ""
// when none does.
func (r *run) killer(s mutate.Site) (name, output string) {
	for _, st := range r.stages() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		args := append([]string{"-c", fmt.Sprintf(`ulimit -v %d; exec "$0" "$@"`, maxMemory), r.binaries[st.binary], "-test.failfast"}, st.args...)
		cmd := exec.CommandContext(ctx, "sh", args...)
		cmd.Dir = []string{"dit", "simulate"}[st.binary]
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", mutate.Variable, s.ID), "GOMAXPROCS=1")
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			return st.name, string(out)
		}
	}
	return "", ""
}

func (r *run) one(s mutate.Site) {
	by, _ := r.killer(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried++
	reason := r.reasons[s.Key()]
	switch {
	case by == "" && reason == "":
		r.survivors = append(r.survivors, s)
		fmt.Fprintf(r.out, "SURVIVES %s (line %d)\n", s.Key(), s.Line)
	case by != "" && reason != "":
		r.found = append(r.found, s.Key())
		fmt.Fprintf(r.out, "FOUND by %s: %s\n", by, s.Key())
	case r.tried%50 == 0:
		fmt.Fprintf(r.out, "%d tried\n", r.tried)
	}
}

// finish prints what came of it and reports whether all is explained.
func (r *run) finish(sites []mutate.Site) bool {
	exists := map[string]bool{}
	for _, s := range sites {
		exists[s.Key()] = true
	}
	stale := 0
	for _, key := range slices.Sorted(maps.Keys(r.reasons)) {
		if !exists[key] {
			stale++
			fmt.Fprintf(r.out, "NO SUCH MUTANT: %s\n", key)
		}
	}
	fmt.Fprintf(r.out, "%d mutants in %s, %d tried, %d make no difference, %d survive unexplained\n",
		len(sites), filepath.Dir("dit/x"), r.tried, len(r.reasons)-stale, len(r.survivors))
	return len(r.survivors)+len(r.found)+stale == 0
}
