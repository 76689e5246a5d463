package prosody

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TB is the part of testing.TB that StartTest uses.
type TB interface {
	Helper()
	TempDir() string
	Cleanup(func())
	Skip(args ...any)
	Fatal(args ...any)
}

// StartTest is Start for a test: in a temporary folder, stopped at the end,
// skipped where Prosody is not installed.
func StartTest(t TB, options Options) *Server {
	t.Helper()
	s, err := Start(t.TempDir(), options)
	if errors.Is(err, ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Kill() })
	return s
}

// Roots are the certificates to trust.
func (s *Server) Roots() (*x509.CertPool, error) {
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", s.CAFile)
	}
	return pool, nil
}
