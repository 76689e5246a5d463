package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ldapsync/roles"
)

// Limits on what a command may send and how long it may take over it.
const (
	maxRequest   = 64 << 10
	readTimeout  = 10 * time.Second
	probeTimeout = 2 * time.Second
	stopTimeout  = 2 * time.Second
)

// Serve answers commands on the socket at path until ctx ends, and returns nil
// then, with the socket removed. The socket can be opened by the user of the
// process and by root. A socket file that a killed daemon left is replaced; it
// is an *Error with CodeInUse when another daemon answers on it.
func Serve(ctx context.Context, path string, service Service) error {
	listener, err := listen(ctx, path)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	server := &http.Server{
		Handler:     handler(service),
		ReadTimeout: readTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if server.Shutdown(stop) != nil {
		_ = server.Close()
	}
	<-failed
	return nil
}

func listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: ownerOnly}
	listener, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// ownerOnly sets the mode that Linux gives the socket file when it is bound, so
// that there is no moment at which others could open it.
func ownerOnly(_, _ string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }); cerr != nil {
		return cerr
	}
	return err
}

// removeStale removes a socket on which nobody listens any more.
func removeStale(ctx context.Context, path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is not a socket", path)
	}
	d := net.Dialer{Timeout: probeTimeout}
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return errors.Join(inUse(path), conn.Close())
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return err
}

func inUse(path string) error {
	return &Error{
		Text: "another daemon answers on " + path, Code: CodeInUse,
		HintText: "stop it first, or give each daemon its own control.socket and state.dir",
	}
}

func handler(service Service) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathStatus, func(w http.ResponseWriter, r *http.Request) {
		s, err := service.Status(r.Context())
		s.normalise()
		answer(w, s, err)
	})
	mux.HandleFunc("POST "+pathAdmit, func(w http.ResponseWriter, r *http.Request) {
		var ask admitRequest
		if !readRequest(w, r, &ask) {
			return
		}
		role, err := roles.ParseRole(ask.Role)
		if err != nil {
			answer(w, nil, &Error{Text: err.Error(), Code: CodeRequest})
			return
		}
		answer(w, struct{}{}, service.Admit(r.Context(), ask.Suffix, ask.JID, role))
	})
	mux.HandleFunc("POST "+pathRetry, func(w http.ResponseWriter, r *http.Request) {
		var ask retryRequest
		if !readRequest(w, r, &ask) {
			return
		}
		n, err := service.RetryParked(r.Context(), ask.Suffix, ask.ID)
		answer(w, retryReply{Retried: n}, err)
	})
	handleJournal(mux, service)
	handleMembers(mux, service)
	handleWithholding(mux, service)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, nil, &Error{Text: fmt.Sprintf("the daemon does not know %s %.80s", r.Method, r.URL.Path),
			HintText: "command and daemon are of different versions: restart the daemon", Code: CodeRequest})
	})
	return mux
}

// readRequest reads the body into ask, or answers and returns false.
func readRequest(w http.ResponseWriter, r *http.Request, ask any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	dec.DisallowUnknownFields()
	if err := dec.Decode(ask); err != nil {
		answer(w, nil, &Error{Text: "read the request: " + err.Error(), Code: CodeRequest})
		return false
	}
	return true
}

func answer(w http.ResponseWriter, reply any, err error) {
	status := http.StatusOK
	if err != nil {
		e := asError(err)
		reply, status = e, http.StatusInternalServerError
		if e.Code == CodeRequest {
			status = http.StatusBadRequest
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A command that went away needs no answer.
	_ = json.NewEncoder(w).Encode(reply)
}
