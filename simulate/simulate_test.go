package simulate_test

import (
	"errors"
	"flag"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldapsync/simulate"
	"ldapsync/simulate/series"
)

var (
	seed      = flag.Uint64("seed", 1, "seed of the history to replay, or of the first of the histories")
	profile   = flag.String("profile", "mixed", "profile of the history to replay, or of all histories (default each in turn)")
	steps     = flag.Int("steps", 60, "steps of a history to replay, or of all histories (default those of each lane)")
	keep      = flag.String("keep", "", "steps to make, separated by commas (default all)")
	every     = flag.Int("every", 0, "look at every state that has changed after so many steps, 0 for once in a history (default that of each lane)")
	histories = flag.Int("histories", 1000, "number of histories, in lanes that of the first")
	shrink    = flag.Bool("shrink", true, "shorten a history that fails")
)

// TestMain lets more garbage lie: a history holds little and leaves much.
func TestMain(m *testing.M) {
	series.LetGarbageLie()
	os.Exit(m.Run())
}

// lane is a kind of histories, of which there is one in oneIn of those of the first.
type lane struct {
	profiles            []simulate.Profile
	steps, oneIn, every int
}

// lanes are short histories of what clients do, of some sixty operations each, long
// ones in which all else happens, too, and some of all profiles in which every state is
// looked at in full whenever it has changed.
var lanes = []lane{
	{[]simulate.Profile{simulate.Tree, simulate.Attributes, simulate.Names, simulate.Life, simulate.Mixed}, 30, 1, 0},
	{[]simulate.Profile{simulate.Classes, simulate.Members, simulate.Calm, simulate.Ages, simulate.Mixed}, 80, 3, 0},
	{simulate.Profiles, 50, 20, 1},
}

// TestHistories runs histories on all processors.
func TestHistories(t *testing.T) {
	run := lanes
	if flagGiven("steps") || flagGiven("profile") {
		run = []lane{{simulate.Profiles, *steps, 1, 0}}
	}
	if flagGiven("profile") {
		run[0].profiles = []simulate.Profile{simulate.Profile(*profile)}
	}
	var all simulate.Stats
	for _, l := range run {
		all.Add(l.run(t))
	}
	t.Logf("%+v", all)
	if missing := all.Uncovered(); !t.Failed() && !flagGiven("profile") && len(missing) > 0 {
		t.Errorf("the histories did not reach enough: %s", strings.Join(missing, ", "))
	}
}

// TestEveryStepIsLookedAt: the histories of every profile are among those in which
// whole states are looked at after every step, and there every server's is that the
// step has changed, whomever it was about.
func TestEveryStepIsLookedAt(t *testing.T) {
	for _, p := range simulate.Profiles {
		if !slices.ContainsFunc(lanes, func(l lane) bool { return l.every == 1 && slices.Contains(l.profiles, p) }) {
			t.Errorf("no lane looks at %s after every step", p)
		}
	}
	for every, want := range map[int]int{0: 1, 1: 9, 16: 6} {
		// Three servers learn of what a client does in the steps 0, 8 and 16.
		stats, err := simulate.Run(t.Context(), simulate.Config{Profile: simulate.Calm, Seed: 1, Steps: 17, Every: every})
		if err != nil || stats.Looks != want {
			t.Errorf("every %d: %d looks instead of %d, %v", every, stats.Looks, want, err)
		}
	}
}

func (l lane) run(t *testing.T) simulate.Stats {
	s := series.Series{First: *seed, Profiles: l.profiles, Steps: l.steps, Every: l.every}
	if flagGiven("every") {
		s.Every = *every
	}
	n, began := *histories/l.oneIn, time.Now()
	stats, err := s.Run(t.Context(), simulate.Run, 0, n, runtime.GOMAXPROCS(0))
	if err != nil {
		report(t, err)
	}
	each := func(sum int) int { return sum / max(n, 1) }
	t.Logf("%d histories of %d steps, %d operations (%d accepted writes of clients, %d changes), seeds %d to %d, in %s", n, l.steps,
		each(stats.Operations), each(stats.Writes), each(stats.Changes), *seed, *seed+uint64(n)-1, time.Since(began).Round(100*time.Millisecond))
	return stats
}

// report prints the shortest history found that fails in the same way.
func report(t *testing.T, err error) {
	t.Helper()
	var f *simulate.Failure
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	t.Error(f)
	if *shrink {
		t.Errorf("shortened: %v", simulate.Shrink(t.Context(), f))
	}
}

