// Package roles says what a server may do to the directory that a room
// replicates, and whose changes the others accept. The role of a server is its
// affiliation with the room (XEP-0045 section 5.2). The package knows neither
// sockets nor directories.
package roles

import "fmt"

// Role is what a server may do. Each role includes those before it.
type Role uint8

// The roles.
const (
	// None is a server that does not belong to the room.
	None Role = iota
	// ReadOnly follows: it merges the changes of others, and nobody merges its own.
	ReadOnly
	// Master makes changes.
	Master
	// Controller makes changes and gives roles to others.
	Controller
)

// FromAffiliation returns the role of an occupant with that affiliation. An
// unknown affiliation, none and outcast give None.
func FromAffiliation(affiliation string) Role {
	switch affiliation {
	case "owner":
		return Controller
	case "admin":
		return Master
	case "member":
		return ReadOnly
	}
	return None
}

// Affiliation returns the affiliation that gives r: owner, admin, member or
// none.
func (r Role) Affiliation() string {
	switch r {
	case Controller:
		return "owner"
	case Master:
		return "admin"
	case ReadOnly:
		return "member"
	}
	return "none"
}

// String returns controller, master, read-only or none.
func (r Role) String() string {
	switch r {
	case Controller:
		return "controller"
	case Master:
		return "master"
	case ReadOnly:
		return "read-only"
	}
	return "none"
}

// ParseRole reads the role that an administrator gives a server: controller,
// master or read-only. There is no giving of none.
func ParseRole(s string) (Role, error) {
	for _, r := range []Role{ReadOnly, Master, Controller} {
		if s == r.String() {
			return r, nil
		}
	}
	return None, fmt.Errorf("role %q is not master, read-only or controller", s)
}

// Writes reports whether the server's own changes are merged by others.
func (r Role) Writes() bool { return r == Master || r == Controller }
