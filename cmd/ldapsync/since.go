package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// sinceFlag is a flag that takes a time, or how long ago it was.
type sinceFlag struct {
	time.Time
	text string
}

// String implements pflag.Value.
func (s *sinceFlag) String() string { return s.text }

// Type implements pflag.Value.
func (s *sinceFlag) Type() string { return "time" }

// Set implements pflag.Value.
func (s *sinceFlag) Set(text string) error {
	s.text = text
	for _, layout := range []string{time.RFC3339, "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			s.Time = t
			return nil
		}
	}
	ago, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); err != nil && ok {
		var n int
		if n, err = strconv.Atoi(days); err == nil {
			ago = time.Duration(n) * 24 * time.Hour
		}
	}
	if err != nil || ago < 0 {
		return fmt.Errorf("neither a time nor how long ago: %.40q", text)
	}
	s.Time = time.Now().Add(-ago)
	return nil
}
