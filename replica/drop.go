package replica

import (
	"maps"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/store"
)

// Drop settles conflicts: records of the state are dropped on every server, by a
// change of this one; what a client of this server was denied is thrown away.
func (r *Replica) Drop(ids []string) (n int, err error) {
	err = r.administer(func(w *work) error {
		n = 0
		byEntry := map[changelog.ID][]string{}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			key, denied := strings.CutPrefix(id, "denied:")
			switch {
			case denied:
				d, err := w.denied(key)
				if err != nil {
					return err
				}
				if !d.Own {
					return &RequestError{Text: id + " was made by another server, which offers it as long as it holds it",
						HintText: "let that server write, or remove it with: ldapsync forget-peer"}
				}
				if err := w.DropDenied(d); err != nil {
					return err
				}
				n++
			case strings.HasPrefix(id, "parked:"):
				return &RequestError{Text: id + " is refused by the directory", HintText: "ldapsync parked drop " + strings.TrimPrefix(id, "parked:")}
			case strings.Contains(id, ":"):
				return &RequestError{Text: id + " cannot be dropped: it is merged when its time comes"}
			default:
				record, err := w.find(id)
				if err != nil {
					return err
				}
				if !slices.Contains(byEntry[record.Entry], record.ID()) {
					byEntry[record.Entry] = append(byEntry[record.Entry], record.ID())
					n++
				}
			}
		}
		return w.dropRecords(byEntry)
	})
	return n, err
}

// dropPage is how many records one transaction of DropAll drops.
const dropPage = 500

// DropAll settles all records of the state that a query asks for, and throws
// away what clients of this server were denied where it names that kind.
func (r *Replica) DropAll(q ConflictQuery) (n int, err error) {
	for more := true; more && err == nil; {
		err = r.administer(func(w *work) error {
			more, err = w.dropSome(q, &n)
			return err
		})
	}
	return n, err
}

func (w *work) dropSome(q ConflictQuery, n *int) (more bool, err error) {
	d := dit.Listing{Kinds: q.Kinds, Limit: dropPage}
	if !q.Since.IsZero() {
		d.Since = q.Since.UnixMicro()
	}
	if q.Name != "" {
		if d.Below, err = w.resolve(q.Name); err != nil {
			return false, err
		}
	}
	records, next, err := w.dit.List(d)
	if err != nil {
		return false, err
	}
	byEntry := map[changelog.ID][]string{}
	for _, r := range records {
		byEntry[r.Entry] = append(byEntry[r.Entry], r.ID())
	}
	if err := w.dropRecords(byEntry); err != nil {
		return false, err
	}
	*n += len(records)
	if next != "" {
		return true, nil
	}
	if l := (&listing{work: w, q: q, below: d.Below, servers: map[changelog.SID]string{}}); len(q.Kinds) > 0 && l.wants(DeniedByRole) {
		return false, l.dropDenied(n)
	}
	return false, nil
}

func (l *listing) dropDenied(n *int) error {
	var keys []string
	err := l.each(DeniedByRole, func(c Conflict) bool {
		keys = append(keys, strings.TrimPrefix(c.ID, "denied:"))
		return true
	})
	if err != nil {
		return err
	}
	want := map[string]bool{}
	for _, k := range keys {
		want[k] = true
	}
	var all []store.DeniedChange
	if err := l.EachDenied(func(d store.DeniedChange) bool {
		if d.Own && want[d.Key()] {
			all = append(all, d)
		}
		return true
	}); err != nil {
		return err
	}
	for _, d := range all {
		if err := l.DropDenied(d); err != nil {
			return err
		}
		*n++
	}
	return nil
}

// dropRecords makes one change per entry that settles the records named.
func (w *work) dropRecords(byEntry map[changelog.ID][]string) error {
	for _, id := range slices.SortedFunc(maps.Keys(byEntry), changelog.ID.Compare) {
		records := byEntry[id]
		name, _, err := w.dit.NameOf(id)
		if err != nil {
			return err
		}
		for len(records) > 0 {
			n := min(len(records), changelog.MaxRecords)
			if err := w.assert(&changelog.Change{Op: changelog.OpSettle, ID: id, DN: name, Records: records[:n]}); err != nil {
				return err
			}
			records = records[n:]
		}
	}
	return nil
}
