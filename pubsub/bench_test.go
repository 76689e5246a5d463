package pubsub_test

import (
	"fmt"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/pubsub"
)

const suffix = "dc=example,dc=org"

// changes are adds of about 450 octets of LDIF.
func changes(first, n int) []changelog.Change {
	out := make([]changelog.Change, n)
	start := time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC)
	for i := range out {
		seq := first + i
		uid := fmt.Sprintf("user%06d", seq)
		value := func(attr string, vs ...string) changelog.Mod {
			return changelog.Mod{Op: changelog.ModAdd, Attr: attr, Values: vs}
		}
		out[i] = changelog.Change{
			Seq: uint64(seq), Op: changelog.OpAdd,
			CSN: changelog.CSN{Time: start.Add(time.Duration(seq) * time.Millisecond).UnixMicro(), SID: 1},
			ID:  changelog.ID{1, 13: byte(seq >> 16), 14: byte(seq >> 8), 15: byte(seq)},
			DN:  "uid=" + uid + ",ou=people," + suffix, RDN: "uid=" + uid, Superior: changelog.ID{1},
			Mods: []changelog.Mod{
				value("objectClass", "top", "person", "organizationalPerson", "inetOrgPerson"),
				value("uid", uid), value("cn", "Name of "+uid), value("sn", uid),
				value("mail", uid+"@example.org"), value("telephoneNumber", fmt.Sprintf("+49 30 %07d", seq*7919)),
				value("userPassword", fmt.Sprintf("{SSHA}%032x", seq*104729)),
			},
		}
	}
	return out
}

// BenchmarkPublish measures changes per second from packed items at the
// publisher to the changelog type at the subscriber, through Prosody.
func BenchmarkPublish(b *testing.B) {
	for _, kind := range []string{"service", "account"} {
		for _, perItem := range []int{1, 50, 1000} {
			b.Run(fmt.Sprintf("%s/%d", kind, perItem), func(b *testing.B) { benchmark(b, kind, perItem) })
		}
	}
}

func benchmark(b *testing.B, kind string, perItem int) {
	w := newWorld(b, false)
	alice, _ := w.login(b, "alice")
	bob, in := w.listen(b, "bob")
	n := must(pubsub.Ensure(b.Context(), alice, w.service(kind), "bench", "a title"))(b)
	follow(b, n, bob)
	const items = 40
	var batch []pubsub.Item
	for i := range items {
		packed, _, err := protocol.Pack(suffix, 1, 1, changes(1+i*perItem, perItem), protocol.MaxItem)
		if err != nil {
			b.Fatal(err)
		}
		for _, it := range packed {
			batch = append(batch, pubsub.Item{ID: it.ID, Payload: it.Payload})
		}
	}
	for b.Loop() {
		published := make(chan error, 1)
		go func() {
			_, err := n.Publish(b.Context(), batch...)
			published <- err
		}()
		for range batch {
			if _, err := protocol.ParseBatch(in.next(b).Payload, protocol.DefaultLimits); err != nil {
				b.Fatal(err)
			}
		}
		if err := <-published; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*items*perItem)/b.Elapsed().Seconds(), "changes/s")
}

// BenchmarkLatency measures one change at a time, from publish to event.
func BenchmarkLatency(b *testing.B) {
	for _, kind := range []string{"service", "account"} {
		b.Run(kind, func(b *testing.B) {
			w := newWorld(b, false)
			alice, _ := w.login(b, "alice")
			bob, in := w.listen(b, "bob")
			n := must(pubsub.Ensure(b.Context(), alice, w.service(kind), "bench", "a title"))(b)
			follow(b, n, bob)
			for b.Loop() {
				must(n.Publish(b.Context(), item("1")))(b)
				in.next(b)
			}
		})
	}
}
