package config_test

import (
	"testing"
	"time"

	"ldapsync/config"
)

func TestParseDuration(t *testing.T) {
	tests := []struct {
		in    string
		want  time.Duration
		print string
	}{
		{"30d", 720 * time.Hour, "30d"},
		{"1d12h", 36 * time.Hour, "1d12h"},
		{"36h", 36 * time.Hour, "1d12h"},
		{"90m", 90 * time.Minute, "1h30m"},
		{"30s", 30 * time.Second, "30s"},
		{"100ms", 100 * time.Millisecond, "100ms"},
		{"20m", 20 * time.Minute, "20m"},
		{"10h", 10 * time.Hour, "10h"},
		{"0s", 0, "0s"},
		{"1d0s", 24 * time.Hour, "1d"},
	}
	for _, tt := range tests {
		d, err := config.ParseDuration(tt.in)
		if err != nil || time.Duration(d) != tt.want || d.String() != tt.print {
			t.Errorf("%s: %v, printed %s, %v", tt.in, time.Duration(d), d, err)
		}
	}
	for _, in := range []string{"", "30", "d", "-1d", "1d-1h", "-5s", "+5s", "1.5d", "1d1d", "200000d", "106751d24h", "5 s"} {
		if d, err := config.ParseDuration(in); err == nil {
			t.Errorf("%q is read as %s", in, d)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"30d", "1d12h", "1h0m1s", "106751d23h47m16.854775807s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := config.ParseDuration(s)
		if err != nil {
			return
		}
		if again, err := config.ParseDuration(d.String()); err != nil || again != d {
			t.Fatalf("%q: %s, then %s, %v", s, d, again, err)
		}
	})
}
