package changelog_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"ldapsync/changelog"
)

func TestClockKeepsTheTimeOfTheChange(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	clock := changelog.NewClock(3, func() time.Time { return now }, changelog.CSN{})
	at := now.Add(-time.Hour)
	if c := clock.Next(at); !c.When().Equal(at) || c.SID != 3 || c.Count != 0 {
		t.Errorf("change of an hour ago got %s", c)
	}
	if c := clock.Next(now.Add(time.Hour)); !c.When().Equal(now) {
		t.Errorf("change of the future got %s", c)
	}
}

func TestClockSurvivesARestartWithAnEarlierTime(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	last := changelog.NewClock(1, func() time.Time { return now }, changelog.CSN{}).Next(time.Time{})
	earlier := now.Add(-time.Hour)
	if c := changelog.NewClock(1, func() time.Time { return earlier }, last).Next(earlier); !last.Before(c) {
		t.Errorf("%s is not after %s", c, last)
	}
}

// TestCopiesOfAClockDiffer has a server and its copy go on from one CSN that is
// ahead of both.
func TestCopiesOfAClockDiffer(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	ahead := changelog.CSN{Time: at.Add(time.Minute).UnixMicro(), Count: 3, SID: 1}
	next := func(now time.Time) changelog.CSN {
		c := changelog.NewClock(1, func() time.Time { return now }, ahead).Next(time.Time{})
		if !ahead.Before(c) {
			t.Errorf("%s is not after %s", c, ahead)
		}
		return c
	}
	if a, b := next(at), next(at.Add(17*time.Millisecond)); a == b {
		t.Errorf("both issue %s", a)
	}
}

func TestClockIsMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_700_000_000, 0)
		clock := changelog.NewClock(7, func() time.Time { return now }, changelog.CSN{})
		var last changelog.CSN
		for range 30 {
			now = now.Add(time.Duration(rapid.Int64Range(-600, 600).Draw(t, "step")) * time.Second)
			seen := changelog.CSN{
				Time:  now.Add(time.Duration(rapid.Int64Range(-2, 2).Draw(t, "skew")) * time.Minute).UnixMicro(),
				Count: rapid.SampledFrom([]uint32{0, 1, 1<<24 - 1}).Draw(t, "count"),
				SID:   9,
			}
			c := clock.Next(now, seen)
			if !last.Before(c) || !seen.Before(c) {
				t.Fatalf("%s is not after %s and %s", c, last, seen)
			}
			if _, err := changelog.ParseCSN(c.String()); err != nil {
				t.Fatal(err)
			}
			last = c
		}
	})
}
