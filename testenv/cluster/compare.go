package cluster

import (
	"fmt"
	"strings"

	"ldapsync/control"
)

// Difference says where servers differ, or what they still have to do; ""
// when all hold the same and are at rest.
func Difference(servers ...*Server) string {
	if why := Rest(servers...); why != "" {
		return why
	}
	return Contents(servers...)
}

// Rest says what servers still have to do, "" when they have stored the same
// changes and have nothing to do.
func Rest(servers ...*Server) string {
	vectors := ""
	for i, s := range servers {
		st, err := s.Status()
		if err != nil {
			return fmt.Sprintf("%s: %v", s.Name, err)
		}
		if q := st.Queues; q.Publish+q.Apply+q.Withheld > 0 || st.ParkedCount > 0 {
			return fmt.Sprintf("%s is at work: %+v, %d parked", s.Name, q, st.ParkedCount)
		}
		v := Reach(st)
		if i == 0 {
			vectors = v
		} else if v != vectors {
			return fmt.Sprintf("%s stands at%s, %s at%s", servers[0].Name, vectors, s.Name, v)
		}
	}
	return ""
}

// Reach prints how far a copy reaches, as " 1:40 2:7": of every server that has
// made changes its sid and the last.
func Reach(st control.SuffixStatus) string {
	text := ""
	for _, m := range st.Vector {
		if m.Seq > 0 {
			text += fmt.Sprintf(" %d:%d", m.SID, m.Seq)
		}
	}
	return text
}

// Contents says where the directories of servers differ, "" when they do not.
func Contents(servers ...*Server) string {
	want, err := servers[0].Slapd.Dump()
	if err != nil {
		return err.Error()
	}
	for _, s := range servers[1:] {
		got, err := s.Slapd.Dump()
		if err != nil {
			return err.Error()
		}
		if got != want {
			return fmt.Sprintf("%s and %s differ: %s", servers[0].Name, s.Name, FirstDifference(want, got))
		}
	}
	return ""
}

// FirstDifference shows the first lines in which two texts differ.
func FirstDifference(a, b string) string {
	al, bl := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(al), len(bl)) {
		if al[i] != bl[i] {
			from := max(i-3, 0)
			return fmt.Sprintf("line %d: %q and %q", i+1, al[from:i+1], bl[from:i+1])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(al), len(bl))
}
