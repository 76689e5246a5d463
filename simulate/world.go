package simulate

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/replica"
	"ldapsync/schema"
)

// suffixText is the suffix that every history is about.
const suffixText = "dc=x"

var suffix = mustDN(suffixText)

func mustDN(text string) dn.DN {
	d, err := dn.Parse(text)
	if err != nil {
		panic(err)
	}
	return d
}

// standardRules are those of every history.
var standardRules = rulesFor(standard)

// uniqueAttrs are the attributes of which no two entries should have a value.
var uniqueAttrs = []string{"uid", "mail"}

func rulesFor(s *schema.Schema) dit.Rules {
	rules := dit.DefaultRules(s, suffix)
	rules.Unique = uniqueAttrs
	return rules
}

// world is everything there is in one history.
type world struct {
	// ctx is asked between the steps, and wherever there may be much to do.
	ctx   context.Context
	cfg   Config
	stats Stats
	// pcg feeds rng; it is seeded anew for every step, so that leaving one out
	// changes nothing in the choices of the others.
	pcg *rand.PCG
	rng *rand.Rand
	now time.Time

	// rules are those of all servers: what is remembered of the entries under them
	// follows from their records alone.
	rules dit.Rules
	nodes []*node
	// peers is where those are put together that a node is shown.
	peers []replica.Peer
	// wire holds what was published and has not arrived.
	wire []packet
	// last is what was published last by whom under which number.
	last map[nodeKey]changelog.Mark
	// cut[from][to] is a link that carries nothing.
	cut [][]bool
	// made are all changes any log has held.
	made map[changeKey]*made
	// births are the changes that added the entries.
	births map[changelog.ID]changeKey
	// latest is the entry that a client added last.
	latest changelog.ID
	// jumped is how much time passed in days that nobody saw go by. Forgot says
	// that some server has forgotten something, newest is the newest of the made
	// when there were counted.
	jumped  time.Duration
	forgot  bool
	newest  int64
	counted int
	// farAhead says that some clock was days ahead.
	farAhead bool
	// page bounds the octets of a page of a state.
	page int
	// tokens counts the values that stand nowhere else.
	tokens int
	// calm says that the faults are over.
	calm bool
	log  *slog.Logger
}

// nodeKey names a node: of an account and a number.
type nodeKey struct {
	name string
	sid  changelog.SID
}

type changeKey struct {
	sid changelog.SID
	seq uint64
}

// made is a change as the first log that was looked at holds it.
type made struct {
	*changelog.Change
	raw string
	// lost says that none of the servers that are left holds it.
	lost bool
	// hellos are those that others said under the same number.
	hellos []string
}

// packet is a delivery on its way.
type packet struct {
	from, to int
	// sid is the number of the sender when it sent it.
	sid     changelog.SID
	changes []changelog.Change
}

func (w *world) reseed(step int) { w.pcg.Seed(w.cfg.Seed, uint64(step)+1) }

// oneIn is true once in n times.
func (w *world) oneIn(n int) bool { return w.rng.IntN(n) == 0 }

func pick[T any](w *world, list []T) T { return list[w.rng.IntN(len(list))] }

func (w *world) tracef(format string, args ...any) {
	if w.cfg.Trace != nil {
		fmt.Fprintf(w.cfg.Trace, format+"\n", args...)
	}
}

// build makes the replicas, all with the same few entries.
func (w *world) build() {
	w.pcg = rand.NewPCG(w.cfg.Seed, 0)
	w.rng = rand.New(w.pcg)
	w.log = slog.New(slog.DiscardHandler)
	if w.cfg.Trace != nil {
		w.log = slog.New(slog.NewTextHandler(w.cfg.Trace, &slog.HandlerOptions{
			Level: slog.LevelDebug,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		}))
	}
	n := 3
	if w.oneIn(3) {
		n += 1 + w.rng.IntN(2)
	}
	if w.oneIn(foundOneIn) {
		w.found(n)
	} else {
		w.copy(templates[n]())
	}
	for _, nd := range w.nodes {
		if w.oneIn(2) {
			nd.skew = time.Duration(w.rng.Int64N(int64(20*time.Minute))) - 10*time.Minute
		}
		nd.drift = float64(w.rng.IntN(3)-1) * 0.001
		nd.server.SetPresents(w.oneIn(2))
	}
	w.tracef("--- built")
}
