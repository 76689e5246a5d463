package replica

import (
	"ldapsync/changelog"
	"ldapsync/store"
)

// A state file that is set aside may have been copied: then the room holds changes
// under its number that its directory never saw, and it may even have published
// others under the same numbers that nobody has. What both have is told by CSNs.

// tail returns marks of the changes that a server made, its last and then ever
// older ones, as far as its log reaches.
func tail(t *store.Tx, sid changelog.SID) (marks []changelog.Mark, err error) {
	last, err := t.Log.Mark(sid)
	if err != nil {
		return nil, err
	}
	for seq, step := last.Seq, uint64(1); seq > 0; step *= 2 {
		c, err := t.Log.Get(sid, seq)
		if err != nil || c == nil {
			return marks, err
		}
		marks = append(marks, changelog.Mark{Seq: seq, CSN: c.CSN})
		seq -= min(seq, step)
	}
	return marks, nil
}

// shared returns how far the room holds, at least, the very changes that marks are
// of, as far as that can be told: not where the log no longer reaches back.
func (w *work) shared(marks []changelog.Mark) (uint64, error) {
	for _, m := range marks {
		sid := m.CSN.SID
		last, err := w.Log.Mark(sid)
		if err != nil {
			return 0, err
		}
		if m.Seq > last.Seq {
			continue
		}
		c, err := w.Log.Get(sid, m.Seq)
		if err != nil {
			return 0, err
		}
		if c == nil && (m.Seq < last.Seq || m.CSN == last.CSN) || c != nil && c.CSN == m.CSN {
			return m.Seq, nil
		}
	}
	return 0, nil
}
