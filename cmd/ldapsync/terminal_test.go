package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"ldapsync/control"
)

func TestOnlyTheStateIsColoured(t *testing.T) {
	s := control.Status{Suffixes: []control.SuffixStatus{{DN: "dc=x\x1b[1m", State: control.Amber, Reason: "slow"}}}
	for _, colour := range []bool{false, true} {
		var b strings.Builder
		if err := renderStatus(&b, s, colour); err != nil {
			t.Fatal(err)
		}
		want := "dc=x?[1m  amber: slow\n"
		if colour {
			want = "dc=x?[1m  \x1b[33mamber\x1b[0m: slow\n"
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("want %q in\n%s", want, b.String())
		}
	}
}

// countedService ends the watch at the third question.
type countedService struct {
	control.Service
	asked int
	stop  func()
}

func (s *countedService) Status(ctx context.Context) (control.Status, error) {
	if s.asked++; s.asked == 3 {
		s.stop()
		return control.Status{}, ctx.Err()
	}
	return control.Status{PID: s.asked}, nil
}

func TestWatchAsksUntilInterrupted(t *testing.T) {
	for _, asJSON := range []bool{true, false} {
		ctx, stop := context.WithCancel(t.Context())
		var b strings.Builder
		opts := statusOptions{asJSON: asJSON, watch: true, every: time.Millisecond}
		if err := showStatus(ctx, &countedService{stop: stop}, opts, &b); err != nil {
			t.Error(err)
		}
		if lines := strings.Count(b.String(), "\n"); lines != 2 || strings.Contains(b.String(), "\x1b") {
			t.Errorf("json %v: %d lines:\n%s", asJSON, lines, b.String())
		}
	}
}

func TestLasted(t *testing.T) {
	start := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	tests := []struct {
		after time.Duration
		want  string
	}{
		{-time.Second, "0s"}, {0, "0s"}, {1500 * time.Millisecond, "1s"}, {time.Hour - 1, "59m59s"},
		{25*time.Hour + time.Minute, "1d1h"}, {90*time.Minute + time.Second, "1h30m"}, {48*time.Hour + 1, "2d"},
	}
	for _, tt := range tests {
		if got := lasted(start, start.Add(tt.after)); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.after, got, tt.want)
		}
	}
	if got := lasted(time.Time{}, start); got != "-" {
		t.Errorf("never: %s", got)
	}
}
