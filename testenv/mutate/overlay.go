// Package mutate builds test binaries of deliberately broken code: copies of
// source files, rewritten at test time, stand in for the originals by way of go
// build's -overlay. One binary holds many mutants; the variable MUTANT chooses
// the one that is broken in a process. Nothing in the tree is changed.
package mutate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Variable is the environment variable with the number of the mutant. Without
// it nothing is broken.
const Variable = "MUTANT"

// ErrNoGo: there is no go command to build with.
var ErrNoGo = errors.New("no go command")

// support is the file that a package with mutants gets besides.
const support = `package %s

import (
	"cmp"
	"os"
	"strconv"
)

var mutant = func() int { n, _ := strconv.Atoi(os.Getenv("` + Variable + `")); return n }()

// mutantIs reports whether mutant i is chosen.
func mutantIs(i int) bool { return mutant == i }

// mutantBool is v, or the contrary.
func mutantBool(i int, v bool) bool { return v != (mutant == i) }

// mutantInt is v, or the contrary.
func mutantInt(i, v int) int {
	if mutant == i {
		return -v
	}
	return v
}

// mutantEdge is a op b, or differs from it where a and b are equal.
func mutantEdge[T cmp.Ordered](i int, a, b T, op string) bool {
	if mutant == i && a == b {
		return op == "<" || op == ">"
	}
	switch op {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	}
	return a >= b
}
`

// Overlay is what stands in for the files of a tree.
type Overlay struct {
	// Dir is where the copies and the binaries go.
	Dir     string
	replace map[string]string
}

// New returns an empty overlay that keeps its files in dir.
func New(dir string) *Overlay { return &Overlay{Dir: dir, replace: map[string]string{}} }

// Put lets content stand in for the file at path.
func (o *Overlay) Put(path string, content []byte) error {
	full, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	name := filepath.Join(o.Dir, fmt.Sprintf("%d-%s", len(o.replace), filepath.Base(path)))
	o.replace[full] = name
	return os.WriteFile(name, content, 0o644)
}

// Support gives the package in a folder what its mutants need.
func (o *Overlay) Support(folder string) error {
	return o.Put(filepath.Join(folder, "mutant_support.go"), fmt.Appendf(nil, support, filepath.Base(folder)))
}

// Build compiles the tests of a package, and returns the path of the binary.
func (o *Overlay) Build(pkg string) (string, error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoGo, err)
	}
	list, err := json.Marshal(map[string]any{"Replace": o.replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(o.Dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o644); err != nil {
		return "", err
	}
	binary := filepath.Join(o.Dir, filepath.Base(pkg)+".test")
	if out, err := exec.Command(tool, "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, pkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the tests of %s: %w\n%s", pkg, err, out)
	}
	return binary, nil
}
