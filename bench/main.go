// Command bench measures, side by side in one run, ldapsync and OpenLDAP's own
// plain multi-provider replication between two slapds: the initial copy of a
// directory, and the lag of single writes. Absolute figures are the machine's;
// look at the ratios.
//
//	go run ./bench [-entries 10000] [-writes 300] [-nosync]
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"ldapsync/testenv/openldap"
)

const suffix = "dc=example,dc=org"

type options struct {
	entries, writes int
	noSync          bool
	dir             string
}

// figures are what one way of replicating came to.
type figures struct {
	name string
	// copied is how long the initial copy took.
	copied time.Duration
	// lags are from the acknowledgement of a write at one server to its
	// appearance at the other, sorted.
	lags []time.Duration
	// memory describes what the replicating processes use.
	memory string
}

func (f figures) lag(percent int) time.Duration { return f.lags[(len(f.lags)-1)*percent/100] }

func main() {
	var o options
	flag.IntVar(&o.entries, "entries", 10_000, "entries of the initial copy")
	flag.IntVar(&o.writes, "writes", 300, "single writes for the lag")
	flag.BoolVar(&o.noSync, "nosync", false, "slapds that do not wait for the disk")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	dir, err := os.MkdirTemp("", "ldapsync-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.dir = dir
	exe := filepath.Join(dir, "ldapsync")
	if out, err := exec.Command("go", "build", "-o", exe, "ldapsync/cmd/ldapsync").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	native, err := native(o)
	if err != nil {
		return fmt.Errorf("native replication: %w", err)
	}
	ours, err := ours(o, exe)
	if err != nil {
		return fmt.Errorf("ldapsync: %w", err)
	}
	report(o, native, ours)
	return nil
}

func report(o options, native, ours figures) {
	fmt.Printf("%-12s %14s %12s %12s  %s\n", "", "initial copy", "lag p50", "lag p99", "memory")
	for _, f := range []figures{native, ours} {
		rate := float64(o.entries) / f.copied.Seconds()
		fmt.Printf("%-12s %8.0f ent/s %12s %12s  %s\n", f.name, rate,
			f.lag(50).Round(10*time.Microsecond), f.lag(99).Round(10*time.Microsecond), f.memory)
	}
	fmt.Printf("%-12s %14.2f %12.2f %12.2f\n", "ratio", native.copied.Seconds()/ours.copied.Seconds(),
		ratio(ours.lag(50), native.lag(50)), ratio(ours.lag(99), native.lag(99)))
	fmt.Println("(ratio: initial copy, ldapsync's rate by the native one; lag, ldapsync's time by the native one)")
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// load fills a server through ldapadd.
func load(s *openldap.Server, entries int) error {
	groups := groupsOf(entries)
	people := entries - groups - openldap.SampleEntries(0, 0)
	_, err := s.LDAPAdd(openldap.SampleLDIF(suffix, people, groups))
	return err
}

// groupsOf is the number of groups among entries.
func groupsOf(entries int) int { return entries / 100 }

// native measures two slapds that replicate by themselves.
func native(o options) (f figures, err error) {
	f.name = "slapd"
	var servers [2]*openldap.Server
	for i := range servers {
		sub := filepath.Join(o.dir, fmt.Sprintf("native%d", i))
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return f, err
		}
		servers[i], err = openldap.Start(sub, openldap.Options{Suffix: suffix, SID: i + 1, NoSync: o.noSync, SessionLog: 100_000})
		if err != nil {
			return f, err
		}
		defer servers[i].Close()
	}
	a, b := servers[0], servers[1]
	if err := load(a, o.entries); err != nil {
		return f, err
	}
	if err := a.SyncFrom(b); err != nil {
		return f, err
	}
	began := time.Now()
	if err := b.SyncFrom(a); err != nil {
		return f, err
	}
	if err := awaitEntries(b, o.entries); err != nil {
		return f, err
	}
	f.copied = time.Since(began)
	f.memory = "slapds " + memory(a.Pid()) + ", " + memory(b.Pid())
	f.lags, err = lags(a, b, o.writes)
	slices.Sort(f.lags)
	return f, err
}
