package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"ldapsync/config"
)

// newLogger returns the logger of the settings, which writes to stderr unless
// they name a file, and what closes that file.
func newLogger(c config.Log, stderr io.Writer) (*slog.Logger, func(), error) {
	out, done := stderr, func() {}
	if c.File != "" {
		f, err := os.OpenFile(c.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("log file: %w", err)
		}
		// Nobody is left to tell when closing the log fails.
		out, done = f, func() { _ = f.Close() }
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		done()
		return nil, nil, fmt.Errorf("log level: %w", err)
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, opts)), done, nil
	}
	return slog.New(slog.NewTextHandler(out, opts)), done, nil
}
