package openldap_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"ldapsync/changelog"
	"ldapsync/directory"
	testenv "ldapsync/testenv/openldap"
)

func person(n int, suffix string) directory.Write {
	w := directory.Write{Op: directory.Add, ID: changelog.ID{0: 1}, DN: fmt.Sprintf("uid=b%07d,%s", n, suffix)}
	binary.BigEndian.PutUint64(w.ID[8:], uint64(n))
	for _, a := range [][2]string{
		{"objectClass", "inetOrgPerson"}, {"uid", fmt.Sprintf("b%07d", n)}, {"cn", "Some Person"}, {"sn", "Person"},
		{"givenName", "Some"}, {"mail", fmt.Sprintf("b%07d@example.com", n)}, {"telephoneNumber", "+49 30 1234567"},
		{"description", "a person of the benchmark"}, {"creatorsName", "cn=x"}, {"createTimestamp", "20260101000000Z"},
		{"modifiersName", "cn=x"}, {"modifyTimestamp", "20260101000000Z"},
	} {
		w.Attrs = append(w.Attrs, directory.Attribute{Name: a[0], Values: []string{a[1]}})
	}
	return w
}

// BenchmarkAdd adds entries in batches, to a database that waits for the disk and
// to one that does not.
func BenchmarkAdd(b *testing.B) {
	for _, noSync := range []bool{false, true} {
		for _, batch := range []int{1, 100} {
			b.Run(fmt.Sprintf("nosync=%v/batch=%d", noSync, batch), func(b *testing.B) {
				srv := start(b, testenv.Options{NoSync: noSync})
				load(b, srv, 0, 0)
				d := connect(b, srv, nil)
				n := 0
				for b.Loop() {
					writes := make([]directory.Write, batch)
					for i := range writes {
						n++
						writes[i] = person(n, srv.Suffix)
					}
					if _, err := d.Apply(b.Context(), writes); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
			})
		}
	}
}

// BenchmarkRefresh reads 20,000 entries, and reports the memory in use
// meanwhile.
func BenchmarkRefresh(b *testing.B) {
	const entries = 20000
	srv := start(b, testenv.Options{NoSync: true})
	load(b, srv, 0, 0)
	d := connect(b, srv, nil)
	writes := make([]directory.Write, entries)
	for i := range writes {
		writes[i] = person(i, srv.Suffix)
	}
	if _, err := d.Apply(b.Context(), writes); err != nil {
		b.Fatal(err)
	}
	writes = nil
	var peak uint64
	n := 0
	for b.Loop() {
		err := d.Watch(b.Context(), nil, func(e directory.Event) error {
			if n++; n%5000 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
			if e.Kind == directory.RefreshEnd {
				return errEnough
			}
			return nil
		})
		if err != errEnough {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(peak)/1e6, "peak-MB")
}

// BenchmarkResume resumes where nothing has changed among 20,000 entries.
func BenchmarkResume(b *testing.B) {
	srv := start(b, testenv.Options{NoSync: true})
	load(b, srv, 20000, 0)
	d := connect(b, srv, nil)
	cookie := refresh(b, d, nil).end.Cookie
	for b.Loop() {
		refresh(b, d, cookie)
	}
}
