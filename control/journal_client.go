package control

import (
	"context"
	"net/http"
)

// Conflicts implements Service.
func (c *Client) Conflicts(ctx context.Context, ask ConflictsRequest) (page ConflictsPage, err error) {
	err = c.do(ctx, http.MethodPost, pathConflicts, ask, &page)
	return page, err
}

// Conflict implements Service.
func (c *Client) Conflict(ctx context.Context, ask ConflictRequest) (found Conflict, err error) {
	err = c.do(ctx, http.MethodPost, pathConflict, ask, &found)
	return found, err
}

// Restore implements Service.
func (c *Client) Restore(ctx context.Context, ask RestoreRequest) (string, error) {
	var reply doneReply
	err := c.do(ctx, http.MethodPost, pathRestore, ask, &reply)
	return reply.Done, err
}

// Drop implements Service.
func (c *Client) Drop(ctx context.Context, ask DropRequest) (int, error) {
	var reply dropReply
	err := c.do(ctx, http.MethodPost, pathDrop, ask, &reply)
	return reply.Dropped, err
}

// DropParked implements Service.
func (c *Client) DropParked(ctx context.Context, suffix, id string) error {
	return c.do(ctx, http.MethodPost, pathDropParked, retryRequest{suffix, id}, &struct{}{})
}

// History implements Service.
func (c *Client) History(ctx context.Context, ask HistoryRequest) (page History, err error) {
	err = c.do(ctx, http.MethodPost, pathHistory, ask, &page)
	return page, err
}

// Undelete implements Service.
func (c *Client) Undelete(ctx context.Context, ask UndeleteRequest) (string, error) {
	var reply doneReply
	err := c.do(ctx, http.MethodPost, pathUndelete, ask, &reply)
	return reply.Done, err
}

// Deleted implements Service.
func (c *Client) Deleted(ctx context.Context, ask DeletedRequest) (page DeletedPage, err error) {
	err = c.do(ctx, http.MethodPost, pathDeleted, ask, &page)
	return page, err
}
