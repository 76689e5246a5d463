package openldap_test

import (
	"context"
	"errors"
	"testing"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/directory/directorytest"
	testenv "ldapsync/testenv/openldap"
)

func people(n int, suffix string) (writes []directory.Write, ids []changelog.ID) {
	for i := range n {
		w := person(i, suffix)
		writes, ids = append(writes, w), append(ids, w.ID)
	}
	return writes, ids
}

// TestServerKilledWhileWriting ends slapd in the middle of a batch: what the
// error says was made is there afterwards, and a copy that resumes is equal.
func TestServerKilledWhileWriting(t *testing.T) {
	srv := start(t, testenv.Options{SID: 1})
	load(t, srv, 1, 0)
	d := connect(t, srv, nil)
	m := (*directorytest.Mirror)(nil).Follow(t, d)
	m.Refreshed()
	writes, ids := people(2000, srv.Suffix)
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		m.Has(writes[100].DN, "", "")
		if err := srv.Kill(); err != nil {
			t.Error(err)
		}
	}()
	_, err := d.Apply(t.Context(), writes)
	<-reported
	var at *directory.WriteError
	if !errors.Is(err, directory.ErrUnavailable) || !errors.As(err, &at) || !at.Kept || at.Index < 100 {
		t.Fatalf("write to a server that is killed: %v", err)
	}
	if err := m.Stop(); !errors.Is(err, directory.ErrUnavailable) && !errors.Is(err, context.Canceled) {
		t.Errorf("watch of a server that is killed: %v", err)
	}
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	there, err := d.Read(t.Context(), ids)
	if err != nil || len(there) != at.Index && len(there) != at.Index+1 {
		t.Errorf("%d entries are there, the error says %d: %v", len(there), at.Index, err)
	}
	resumed := m.Follow(t, d)
	resumed.Refreshed()
	all := refresh(t, d, nil)
	every := make([]changelog.ID, 0, len(all.states))
	for _, e := range all.states {
		every = append(every, e.ID)
	}
	resumed.Equals(d, every)
}

// TestContextEndsWhileWriting checks that the error of a batch that was called
// off says exactly what was made.
func TestContextEndsWhileWriting(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true})
	load(t, srv, 1, 0)
	d := connect(t, srv, nil)
	m := (*directorytest.Mirror)(nil).Follow(t, d)
	m.Refreshed()
	writes, ids := people(5000, srv.Suffix)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		m.Has(writes[50].DN, "", "")
		cancel()
	}()
	_, err := d.Apply(ctx, writes)
	var at *directory.WriteError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &at) {
		t.Fatalf("called off: %v", err)
	}
	if there, err := d.Read(t.Context(), ids); err != nil || len(there) != at.Index {
		t.Errorf("%d entries are there, the error says %d: %v", len(there), at.Index, err)
	}
}
