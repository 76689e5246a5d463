package simulate_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"ldapsync/testenv/mutate"
)

// broken are ways to break the merge or the view. Most are the same on every
// replica, so that they agree on what is wrong.
var broken = []struct{ name, file, function, instead string }{
	{"the older is before the newer", "stamp.go", "(*stamp).before", "if s == nil || o == nil { return s == nil && o != nil }; return o.csn.Before(s.csn)"},
	{"newest is the oldest", "stamp.go", "newest", "var min *stamp; for _, s := range stamps { if min == nil || s.before(min) { min = s } }; return min"},
	{"everybody knew everything", "stamp.go", "(*stamp).covers", "return true"},
	{"the last to arrive wins", "facts.go", "(*absorption).latest", "*s, a.changed = a.at, true; return"},
	{"removals are ignored", "facts.go", "(*absorption).delete", "return"},
	{"clears are ignored", "facts.go", "(*absorption).clear", "return"},
	{"moves make circles", "tree.go", "(*State).leads", "return false"},
	{"names go by id alone", "siblings.go", "(*State).nameSince", "return changelog.CSN{}"},
	{"names keep removed values", "rdn.go", "(*names).killer", "return nil"},
	{"nothing is repaired", "values.go", "(*State).repair", "return"},
	{"passwords of glue", "view.go", "(*State).strip", "return"},
	{"superiors are not looked at", "surgery.go", "(*State).touch", "found.add(e.id); return"},
}

// TestBrokenMerge promises that the histories tell a broken merge from a good
// one.
func TestBrokenMerge(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a test binary of its own")
	}
	bin := buildBroken(t)
	found := regexp.MustCompile(`(?s)step \d+: .*?run again: [^\n]*|panic: [^\n]*`)
	for i, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			run := exec.Command(bin, "-test.run", "^TestHistories$", "-histories", "1000", "-steps", "60", "-shrink=false")
			run.Env = append(os.Environ(), fmt.Sprintf("%s=%d", mutate.Variable, i+1))
			out, err := run.CombinedOutput()
			if err == nil {
				t.Errorf("1000 histories went well")
			} else if why := found.Find(out); why == nil {
				t.Errorf("%v: %s", err, out)
			} else {
				t.Logf("%s", bytes.TrimSpace(why))
			}
		})
	}
}

// buildBroken builds this test with all broken variants.
func buildBroken(t *testing.T) string {
	t.Helper()
	o := mutate.New(t.TempDir())
	sources := map[string][]byte{}
	for i, b := range broken {
		src := sources[b.file]
		if src == nil {
			var err error
			if src, err = os.ReadFile(filepath.Join("../dit", b.file)); err != nil {
				t.Fatal(err)
			}
		}
		src, err := mutate.Insert(b.file, src, b.function, fmt.Sprintf("if mutantIs(%d) { %s }", i+1, b.instead))
		if err != nil {
			t.Fatal(err)
		}
		sources[b.file] = src
	}
	for file, src := range sources {
		if err := o.Put(filepath.Join("../dit", file), src); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Support("../dit"); err != nil {
		t.Fatal(err)
	}
	bin, err := o.Build(".")
	if errors.Is(err, mutate.ErrNoGo) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
