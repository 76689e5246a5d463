package store

import (
	"ldapsync/changelog"
	"ldapsync/members"
)

// Roster returns what the log says about the members.
func (t *Tx) Roster() *members.Table {
	if t.roster != nil {
		return t.roster
	}
	return members.Open(t.bucket(bucketRoster))
}

// Append stores the next change of its server, as Log.Append does, and takes
// notice of what it says about the members.
func (t *Tx) Append(c *changelog.Change) error {
	if err := t.Log.Append(c); err != nil {
		return err
	}
	if c.Op != changelog.OpHeartbeat && !t.News() {
		if err := t.SetNews(true); err != nil {
			return err
		}
	}
	return t.Roster().Note(c)
}

var keyNews = []byte("news")

// News reports whether the log has taken anything but heartbeats since SetNews
// said otherwise.
func (t *Tx) News() bool { return t.bucket(bucketMeta).Get(keyNews) != nil }

// SetNews sets what News returns.
func (t *Tx) SetNews(news bool) error {
	if news {
		return t.bucket(bucketMeta).Put(keyNews, []byte{1})
	}
	return t.bucket(bucketMeta).Delete(keyNews)
}

// maxMarks bounds the work of Applied.
const maxMarks = 1000

// Applied returns what the directory contains of the changes of every other
// server: of each, all up to a sequence number. It returns false when so much
// waits to be written that it is not worth finding out.
func (t *Tx) Applied(self changelog.SID) (changelog.Seqs, bool, error) {
	if t.DirtyCount() > maxMarks {
		return nil, false, nil
	}
	applied, err := t.AllApplied(self)
	return applied, err == nil, err
}

// AllApplied is Applied however much waits to be written.
func (t *Tx) AllApplied(self changelog.SID) (changelog.Seqs, error) {
	v, err := t.Log.Vector()
	if err != nil {
		return nil, err
	}
	applied := v.Seqs()
	delete(applied, self)
	for sid, first := range t.firstPostponed(v) {
		applied[sid] = min(applied[sid], first.Seq-1)
	}
	t.bucket(bucketDirty).Scan(nil, nil, func(k, _ []byte) bool {
		var d *Dirty
		if d, err = t.Dirty(toID(k)); err != nil {
			return false
		}
		for sid := range applied {
			applied[sid] = min(applied[sid], d.Seen[sid])
		}
		return true
	})
	for sid, seq := range applied {
		if seq == 0 {
			delete(applied, sid)
		}
	}
	return applied, err
}
