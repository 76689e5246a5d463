package replica

import (
	"errors"
	"strings"
	"sync"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/image"
	"ldapsync/store"
)

// work is one transaction of a replica.
type work struct {
	*store.Tx
	r *Replica
	image.Terms
	dit   *dit.State
	rules dit.Rules
	// seen is what was merged when the transaction began: what the image of an
	// entry without a mark contains. It is shared and must not be changed.
	seen changelog.Seqs
	// forked is a server of which nothing is taken in this transaction.
	forked changelog.SID
	// captured counts the changes of local clients.
	captured uint64
}

// update runs fn in one transaction that is on disk when it returns nil.
func (r *Replica) update(fn func(*work) error) error {
	var captured uint64
	err := r.cfg.Store.Update(func(t *store.Tx) (err error) {
		w := r.work(t)
		defer w.end()
		if w.seen, err = r.mergedSeqs(t); err != nil {
			return err
		}
		err = fn(w)
		captured = w.captured
		return err
	})
	if err == nil {
		r.counters.Captured.Add(captured)
	}
	return err
}

// mergedSeqs returns what is merged at the beginning of a transaction that writes.
// It is shared and must not be changed.
func (r *Replica) mergedSeqs(t *store.Tx) (changelog.Seqs, error) {
	return r.merged.get(r.cfg.Store.Version(store.Reached|store.Postponed), t.MergedSeqs)
}

// view runs fn in one read-only transaction.
func (r *Replica) view(fn func(*work) error) error {
	return r.cfg.Store.View(func(t *store.Tx) error {
		w := r.work(t)
		defer w.end()
		return fn(w)
	})
}

// works are those that have ended, to be used again.
var works = sync.Pool{New: func() any { return &work{dit: new(dit.State)} }}

func (r *Replica) work(t *store.Tx) *work {
	w := works.Get().(*work)
	r.mu.Lock()
	w.rules = r.rules
	r.mu.Unlock()
	w.Tx, w.r, w.Terms = t, r, image.Terms{Schema: w.rules.Schema}
	w.dit.Reopen(t.KV(), w.rules)
	return w
}

// end ends the use of w, with that of its transaction.
func (w *work) end() {
	w.dit.Close()
	*w = work{dit: w.dit}
	works.Put(w)
}

// merge adds the facts of a stored change and marks every entry whose view may
// have changed. What was set aside gets another chance when its view changes.
func (w *work) merge(c *changelog.Change) error {
	if err := w.dit.MakeWay(c); err != nil {
		return err
	}
	touched, err := w.dit.Merge(c)
	if errors.Is(err, changelog.ErrChange) {
		// Every server finds it so, and none has merged any of it.
		w.r.counters.Rejected.Add(1)
		w.r.log.Error("a change makes no sense; it stays in the log and has no effect", "sid", c.SID(), "seq", c.Seq, "dn", c.DN, "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	return w.mark(touched)
}

// mark marks entries whose view may have changed.
func (w *work) mark(touched []changelog.ID) error {
	for _, id := range touched {
		if err := w.MarkDirty(id, w.seen); err != nil {
			return err
		}
		if err := w.Unpark(id); err != nil {
			return err
		}
	}
	return nil
}

// markContaining marks an entry, and notes that its image contains seen of others
// and no more.
func (w *work) markContaining(id changelog.ID, seen changelog.Seqs) error {
	if err := w.MarkDirty(id, seen); err != nil {
		return err
	}
	return w.SetSeen(id, seen)
}

// settle clears the mark of an entry whose image equals its view, and marks it
// when the two differ.
func (w *work) settle(id changelog.ID, image *store.Image) error {
	want, err := w.viewed(id)
	if err != nil {
		return err
	}
	if w.Same(want, image) {
		if err := w.Unpark(id); err != nil {
			return err
		}
		return w.ClearDirty(id)
	}
	d, err := w.Dirty(id)
	if err != nil || d != nil {
		return err
	}
	return w.MarkDirty(id, w.seen)
}

// viewed returns the image that the view of an entry asks for, nil when it is not
// shown.
func (w *work) viewed(id changelog.ID) (*store.Image, error) {
	m, _, err := w.wanted(id)
	return m, err
}

// wanted is viewed, with the name as the view has it.
func (w *work) wanted(id changelog.ID) (*store.Image, dn.RDN, error) {
	shown, err := w.dit.View(id)
	if err != nil || shown == nil {
		return nil, nil, err
	}
	newest, err := w.dit.Newest(id)
	if err != nil {
		return nil, nil, err
	}
	return &store.Image{
		ID: shown.ID, Parent: shown.Parent,
		RDN: w.Spelling(shown.RDN), RDNKey: shown.RDN.Key(w.rules.Schema), Newest: newest, Attrs: shown.Attrs,
	}, shown.RDN, nil
}

// nameOf returns the DN an entry has in the directory, printed; false when it, or a
// superior of it, has no image with a name.
func (w *work) nameOf(id changelog.ID) (string, bool) {
	var names []string
	for depth := 0; depth < maxDepth; depth++ {
		if id.IsZero() {
			if above := w.rules.Suffix.Parent(); len(above) > 0 {
				names = append(names, above.String())
			}
			return strings.Join(names, ","), true
		}
		m, err := w.ImageHead(id)
		if err != nil || m == nil || m.Gone || m.RDN == "" {
			return "", false
		}
		names = append(names, m.RDN)
		id = m.Parent
	}
	return "", false
}

// maxDepth bounds walks up the tree.
const maxDepth = 1000

// markAllImages marks every entry the directory holds.
func (w *work) markAllImages() error {
	var after changelog.ID
	for {
		images, err := w.Images(after, 500)
		if err != nil || len(images) == 0 {
			return err
		}
		for _, m := range images {
			after = m.ID
			if err := w.settle(m.ID, m); err != nil {
				return err
			}
		}
	}
}

// unparkAll lets the entries that were set aside and for which which holds be
// tried again.
func (w *work) unparkAll(which func(store.Parked) bool) error {
	list, err := w.ParkedList(100_000)
	if err != nil {
		return err
	}
	for _, p := range list {
		if !which(p) {
			continue
		}
		if err := w.Unpark(p.ID); err != nil {
			return err
		}
	}
	return nil
}
