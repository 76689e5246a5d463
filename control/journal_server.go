package control

import (
	"context"
	"net/http"
)

// handleJournal adds the requests about conflicts and the past.
func handleJournal(mux *http.ServeMux, service Journal) {
	post(mux, pathConflicts, func(ctx context.Context, ask ConflictsRequest) (any, error) {
		page, err := service.Conflicts(ctx, ask)
		page.normalise()
		return page, err
	})
	post(mux, pathConflict, func(ctx context.Context, ask ConflictRequest) (any, error) {
		found, err := service.Conflict(ctx, ask)
		found.normalise()
		return found, err
	})
	post(mux, pathRestore, func(ctx context.Context, ask RestoreRequest) (any, error) {
		done, err := service.Restore(ctx, ask)
		return doneReply{done}, err
	})
	post(mux, pathDrop, func(ctx context.Context, ask DropRequest) (any, error) {
		n, err := service.Drop(ctx, ask)
		return dropReply{n}, err
	})
	post(mux, pathDropParked, func(ctx context.Context, ask retryRequest) (any, error) {
		return struct{}{}, service.DropParked(ctx, ask.Suffix, ask.ID)
	})
	post(mux, pathHistory, func(ctx context.Context, ask HistoryRequest) (any, error) {
		page, err := service.History(ctx, ask)
		page.normalise()
		return page, err
	})
	post(mux, pathUndelete, func(ctx context.Context, ask UndeleteRequest) (any, error) {
		done, err := service.Undelete(ctx, ask)
		return doneReply{done}, err
	})
	post(mux, pathDeleted, func(ctx context.Context, ask DeletedRequest) (any, error) {
		page, err := service.Deleted(ctx, ask)
		page.Deleted = notNil(page.Deleted)
		return page, err
	})
}

// post answers POST requests to a path.
func post[T any](mux *http.ServeMux, path string, do func(context.Context, T) (any, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var ask T
		if readRequest(w, r, &ask) {
			reply, err := do(r.Context(), ask)
			answer(w, reply, err)
		}
	})
}
