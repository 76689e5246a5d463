package simulate

import (
	"testing"
	"time"
)

// Of a server and its live copy one publishes what nobody gets, the other comes into
// the room in its place with other changes of the same numbers: it finds out before
// it publishes any, and begins anew.
func TestWhatACopyPublishedIsNotDeleted(t *testing.T) {
	system(t, 3, func(w *world) {
		nd := w.nodes[2]
		nd.clone()
		c := nd.twin
		if c == nil {
			t.Fatal("there is no copy")
		}
		kept := "cn=kept," + suffixText
		c.do(adding(kept, "objectClass", "inetOrgPerson", "sn", "1"))
		some(func() bool { return c.stepCapture(8) })
		w.now = w.now.Add(2 * time.Minute)
		w.nodes[0].do(replace("ou=b,"+suffixText, "description", "later"))
		w.quiet()
		w.calm = true
		nd.do(replace(personDN, "mail", "of the first"))
		some(func() bool { return nd.stepCapture(8) })
		some(nd.stepPublish)
		w.wire = nil
		c.login()
		w.quiet()
		c.beginAnew()
		w.quiet()
		if c.sid() == 3 {
			t.Error("the copy has not begun anew")
		}
		w.finish()
		w.everywhere(t, kept, "sn", "1")
		w.everywhere(t, personDN, "mail", "of the first")
	})
}
