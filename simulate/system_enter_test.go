package simulate

import (
	"fmt"
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// A server that brings data, and has compared it with the room's when it turns out
// that it has to be filled anew, compares it again: else all would be added twice.
func TestFilledAnewAfterMatching(t *testing.T) {
	system(t, 3, func(w *world) {
		a := w.nodes[0]
		nd := w.stocked(adding("ou=a,"+suffixText, "objectClass", "organizationalUnit"))
		nd.start()
		for range 5 {
			nd.show()
			for nd.stepPull() {
			}
			nd.stepJoin() // says hello, which nobody hears
		}
		w.isolate(nd)
		w.wire = nil
		for i := range 4 {
			w.pass(40, 1)
			a.do(replace(personDN, "employeeNumber", fmt.Sprint(i)))
			for _, o := range w.nodes[:3] {
				o.stepHeartbeat()
			}
			w.quiet()
			for _, o := range w.nodes[:3] {
				o.stepTime()
			}
		}
		for _, o := range w.nodes[:3] {
			o.readLog(func(l *changelog.Log) error {
				if has := nd.vectorNow()[1].Seq; l.First(1) <= has+1 {
					t.Fatalf("the log of %s reaches back to what the newcomer has, %d", o.name, has)
				}
				return nil
			})
		}
		w.finish()
		if made := w.authored(nd.sid()); len(made) > 0 {
			t.Errorf("it made %d changes, the first %s", len(made), showChange(made[0]))
		}
		if w.records(dit.NameConflict) > 0 {
			t.Errorf("journal %v", w.stats.Journal)
		}
	})
}
