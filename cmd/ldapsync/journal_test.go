package main

import (
	"context"
	"fmt"
	"strings"

	"ldapsync/control"
)

// journalFile is what a fakeService knows of conflicts and the past.
type journalFile struct {
	Conflicts []control.Conflict
	Counts    map[string]int
	History   control.History
	Deleted   []control.Deleted
	Withheld  []control.Withheld
}

// Conflicts answers in pages of two.
func (s *fakeService) Conflicts(_ context.Context, ask control.ConflictsRequest) (control.ConflictsPage, error) {
	if ask.Name == "cn=nobody" {
		return control.ConflictsPage{}, &control.Error{Text: "no entry cn=nobody", HintText: "look again", Code: control.CodeRequest}
	}
	at := 0
	if ask.After != "" {
		if _, err := fmt.Sscan(ask.After, &at); err != nil {
			return control.ConflictsPage{}, &control.Error{Text: "not the end of a page: " + ask.After, Code: control.CodeRequest}
		}
	}
	var matching []control.Conflict
	for _, c := range s.journal.Conflicts {
		if len(ask.Kinds) == 0 || strings.Contains(strings.Join(ask.Kinds, " "), c.Kind) {
			matching = append(matching, c)
		}
	}
	end := min(at+2, at+ask.Limit, len(matching))
	page := control.ConflictsPage{Conflicts: matching[at:end], Counts: s.journal.Counts}
	if end < len(matching) {
		page.Next = fmt.Sprint(end)
	}
	return page, nil
}

func (s *fakeService) Conflict(_ context.Context, ask control.ConflictRequest) (control.Conflict, error) {
	for _, c := range s.journal.Conflicts {
		if strings.HasPrefix(c.ID, ask.ID) {
			return c, nil
		}
	}
	return control.Conflict{}, &control.Error{Text: "no conflict " + ask.ID, HintText: "ldapsync conflicts list shows them", Code: control.CodeRequest}
}

func (s *fakeService) Restore(_ context.Context, ask control.RestoreRequest) (string, error) {
	return fmt.Sprintf("restored %s %s %v", ask.ID, ask.Rename, ask.RemoveValue), nil
}

func (s *fakeService) Drop(_ context.Context, ask control.DropRequest) (int, error) {
	if ask.All {
		return len(s.journal.Conflicts), nil
	}
	return len(ask.IDs), nil
}

func (s *fakeService) DropParked(context.Context, string, string) error { return nil }

func (s *fakeService) History(_ context.Context, ask control.HistoryRequest) (control.History, error) {
	page := s.journal.History
	if ask.After == "" && len(page.Changes) > 1 {
		page.Changes, page.Next = page.Changes[:1], "rest"
	} else if ask.After == "rest" {
		page.Changes = page.Changes[1:]
	}
	return page, nil
}

func (s *fakeService) Undelete(_ context.Context, ask control.UndeleteRequest) (string, error) {
	return ask.Name + " is back", nil
}

func (s *fakeService) Deleted(context.Context, control.DeletedRequest) (control.DeletedPage, error) {
	return control.DeletedPage{Deleted: s.journal.Deleted, Next: "x"}, nil
}

func (s *fakeService) Withheld(context.Context, control.WithheldRequest) ([]control.Withheld, error) {
	return s.journal.Withheld, nil
}

func (s *fakeService) Release(_ context.Context, ask control.ReleaseRequest) (string, error) {
	return fmt.Sprintf("shown %s below %q", ask.Entry, ask.Below), nil
}
