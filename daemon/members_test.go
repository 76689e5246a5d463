package daemon

import (
	"strings"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/members"
	"ldapsync/replica"
	"ldapsync/store"
)

// TestForgettingSaysWhatHoldsItBack: a silent member, a directory elsewhere that
// lacks a change, and entries parked here.
func TestForgettingSaysWhatHoldsItBack(t *testing.T) {
	now := time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)
	csn := func(days int, sid changelog.SID) changelog.CSN {
		return changelog.CSN{Time: now.AddDate(0, 0, -days).UnixMicro(), SID: sid}
	}
	member := func(sid changelog.SID, jid string, beat, lacks int) replica.MemberStatus {
		m := replica.MemberStatus{Member: members.Member{SID: sid, JID: jid}, Beat: &members.Heartbeat{CSN: csn(beat, sid)}, Silent: beat > 7}
		if lacks > 0 {
			m.Lacks, m.Stuck = csn(lacks, 1), lacks-beat > 1
		}
		return m
	}
	for name, c := range map[string]struct {
		status  replica.Status
		holding int
		before  time.Time
		alarm   string
	}{
		"nothing": {
			replica.Status{Stable: members.Stable{CSN: csn(1, 2), Holding: 2}, Members: []replica.MemberStatus{member(1, "a@x", 0, 0), member(2, "b@x", 1, 1)}},
			2, now.AddDate(0, 0, -1), "",
		},
		"silent": {
			replica.Status{Stable: members.Stable{CSN: csn(9, 2), Holding: 2}, Members: []replica.MemberStatus{member(1, "a@x", 0, 0), member(2, "b@x", 9, 0)}},
			2, now.AddDate(0, 0, -9), "sid 2 (b@x) has not been heard of since 2026-03-11 12:00:00: nothing that it may lack is forgotten; if it does not come back: ldapsync forget-peer b@x",
		},
		"parked there": {
			replica.Status{Stable: members.Stable{CSN: csn(1, 3), Holding: 3}, Members: []replica.MemberStatus{member(1, "a@x", 0, 0), member(2, "b@x", 0, 40), member(3, "c@x", 1, 2)}},
			2, now.AddDate(0, 0, -40), "the directory of sid 2 (b@x) lacks a change of 2026-02-08 12:00:00: no server forgets anything younger; ldapsync status and ldapsync parked list there say why",
		},
		"parked here": {
			replica.Status{
				Identity: store.Identity{SID: 2}, ParkedCount: 3, Stable: members.Stable{CSN: csn(1, 1), Holding: 1},
				Members: []replica.MemberStatus{member(1, "a@x", 1, 0), member(2, "b@x", 0, 40)},
			},
			2, now.AddDate(0, 0, -40), "3 parked entries, which this directory refuses, lack changes since 2026-02-08 12:00:00: no server forgets anything younger; see ldapsync parked list, and mend, retry or drop them",
		},
		"not written here": {
			replica.Status{
				Identity: store.Identity{SID: 2}, Stable: members.Stable{CSN: csn(1, 1), Holding: 1},
				Members: []replica.MemberStatus{member(1, "a@x", 1, 0), member(2, "b@x", 0, 3)},
			},
			2, now.AddDate(0, 0, -3), "this directory lacks a change of 2026-03-17 12:00:00: no server forgets anything younger",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := forgetting(c.status)
			if f.Holding != c.holding || f.Before == nil || !f.Before.Equal(c.before) {
				t.Errorf("held back by %d at %v", f.Holding, f.Before)
			}
			if f.Alarm != c.alarm {
				t.Errorf("alarm\n %s\nwant\n %s", f.Alarm, c.alarm)
			}
		})
	}
	never := replica.Status{Stable: members.Stable{Holding: 2}, Members: []replica.MemberStatus{member(1, "a@x", 0, 30), {Member: members.Member{SID: 2}, Silent: true}}}
	if f := forgetting(never); f.Before != nil || f.Holding != 2 || !strings.Contains(f.Alarm, "has not been heard of: nothing") {
		t.Errorf("%+v", f)
	}
}
