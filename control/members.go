package control

import (
	"context"
	"net/http"
	"time"
)

// Members is what the daemon does about who belongs to a suffix.
type Members interface {
	// ForgetPeer removes a server from the members for good.
	ForgetPeer(ctx context.Context, ask ForgetRequest) (Forgotten, error)
}

// ForgetRequest names the server to remove.
type ForgetRequest struct {
	// Suffix is "" for the only one there is.
	Suffix string `json:"suffix"`
	// Peer is the JID or the sid. With a sid, Name has to be its JID: numbers
	// are easily mistaken.
	Peer string `json:"peer"`
	Name string `json:"name"`
	// Force removes one that takes part just now.
	Force bool `json:"force"`
}

// Forgotten is the server that was removed.
type Forgotten struct {
	SID int    `json:"sid"`
	JID string `json:"jid"`
}

// Member is a server whose copy counts when others forget what is past.
type Member struct {
	SID int `json:"sid"`
	// JID and Install are "" for one that has not said who it is.
	JID     string `json:"jid"`
	Install string `json:"install"`
	// Heartbeat is when it last said how much its directory contains, null when
	// it never did.
	Heartbeat *time.Time `json:"heartbeat"`
	// Silent says that this was too long ago.
	Silent bool `json:"silent"`
	// Removed is the CSN of the operation that removed it, "" when there is none.
	Removed string `json:"removed"`
}

// Forgetting is how far the past can be forgotten.
type Forgetting struct {
	// Before is the time up to which every member has everything, null while
	// that is not known of some.
	Before *time.Time `json:"before"`
	// Holding is the sid of the member that holds it back, 0 for none.
	Holding int `json:"holding"`
	// Alarm says what is wrong with that, "" for nothing.
	Alarm string `json:"alarm"`
}

const pathForget = "/v0/forget-peer"

func handleMembers(mux *http.ServeMux, service Members) {
	post(mux, pathForget, func(ctx context.Context, ask ForgetRequest) (any, error) { return service.ForgetPeer(ctx, ask) })
}

// ForgetPeer implements Service.
func (c *Client) ForgetPeer(ctx context.Context, ask ForgetRequest) (done Forgotten, err error) {
	err = c.do(ctx, http.MethodPost, pathForget, ask, &done)
	return done, err
}
