package ldif

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
)

// fetch returns what the URL of a value names, if that is allowed.
func (p *fields) fetch(text string, line int) (string, error) {
	if p.maxFile <= 0 {
		return "", wrong(line, "%w: not allowed here", ErrURL)
	}
	value, err := readFileURL(text, p.maxFile)
	if err != nil {
		return "", wrong(line, "%w: %w", ErrURL, err)
	}
	return value, nil
}

// readFileURL reads a regular file named by an absolute file: URL (RFC 8089).
func readFileURL(text string, limit int64) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	if u.Scheme != "file" || u.Host != "" || !filepath.IsAbs(u.Path) {
		return "", fmt.Errorf("%q is not file:// with an absolute path", text)
	}
	// Asked before it is opened: opening a FIFO would wait for a writer.
	if st, err := os.Stat(u.Path); err != nil {
		return "", err
	} else if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", u.Path)
	}
	f, err := os.Open(u.Path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(b)) > limit {
		return "", fmt.Errorf("%s is over %d bytes", u.Path, limit)
	}
	return string(b), nil
}
