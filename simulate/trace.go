package simulate

import (
	"fmt"
	"strings"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// shownWrite prints as show does, when it is printed.
type shownWrite directory.Write

func (w shownWrite) String() string { return show(directory.Write(w)) }

// show prints a write in one line.
func show(w directory.Write) string {
	switch w.Op {
	case directory.Add:
		return fmt.Sprintf("add %s %s %q", short(w.ID), w.DN, w.Attrs)
	case directory.Modify:
		return fmt.Sprintf("modify %s %s %s if %s", short(w.ID), w.DN, showMods(w.Mods), w.IfCSN)
	case directory.ModDN:
		return fmt.Sprintf("moddn %s %s to %s, delete old %v, below %q, if %s", short(w.ID), w.DN, w.NewRDN, w.DeleteOldRDN, w.NewSuperior, w.IfCSN)
	}
	return fmt.Sprintf("delete %s %s if %s", short(w.ID), w.DN, w.IfCSN)
}

func showMods(mods []changelog.Mod) string {
	var out []string
	for _, m := range mods {
		out = append(out, fmt.Sprintf("%s %s %q", m.Op, m.Attr, m.Values))
	}
	return strings.Join(out, ", ")
}

// short prints the ids of the simulation, which say who made an entry, and which
// of its entries that is.
func short(id changelog.ID) string { return fmt.Sprintf("%d.%d", id[0], id[2]) }

func showChange(c *changelog.Change) string {
	s := fmt.Sprintf("%d/%d %s %s %s", c.SID(), c.Seq, c.CSN, c.Op, short(c.ID))
	if c.RDN != "" || c.Moved {
		s += fmt.Sprintf(" named %q below %s moved %v deleteold %v", c.RDN, short(c.Superior), c.Moved, c.DeleteOldRDN)
	}
	return fmt.Sprintf("%s seen %s undelete %v %s", s, c.Seen, c.Undelete, showMods(c.Mods))
}

func (w *world) traceEvent(nd *node, e directory.Event) {
	if w.cfg.Trace == nil {
		return
	}
	switch {
	case e.Entry != nil:
		w.tracef("%d   reports %s %s %s %q", nd.i+1, short(e.Entry.ID), e.Entry.DN, e.Entry.CSN, e.Entry.Attrs)
	default:
		ids := ""
		for _, id := range e.IDs {
			ids += " " + short(id)
		}
		w.tracef("%d   reports kind %d resumed %v complete %v%s", nd.i+1, e.Kind, e.Resumed, e.Complete, ids)
	}
}

func (w *world) traceWrite(nd *node, wr directory.Write) {
	if w.cfg.Trace != nil {
		w.tracef("%d   writes %s", nd.i+1, show(wr))
	}
}
