package openldap

import (
	"context"
	"errors"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// handle reports one message.
func (w *watch) handle(ctx context.Context, m *syncMessage) error {
	if !w.began {
		w.began = true
		if err := w.tell(directory.Event{Kind: directory.RefreshBegin, Resumed: w.resumed}); err != nil {
			return err
		}
	}
	switch {
	case m.entry != nil:
		return w.handleEntry(ctx, m.entry)
	case m.set != nil && !m.set.deletes:
		return w.tell(directory.Event{Kind: directory.Present, IDs: m.set.ids})
	case m.set != nil:
		return w.tellAt(directory.Event{Kind: directory.Gone, IDs: m.set.ids}, changelog.CSN{})
	case m.end != nil:
		return w.handleEnd(ctx, m.end, parseCookie(m.cookie))
	}
	w.advance(parseCookie(m.cookie))
	return nil
}

// handleEnd closes a phase of the refresh. Without a cookie every entry was
// reported, and so it was with a present phase. Else slapd has said nothing of
// entries that did not change, and of deletes only what its session log holds,
// which does not survive it and may lack the last ones: so they are listed.
func (w *watch) handleEnd(ctx context.Context, end *syncPhaseEnd, came cookie) error {
	w.present = w.present || !end.deletes
	if !end.done {
		return nil
	}
	if w.resumed && !w.present {
		err := w.server.list(ctx, func(ids []changelog.ID) error {
			return w.tell(directory.Event{Kind: directory.Present, IDs: ids})
		})
		if err != nil {
			return err
		}
	}
	if err := w.checkNames(ctx); errors.Is(err, errNamesChanged) && w.lastTry {
		w.server.log.Warn("the directory's names change faster than it can be read; entries may be taken for moved", "error", err)
	} else if err != nil {
		return err
	}
	w.over = true
	w.advance(came)
	return w.tell(directory.Event{Kind: directory.RefreshEnd, Complete: true, Cookie: w.at.bytes()})
}

func (w *watch) handleEntry(ctx context.Context, e *syncEntry) error {
	if e.state == statePresent {
		return w.tell(directory.Event{Kind: directory.Present, IDs: []changelog.ID{e.id}})
	}
	event := directory.Event{Kind: directory.Gone, IDs: []changelog.ID{e.id}}
	var csn changelog.CSN
	if e.state != stateDelete {
		entry, err := w.server.syncedEntry(e)
		if err != nil {
			return err
		}
		event, csn = w.stateEvent(entry), entry.CSN
	}
	passes, err := w.floors.passes(ctx, e.id, csn)
	if err != nil || !passes {
		return err
	}
	return w.tellAt(event, csn)
}

// stateEvent reports entry; one in an excluded subtree is not there.
func (w *watch) stateEvent(entry *directory.Entry) directory.Event {
	if w.excluded(entry.DN) {
		return directory.Event{Kind: directory.Gone, IDs: []changelog.ID{entry.ID}}
	}
	return directory.Event{Kind: directory.State, Entry: entry}
}

// tellAt reports e, with what to resume with unless a refresh is under way: the CSN of
// the last state, even if it is older than those before. Slapd's clock was set back
// then, and it would not report what it writes from now on to a search that goes on
// from the newest CSN.
func (w *watch) tellAt(e directory.Event, csn changelog.CSN) error {
	if w.over {
		if w.advance(nil); !csn.IsZero() {
			w.at[csn.SID] = csn
		}
		e.Cookie = w.at.bytes()
	}
	return w.tell(e)
}

func (w *watch) advance(came cookie) {
	if w.at == nil {
		w.at = cookie{}
	}
	w.at.advance(came)
}

func (w *watch) tell(e directory.Event) error {
	err := w.report(e)
	w.reportFailed = err != nil
	return err
}

// syncedEntry makes a directory.Entry of what a search reported.
func (s *Server) syncedEntry(e *syncEntry) (*directory.Entry, error) {
	out := &directory.Entry{DN: e.dn, Attrs: make([]directory.Attribute, 0, len(e.attrs))}
	for _, a := range e.attrs {
		if err := s.addAttribute(out, a.name, a.values); err != nil {
			return nil, err
		}
	}
	out.ID = e.id
	return out, nil
}
