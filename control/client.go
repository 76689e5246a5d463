package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"ldapsync/roles"
)

// maxReply is the size in bytes beyond which an answer is not read.
const maxReply = 64 << 20

// Client asks the daemon behind one socket. It is a Service: the errors of its
// methods are *Error. It keeps no connection open.
type Client struct {
	path string
	http *http.Client
}

// Dial returns a client of the daemon whose socket is at path. It is an *Error
// when none answers there.
func Dial(path string) (*Client, error) {
	c := &Client{path: path}
	conn, err := c.dial(context.Background(), "", "")
	if err != nil {
		return nil, c.unreachable(err)
	}
	if err := conn.Close(); err != nil {
		return nil, c.unreachable(err)
	}
	c.http = &http.Client{Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true}}
	return c, nil
}

func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	d := net.Dialer{Timeout: probeTimeout}
	return d.DialContext(ctx, "unix", c.path)
}

// Status implements Service.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.do(ctx, http.MethodGet, pathStatus, nil, &s)
	return s, err
}

// Admit implements Service.
func (c *Client) Admit(ctx context.Context, suffix, jid string, role roles.Role) error {
	return c.do(ctx, http.MethodPost, pathAdmit, admitRequest{suffix, jid, role.String()}, &struct{}{})
}

// RetryParked implements Service.
func (c *Client) RetryParked(ctx context.Context, suffix, id string) (int, error) {
	var reply retryReply
	err := c.do(ctx, http.MethodPost, pathRetry, retryRequest{suffix, id}, &reply)
	return reply.Retried, err
}

func (c *Client) do(ctx context.Context, method, path string, ask, reply any) error {
	var body bytes.Buffer
	if ask != nil {
		if err := json.NewEncoder(&body).Encode(ask); err != nil {
			return asError(err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://ldapsync"+path, &body)
	if err != nil {
		return asError(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(io.LimitReader(resp.Body, maxReply))
	if resp.StatusCode != http.StatusOK {
		e := &Error{}
		if err := dec.Decode(e); err != nil || e.Text == "" {
			return &Error{Text: fmt.Sprintf("the daemon answered %s", resp.Status), Code: CodeFailed}
		}
		return e
	}
	if err := dec.Decode(reply); err != nil {
		return &Error{Text: "read the daemon's answer: " + err.Error(), Code: CodeFailed}
	}
	return nil
}

func (c *Client) unreachable(err error) *Error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Text: "no daemon answers on " + c.path, Code: CodeNotRunning,
			HintText: "start it with: ldapsync run"}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Text: "not allowed to open " + c.path, Code: CodeForbidden,
			HintText: "run the command as the daemon's user or as root"}
	}
	return &Error{Text: fmt.Sprintf("talk to the daemon on %s: %v", c.path, err), Code: CodeFailed}
}

var _ Service = (*Client)(nil)
