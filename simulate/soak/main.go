// Command soak runs very many random histories of package simulate on all
// processors. It can be stopped at any time and goes on where it was. A history that
// ends badly is shortened and printed, and the others go on; when all are done, or
// too many ended so, those are listed, and the command exits with 1.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"ldapsync/simulate"
	"ldapsync/simulate/series"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command returns the exit code: 1 for histories that failed, 2 for everything
// else that went wrong, 130 when it was interrupted.
func command(ctx context.Context, args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(errOut)
	s := &soak{chunk: 200, out: out, now: time.Now, run: simulate.Run}
	flags.Uint64Var(&s.series.First, "seed", 1, "seed of the first history")
	flags.IntVar(&s.series.Steps, "steps", 200, "steps of a history")
	flags.IntVar(&s.series.Every, "every", 0, "look at every state that has changed after so many steps (default once in a history)")
	flags.IntVar(&s.number, "histories", 1_000_000, "number of histories")
	flags.IntVar(&s.patience, "patience", 20, "give up when so many histories have ended badly")
	flags.IntVar(&s.workers, "workers", runtime.GOMAXPROCS(0), "histories to run at the same time")
	flags.StringVar(&s.dir, "dir", defaultDir(), "where to keep the progress, in a file for each seed, steps, every and program")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if s.number < 1 || s.patience < 1 || s.series.Steps < 0 || s.series.Every < 0 || flags.NArg() > 0 {
		fmt.Fprintln(errOut, "soak: there must be at least one history, patience for one, no negative number, and no further arguments")
		return 2
	}
	series.LetGarbageLie()
	err := s.identify()
	if err == nil {
		err = s.do(ctx)
	}
	return s.exit(err, errOut)
}

// exit tells of an error and returns the exit code for it.
func (s *soak) exit(err error, errOut io.Writer) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		fmt.Fprintln(errOut, "soak:", err)
		return 1
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(errOut, "soak: interrupted; run it again to go on")
		return 130
	}
	fmt.Fprintln(errOut, "soak:", err)
	return 2
}

// identify sets the program to a digest of this executable.
func (s *soak) identify() error {
	name, err := os.Executable()
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	s.program = hex.EncodeToString(h.Sum(nil)[:8])
	return nil
}

func defaultDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = "bin"
	}
	return filepath.Join(cache, "ldapsync")
}
