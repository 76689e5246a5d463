package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ldapsync/config"
	"ldapsync/control"
	"ldapsync/testenv/cluster"
)

// Exit codes.
const (
	exitOK        = 0
	exitFailed    = 1
	exitUsage     = 2
	exitDiffer    = 3
	exitConflicts = 4
)

// openConflicts says, without a message, that there are conflicts.
type openConflicts struct{}

func (openConflicts) Error() string { return "there are conflicts" }

// ExitCode implements what exitCode asks for.
func (openConflicts) ExitCode() int { return exitConflicts }

// usageError is a command line that makes no sense.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }

// Hint returns the way to the right one.
func (e *usageError) Hint() string { return e.hint }

// misused makes what cobra says of flags and arguments a usageError.
func misused(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return inCommand(c, &usageError{text: err.Error(), hint: c.CommandPath() + " --help"})
}

// errInterrupted is what a command says that was ended from outside.
var errInterrupted = errors.New("interrupted")

// failed names the command in its error.
func failed(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) && c.Context().Err() != nil {
		err = errInterrupted
	}
	return inCommand(c, err)
}

func inCommand(c *cobra.Command, err error) error {
	name := strings.TrimPrefix(c.CommandPath(), c.Root().Name())
	if name == "" {
		return err
	}
	return fmt.Errorf("%s: %w", name[1:], err)
}

// report prints err as one line, or one for each problem of the settings, every
// one followed by its hint, and returns the exit code.
func report(w io.Writer, err error) int {
	var ce *config.Error
	var bf badFiles
	var open openConflicts
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &open):
		return exitConflicts
	case errors.As(err, &bf):
		for line := range strings.Lines(bf.Error()) {
			printError(w, line, "")
		}
		return exitUsage
	case errors.As(err, &ce):
		for _, p := range ce.Problems {
			printError(w, p.String(), p.Hint)
		}
		return exitUsage
	}
	printError(w, err.Error(), hintOf(err))
	return exitCode(err)
}

func printError(w io.Writer, text, hint string) {
	fmt.Fprintln(w, "ldapsync: "+oneLine(text))
	if hint != "" {
		fmt.Fprintln(w, "hint: "+oneLine(hint))
	}
}

func oneLine(s string) string {
	return printable(strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "))
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// exitCode asks the error itself (ExitCode() int) and else its kind.
func exitCode(err error) int {
	var own interface{ ExitCode() int }
	var ue *usageError
	var ce *control.Error
	var used *cluster.UsedError
	switch {
	case errors.As(err, &own):
		return own.ExitCode()
	case errors.As(err, &ue), errors.As(err, &used), errors.As(err, &ce) && ce.Code == control.CodeRequest:
		return exitUsage
	}
	return exitFailed
}
