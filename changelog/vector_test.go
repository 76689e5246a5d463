package changelog_test

import (
	"testing"

	"ldapsync/changelog"
)

func TestVectorNewest(t *testing.T) {
	at := func(time int64, sid changelog.SID) changelog.Mark {
		return changelog.Mark{Seq: 1, CSN: changelog.CSN{Time: time, SID: sid}}
	}
	v := changelog.Vector{1: at(10, 1), 2: at(30, 2), 3: at(20, 3), 4: {}}
	before := func(limit int64) func(changelog.CSN) bool {
		return func(c changelog.CSN) bool { return c.Time < limit }
	}
	for limit, want := range map[int64]changelog.CSN{40: v[2].CSN, 30: v[3].CSN, 20: v[1].CSN, 10: {}} {
		if got := v.Newest(before(limit)); got != want {
			t.Errorf("newest before %d is %s, want %s", limit, got, want)
		}
	}
}
