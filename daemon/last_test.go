package daemon

import (
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/pubsub"
	"ldapsync/xmpp/element"
)

// TestMarkOf promises that an item that cannot be read holds nothing up, and tells
// at least the number in its id.
func TestMarkOf(t *testing.T) {
	const suffix = "dc=x"
	at := changelog.CSN{Time: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), SID: 3}
	batch := protocol.Batch{Suffix: suffix, SID: 3, Epoch: 1, Changes: []changelog.Change{{Seq: 7, CSN: at, Op: changelog.OpHeartbeat}}}
	item := pubsub.Item{ID: "1-7", Payload: batch.Element()}
	other := element.New("other", "thing")
	for name, c := range map[string]struct {
		item   pubsub.Item
		suffix string
		sid    changelog.SID
		want   changelog.Mark
		fails  bool
	}{
		"none":         {pubsub.Item{}, suffix, 3, changelog.Mark{}, false},
		"ours":         {item, suffix, 3, changelog.Mark{Seq: 7, CSN: at}, false},
		"another's":    {item, suffix, 4, changelog.Mark{}, true},
		"another room": {item, "dc=y", 3, changelog.Mark{}, true},
		"no payload":   {pubsub.Item{ID: "1-7"}, suffix, 3, changelog.Mark{Seq: 7}, true},
		"unreadable":   {pubsub.Item{ID: "2-8.15", Payload: other}, suffix, 3, changelog.Mark{Seq: 8}, true},
		"no number":    {pubsub.Item{ID: "now", Payload: other}, suffix, 3, changelog.Mark{}, true},
		"too large":    {pubsub.Item{ID: "1-18446744073709551615", Payload: other}, suffix, 3, changelog.Mark{}, true},
	} {
		got, err := markOf(c.item, c.suffix, c.sid)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}
