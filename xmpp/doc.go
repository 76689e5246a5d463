// Package xmpp keeps one supervised session with an XMPP server: it dials,
// secures, authenticates, binds a fixed resource, keeps the link alive and
// reconnects. It passes stanzas on as element trees; what rooms and nodes
// mean is the business of other packages.
//
// No acknowledgement of messages (XEP-0198) is attempted: a stanza that was
// sent just before the link broke may be lost, and the protocol above asks
// again for what it misses.
package xmpp
