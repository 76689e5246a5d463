package simulate

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory/memory"
	"ldapsync/store"
)

// Most histories begin with copies of replicas that have founded a room and
// joined it before; one in foundOneIn has that done anew.
const foundOneIn = 16

const maxNodes = 5

// epoch is when every history begins.
var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// found makes n replicas, of which the first has a few entries and the others
// join it.
func (w *world) found(n int) {
	w.begin(n)
	for i := range n {
		w.nodes = append(w.nodes, newNode(w, i))
	}
	for _, nd := range w.nodes {
		nd.start()
		if nd.i == 0 {
			for _, e := range w.cfg.Profile.initial() {
				nd.client(e)
			}
		}
	}
	w.settle()
}

// begin sets what every world begins with.
func (w *world) begin(n int) {
	w.rules = standardRules.Apart()
	w.now, w.made, w.births, w.page = epoch, map[changeKey]*made{}, map[changelog.ID]changeKey{}, 2000
	w.last = map[nodeKey]changelog.Mark{}
	w.cut = make([][]bool, n)
	for i := range n {
		w.cut[i] = make([]bool, n)
	}
}

// template is a founded world to be copied. It is not changed.
type template struct {
	now   time.Time
	made  map[changeKey]*made
	last  map[nodeKey]changelog.Mark
	nodes []nodeTemplate
}

// nodeTemplate is a server of a template.
type nodeTemplate struct {
	disk   *store.Memory
	server *memory.Directory
	vector changelog.Vector
	newIDs uint16
}

// templates makes, once, the template of a number of replicas.
var templates = func() (list [maxNodes + 1]func() *template) {
	for n := range list {
		list[n] = sync.OnceValue(func() *template { return newTemplate(n) })
	}
	return list
}()

func newTemplate(n int) *template {
	w := &world{ctx: context.Background(), cfg: Config{Profile: Mixed}, stats: newStats(), pcg: rand.NewPCG(0, 0), log: slog.New(slog.DiscardHandler)}
	w.rng = rand.New(w.pcg)
	w.found(n)
	w.inspect()
	t := &template{now: w.now, made: w.made, last: w.last}
	for _, nd := range w.nodes {
		t.nodes = append(t.nodes, nodeTemplate{disk: nd.disk, server: nd.server, vector: nd.vector, newIDs: nd.newIDs})
	}
	return t
}

// copy makes the replicas of a template and starts them.
func (w *world) copy(t *template) {
	w.begin(len(t.nodes))
	w.now = t.now
	maps.Copy(w.last, t.last)
	for key, m := range t.made {
		own := *m
		w.made[key] = &own
	}
	for i, from := range t.nodes {
		nd := newServer(w, i)
		nd.own(from.disk.Copy(), from.server.Copy(nd.time, nd.newID))
		nd.vector, nd.newIDs = maps.Clone(from.vector), from.newIDs
		w.nodes = append(w.nodes, nd)
	}
	w.calm = true
	for _, nd := range w.nodes {
		nd.start()
	}
	for _, nd := range w.nodes {
		nd.show()
		w.repeat("capture", nd, func() bool { return nd.stepCapture(8) })
	}
	w.calm = false
}
