package roles

// Accepts reports whether a change is merged. author is the present role of
// the server that made it, meaningful only if authorKnown; relay is the role of
// the server that handed it over, and relayIsAuthor says that they are one and
// the same.
//
// A change is accepted iff its author is known to write, or the server that
// hands it over, being another, writes: that one merged it, so it has applied
// this rule itself while the author was a master. The history of a server that
// was demoted, or that nobody knows any more, therefore still reaches newcomers
// through any master, while what a read-only server writes of its own is merged
// by nobody, since no master ever had it to hand over.
func Accepts(author Role, authorKnown bool, relay Role, relayIsAuthor bool) bool {
	return authorKnown && author.Writes() || !relayIsAuthor && relay.Writes()
}
