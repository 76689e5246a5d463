// Package muc is a multi-user chat room (XEP-0045) as a meeting place of
// programs: who is there under which real address and with which affiliation,
// and one extension element that every occupant's presence carries. What the
// element says, and what an affiliation permits, other packages decide.
//
// Nicknames, roles as visitors may fake them, and messages are for people:
// nothing is concluded from them.
package muc
