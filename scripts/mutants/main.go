// Command mutants breaks every decision of the merge and of the view, one at a
// time, and lists those that no test and no history noticed.
//
// A decision of which it makes no difference how it is taken is written down, with the
// reason, in the file that -equivalent names; such are not tried unless -all is
// given. It exits with 1 when a mutant survives that is not written down, or when
// one is written down that does not exist or was found after all.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"ldapsync/testenv/mutate"
)

// decide are the files of package dit that decide what is kept and what is shown.
var decide = []string{
	"stamp.go", "facts.go", "merge.go", "life.go", "tree.go", "rdn.go", "values.go", "classes.go", "rules.go",
	"siblings.go", "surgery.go", "view.go", "records.go", "tally.go", "journal.go",
}

func main() {
	var (
		known     = flag.String("equivalent", "dit/testdata/equivalent-mutants.txt", "file of the mutants that make no difference")
		only      = flag.String("only", "", "regular expression of the mutants to try")
		all       = flag.Bool("all", false, "try those that make no difference too")
		list      = flag.Bool("list", false, "list the mutants and try none")
		jobs      = flag.Int("j", 2, "how many to try at the same time")
		histories = flag.Int("histories", 600, "histories that a mutant has to survive")
	)
	flag.Parse()
	r := &run{all: *all, jobs: *jobs, histories: *histories, out: os.Stdout}
	ok, err := r.run(*known, *only, *list)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func (r *run) run(known, only string, list bool) (bool, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return false, err
	}
	if r.reasons, err = readReasons(known); err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	overlay := mutate.New(dir)
	sites, err := rewrite(overlay, "dit", decide)
	if err != nil {
		return false, err
	}
	if list {
		for _, s := range sites {
			fmt.Fprintln(r.out, s.Key())
		}
		return true, nil
	}
	for _, pkg := range []string{"dit", "simulate"} {
		bin, err := overlay.Build("./" + pkg)
		if err != nil {
			return false, err
		}
		r.binaries = append(r.binaries, bin)
	}
	if s, tried := r.killer(mutate.Site{ID: -1}); s != "" {
		return false, fmt.Errorf("with nothing broken, %s fails: %s", s, tried)
	}
	r.try(sites, pattern)
	return r.finish(sites), nil
}

// rewrite puts mutants into some files of a folder, numbered from 1.
func rewrite(o *mutate.Overlay, folder string, files []string) (all []mutate.Site, err error) {
	for _, name := range files {
		path := filepath.Join(folder, name)
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		out, sites, err := mutate.Rewrite(name, src, len(all)+1)
		if err != nil {
			return nil, err
		}
		if err := o.Put(path, out); err != nil {
			return nil, err
		}
		all = append(all, sites...)
	}
	return all, o.Support(folder)
}

// try tries all mutants that match, several at a time.
func (r *run) try(sites []mutate.Site, pattern *regexp.Regexp) {
	queue := make(chan mutate.Site)
	var done sync.WaitGroup
	for range r.jobs {
		done.Go(func() {
			for s := range queue {
				r.one(s)
			}
		})
	}
	for _, s := range sites {
		if pattern.MatchString(s.Key()) && (r.all || r.reasons[s.Key()] == "") {
			queue <- s
		}
	}
	close(queue)
	done.Wait()
}