// TestReplay runs the history that the flags name and prints what happens in it;
// without them, a first one in silence.
func TestReplay(t *testing.T) {
	trace := io.Writer(io.Discard)
	if flagGiven("seed") {
		trace = os.Stdout
	}
	named, err := simulate.ParseProfile(*profile)
	if err != nil {
		t.Fatal(err)
	}
	cfg := simulate.Config{Seed: *seed, Profile: named, Steps: *steps, Every: *every, Trace: trace}
	if *keep != "" {
		for _, s := range strings.Split(*keep, ",") {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Keep = append(cfg.Keep, n)
		}
	}
	if _, err := simulate.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

func flagGiven(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// TestOldFaults runs the histories that showed a fault since the draws changed
// last; the messages of the commits that mended them say which.
func TestOldFaults(t *testing.T) {
	for _, c := range []simulate.Config{
		{Profile: simulate.Classes, Seed: 5000590, Steps: 200}, {Profile: simulate.Mixed, Seed: 5002938, Steps: 200},
		{Profile: simulate.Tree, Seed: 20001756, Steps: 200}, {Profile: simulate.Names, Seed: 20000498, Steps: 200},
		{Profile: simulate.Mixed, Seed: 10002084, Steps: 200}, {Profile: simulate.Members, Seed: 705673, Steps: 60}, {Profile: simulate.Ages, Seed: 990, Steps: 200},
		{Profile: simulate.Ages, Seed: 51102104, Steps: 200}, {Profile: simulate.Members, Seed: 51000360, Steps: 200}, {Profile: simulate.Members, Seed: 51001998, Steps: 200},
		{Profile: simulate.Ages, Seed: 70001843, Steps: 100}, {Profile: simulate.Mixed, Seed: 90055, Steps: 60}, {Profile: simulate.Members, Seed: 990185, Steps: 60},
		{Profile: simulate.Ages, Seed: 51500901, Steps: 200}, {Profile: simulate.Ages, Seed: 54001243, Steps: 200}, {Profile: simulate.Ages, Seed: 71500614, Steps: 200},
		{Profile: simulate.Mixed, Seed: 17269, Steps: 60}, {Profile: simulate.Tree, Seed: 90050653, Steps: 200}, {Profile: simulate.Names, Seed: 94013686, Steps: 200}, {Profile: simulate.Tree, Seed: 200012601, Steps: 200}, {Profile: simulate.Mixed, Seed: 500157919, Steps: 200}, {Profile: simulate.Names, Seed: 600017400, Steps: 200}, {Profile: simulate.Tree, Seed: 700096904, Steps: 200}, {Profile: simulate.Mixed, Seed: 740113351, Steps: 200}, {Profile: simulate.Mixed, Seed: 770082625, Steps: 200},
		{Profile: simulate.Members, Seed: 790424807, Steps: 200}, {Profile: simulate.Ages, Seed: 790463732, Steps: 200}, {Profile: simulate.Ages, Seed: 790491092, Steps: 200},
		{Profile: simulate.Ages, Seed: 790590011, Steps: 200}, {Profile: simulate.Ages, Seed: 790617317, Steps: 200},
		{Profile: simulate.Tree, Seed: 790881706, Steps: 200}, {Profile: simulate.Members, Seed: 790825030, Steps: 200}, {Profile: simulate.Names, Seed: 790791591, Steps: 200},
		{Profile: simulate.Members, Seed: 790719019, Steps: 200}, {Profile: simulate.Members, Seed: 790965214, Steps: 200}, {Profile: simulate.Ages, Seed: 790992702, Steps: 200}, {Profile: simulate.Classes, Seed: 801019887, Steps: 200}, {Profile: simulate.Ages, Seed: 801024786, Steps: 200}, {Profile: simulate.Ages, Seed: 802038871, Steps: 200}, {Profile: simulate.Members, Seed: 803016018, Steps: 200}, {Profile: simulate.Mixed, Seed: 804144014, Steps: 200}, {Profile: simulate.Ages, Seed: 804252630, Steps: 200}, {Profile: simulate.Ages, Seed: 808040482, Steps: 200}, {Profile: simulate.Ages, Seed: 811167247, Steps: 200},
		{Profile: simulate.Ages, Seed: 813063000, Steps: 200}, {Profile: simulate.Tree, Seed: 813064702, Steps: 200}, {Profile: simulate.Ages, Seed: 815067104, Steps: 200}, {Profile: simulate.Tree, Seed: 816014347, Steps: 200}, {Profile: simulate.Members, Seed: 817017359, Steps: 200}, {Profile: simulate.Members, Seed: 817126583, Steps: 200},
		{Profile: simulate.Tree, Seed: 817149455, Steps: 200}, {Profile: simulate.Classes, Seed: 817155049, Steps: 200}, {Profile: simulate.Tree, Seed: 818062443, Steps: 200},
		{Profile: simulate.Ages, Seed: 819768897, Steps: 200}, {Profile: simulate.Ages, Seed: 819922122, Steps: 200}, {Profile: simulate.Ages, Seed: 819808533, Steps: 200}, {Profile: simulate.Members, Seed: 821075841, Steps: 200}, {Profile: simulate.Ages, Seed: 821059499, Steps: 200}, {Profile: simulate.Names, Seed: 819874326, Steps: 200}, {Profile: simulate.Tree, Seed: 821237061, Steps: 200}, {Profile: simulate.Ages, Seed: 822247410, Steps: 200},
		{Profile: simulate.Ages, Seed: 823004374, Steps: 200}, {Profile: simulate.Ages, Seed: 823019566, Steps: 200},
		{Profile: simulate.Ages, Seed: 824273222, Steps: 200}, {Profile: simulate.Ages, Seed: 824286056, Steps: 200},
	} {
		if _, err := simulate.Run(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkHistory runs one history after the other.
func BenchmarkHistory(b *testing.B) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		cfg := simulate.Config{Seed: uint64(i), Profile: simulate.Profiles[i%len(simulate.Profiles)], Steps: 60}
		if _, err := simulate.Run(b.Context(), cfg); err != nil {
			b.Fatal(err)
		}
	}
}
