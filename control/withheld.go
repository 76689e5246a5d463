package control

import (
	"context"
	"net/http"
	"time"
)

// Withholding is what the daemon does for the commands about entries that are not
// shown. Suffix is as in Service.
type Withholding interface {
	// Withheld returns the first entries that wait for the addition of their superior,
	// or for their own, at most 1,000.
	Withheld(ctx context.Context, ask WithheldRequest) ([]Withheld, error)
	// Release moves one of them below another entry and says in words what it did.
	Release(ctx context.Context, ask ReleaseRequest) (string, error)
}

// WithheldRequest asks for the withheld entries.
type WithheldRequest struct {
	Suffix string `json:"suffix"`
}

// Withheld is an entry that no directory shows before the addition of Missing has
// arrived: its superior, or the entry itself.
type Withheld struct {
	// Entry and Missing are entryUUIDs.
	Entry   string `json:"entry"`
	Missing string `json:"missing"`
	// RDN is its name; "", like Added and Server, where its own addition is missing.
	RDN string `json:"rdn"`
	// Added says when it was added, Server on which.
	Added  time.Time `json:"added,omitzero"`
	Server string    `json:"server"`
}

// ReleaseRequest asks to move an entry, by its entryUUID, below the one of a DN, "" for
// the suffix.
type ReleaseRequest struct {
	Suffix string `json:"suffix"`
	Entry  string `json:"entry"`
	Below  string `json:"below"`
}

// Paths of the requests about withheld entries.
const (
	pathWithheld = "/v0/withheld"
	pathRelease  = "/v0/withheld/release"
)

type withheldReply struct {
	Withheld []Withheld `json:"withheld"`
}

// handleWithholding adds the requests about withheld entries.
func handleWithholding(mux *http.ServeMux, service Withholding) {
	post(mux, pathWithheld, func(ctx context.Context, ask WithheldRequest) (any, error) {
		list, err := service.Withheld(ctx, ask)
		return withheldReply{notNil(list)}, err
	})
	post(mux, pathRelease, func(ctx context.Context, ask ReleaseRequest) (any, error) {
		done, err := service.Release(ctx, ask)
		return doneReply{done}, err
	})
}

// Withheld implements Service.
func (c *Client) Withheld(ctx context.Context, ask WithheldRequest) ([]Withheld, error) {
	var reply withheldReply
	err := c.do(ctx, http.MethodPost, pathWithheld, ask, &reply)
	return reply.Withheld, err
}

// Release implements Service.
func (c *Client) Release(ctx context.Context, ask ReleaseRequest) (string, error) {
	var reply doneReply
	err := c.do(ctx, http.MethodPost, pathRelease, ask, &reply)
	return reply.Done, err
}
