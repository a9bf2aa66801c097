package dooraytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/notify/dooray"
)

// MadeTask is a task that was made by the API.
type MadeTask struct {
	dooray.Task
	ID      string `json:"id"`
	Project string `json:"project"`
	By      string `json:"by"` // the member whose key it was
}

// Key lets a member use the API with a key.
func (s *Server) Key(key, member string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[key] = member
}

// Tasks lists the tasks, oldest first.
func (s *Server) Tasks() []MadeTask { return s.tasks.All() }

// makeTask answers a request that makes a task.
func (s *Server) makeTask(r *http.Request) emukit.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	member, known := s.keys[key]
	if scheme != "dooray-api" || !known {
		return refusal(http.StatusUnauthorized)
	}
	t := MadeTask{ID: fmt.Sprint(3_000_000_000_000_000_001 + s.tasks.Count()), By: member, Project: r.PathValue("project")}
	dec := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t.Task); err != nil || strings.TrimSpace(t.Subject) == "" || t.Body.MIMEType == "" || t.Users.To == nil ||
		t.Users.CC == nil {
		return refusal(http.StatusBadRequest)
	}
	s.tasks.Add(t)
	return accepted(map[string]any{"id": t.ID})
}

// Moved is the request by which a project tells that a task is in another state;
// class is backlog, registered, working or closed.
func Moved(task, class string) []byte {
	return hookBody("postWorkflowChanged", task, map[string]any{"workflow": map[string]any{"id": "100", "class": class,
		"names": []map[string]string{{"locale": "ko_KR", "name": "상태"}}}})
}

// Commented is the request by which a project tells of a comment in HTML.
func Commented(task, comment, by, html string) []byte {
	return hookBody("postCommentCreated", task, map[string]any{
		"comment": map[string]any{"id": comment, "subtype": "general", "body": map[string]string{"mimeType": "text/html", "content": html}},
		"source":  map[string]any{"type": "member", "member": map[string]string{"id": "200", "name": by}}})
}

func hookBody(kind, task string, more map[string]any) []byte {
	more["hookEventType"], more["hookVersion"] = kind, 2
	more["post"] = map[string]any{"id": task, "number": 7, "subject": "task"}
	more["project"] = map[string]any{"id": "4000", "code": "shop"}
	raw, err := json.Marshal(more)
	if err != nil {
		panic(err) // a mistake in this file
	}
	return raw
}
