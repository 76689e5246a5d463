package simulate

import (
	"testing"
	"time"
)

// Of a server and its live copy one publishes what nobody gets, the other what all
// get, under the same numbers: when the first finds out and begins anew, it does not
// take what its directory lacks for deleted.
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
		w.finish()
		if nd.sid() == 3 {
			t.Error("the first has not begun anew")
		}
		w.everywhere(t, kept, "sn", "1")
		w.everywhere(t, personDN, "mail", "of the first")
	})
}
