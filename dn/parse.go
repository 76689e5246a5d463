package dn

import "errors"

// ErrSyntax is wrapped by every error of Parse and ParseRDN.
var ErrSyntax = errors.New("invalid DN")

// Parse reads a distinguished name.
func Parse(s string) (DN, error) { return nil, ErrSyntax }

// ParseRDN reads one relative distinguished name.
func ParseRDN(s string) (RDN, error) { return nil, ErrSyntax }
