// Command testreport reads the output of go test -json and prints what a person
// wants of it: a line for each package, the output of the tests that fail, and
// the tests that were skipped. It exits with 1 when something failed, and with
// the variable CI set also when something was skipped.
package main

import (
	"fmt"
	"os"
)

func main() {
	r := newReport(os.Stdout)
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	if !r.finish(os.Getenv("CI") != "") {
		os.Exit(1)
	}
}
