package dooray

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"

	nethtml "golang.org/x/net/html"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
)

// KindTask of the targets that are projects: what goes there becomes a task.
const KindTask notify.Kind = "dooray_task"

// Secrets of a project.
const (
	// SecretKey is the API key of the project's representative registrant.
	SecretKey = "key"
	// SecretKeyOf, with an agent's id behind it, is that agent's own key: its
	// tasks are registered in its name.
	SecretKeyOf = "key:"
)

// ProjectSettings of a target.
type ProjectSettings struct {
	// Host of the API; empty: api.dooray.com. Others are api.gov-dooray.com,
	// api.gov-dooray.co.kr, api.dooray.co.kr.
	Host    string `json:"host,omitempty"`
	Project string `json:"project"` // its id
	// To are ids of members of the organisation whom tasks are for.
	To []string `json:"to,omitempty"`
}

// Tasks is the carrier of hand-overs.
type Tasks struct{ c Carrier }

var _ notify.Reporter = (*Tasks)(nil)

// NewTasks returns the carrier of tasks.
func NewTasks(o Options) *Tasks { return &Tasks{*New(o)} }

// Kind implements notify.Carrier.
func (*Tasks) Kind() notify.Kind { return KindTask }

// Policy: Dooray knows no repeat by a key, so that a task whose answer is missing
// is not made again; a person looks.
func (t *Tasks) Policy() notify.Policy {
	return notify.Policy{Timeout: 15 * time.Second, Waits: []time.Duration{2 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute,
		time.Hour}}
}

// Validate implements notify.Carrier.
func (t *Tasks) Validate(tg notify.Target) error {
	s, err := notify.Settings[ProjectSettings](tg)
	if err != nil {
		return err
	}
	switch {
	case !digits(s.Project):
		return errs.About("settings.project", errs.New(errs.Invalid,
			"dooray: settings.project is the project's id, a number such as 3012345678901234567"))
	case strings.ContainsFunc(s.Host, func(r rune) bool { return r <= ' ' || r == '/' || r == '@' || r > 0x7E }):
		return errs.About("settings.host", errs.New(errs.Invalid,
			"dooray: settings.host is the name of the API's host, such as api.dooray.com"))
	case len(s.To) > 50:
		return errs.About("settings.to", errs.New(errs.Invalid, "dooray: settings.to names %d members; use at most 50", len(s.To)))
	case tg.Secrets[SecretKey].Empty():
		return errs.About("secrets."+SecretKey, errs.New(errs.Invalid,
			"dooray: the secret %q is missing; it is the API key of the project's representative registrant",
			SecretKey))
	case len(tg.Secrets[notify.SecretHook].Reveal()) < notify.MinHook:
		return errs.About("secrets."+notify.SecretHook, errs.New(errs.Invalid,
			`dooray: the secret "hook" is the last part of the address that Dooray reports to; use %d random `+
				`letters or more`, notify.MinHook))
	}
	for _, m := range s.To {
		if !digits(m) {
			return errs.About("settings.to", errs.New(errs.Invalid, "dooray: settings.to holds ids of members, which are numbers"))
		}
	}
	return nil
}

func digits(s string) bool { return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == "" }

// HandOver is the Data of a notice that becomes a task.
type HandOver struct {
	// Agent in whose name the task is registered, where its key is known.
	Agent string `json:"agent,omitempty"`
}

// taskRequest is what Send needs; keys are named, never written.
type taskRequest struct {
	Path string          `json:"path"`
	Key  string          `json:"key"`
	Body json.RawMessage `json:"body"`
}

// Task is the body of a request that makes one.
type Task struct {
	Subject string    `json:"subject"`
	Body    TaskBody  `json:"body"`
	Users   TaskUsers `json:"users"`
	// Priority is "none": Dooray's own people decide.
	Priority string `json:"priority"`
}

// TaskBody is a task's text.
type TaskBody struct {
	MIMEType string `json:"mimeType"`
	Content  string `json:"content"`
}

// TaskUsers are whom a task is for.
type TaskUsers struct {
	To []TaskUser `json:"to"`
	CC []TaskUser `json:"cc"`
}

// TaskUser is a member of the organisation.
type TaskUser struct {
	Type   string     `json:"type"`
	Member TaskMember `json:"member"`
}

// TaskMember is a member's id.
type TaskMember struct {
	ID string `json:"organizationMemberId"`
}

// Plan implements notify.Carrier. The text is escaped: what a customer wrote is
// text in Dooray, too.
func (t *Tasks) Plan(tg notify.Target, n notify.Notice, _ time.Time) ([]byte, error) {
	s, err := notify.Settings[ProjectSettings](tg)
	var by HandOver
	if err == nil && len(n.Data) > 0 {
		err = json.Unmarshal(n.Data, &by)
	}
	if err != nil {
		return nil, notify.Refuse(channel.ReasonCredentials, 0, "the target's settings or the hand-over cannot be read")
	}
	task := Task{Subject: n.Title, Priority: "none", Users: TaskUsers{To: []TaskUser{}, CC: []TaskUser{}}}
	for _, m := range s.To {
		task.Users.To = append(task.Users.To, TaskUser{Type: "member", Member: TaskMember{ID: m}})
	}
	task.Body = TaskBody{MIMEType: "text/html", Content: notify.Paragraphs(n.Text)}
	if n.Link != "" {
		link := html.EscapeString(n.Link)
		task.Body.Content += "<br>\n<a href=\"" + link + "\">" + link + "</a>"
	}
	r := taskRequest{Path: "/project/v1/projects/" + url.PathEscape(s.Project) + "/posts", Key: SecretKey}
	if own := SecretKeyOf + by.Agent; by.Agent != "" && !tg.Secrets[own].Empty() {
		r.Key = own
	}
	if r.Body, err = json.Marshal(task); err != nil {
		return nil, notify.Refuse(channel.ReasonContent, 0, "the task cannot be encoded")
	}
	return json.Marshal(r)
}

// Send implements notify.Carrier; the receipt's id is the task's.
func (t *Tasks) Send(ctx context.Context, tg notify.Target, planned []byte) (notify.Receipt, error) {
	var r taskRequest
	s, err := notify.Settings[ProjectSettings](tg)
	if err == nil {
		err = json.Unmarshal(planned, &r)
	}
	if err != nil {
		return notify.Receipt{}, notify.Refuse(channel.ReasonContent, 0, "the planned task or the target's settings cannot be read")
	}
	key := tg.Secrets[r.Key]
	if key.Empty() {
		key = tg.Secrets[SecretKey] // the agent's was taken away since
	}
	host := s.Host
	if host == "" {
		host = "api.dooray.com"
	}
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"dooray-api " + key.Reveal()}}
	res, body, err := t.c.post(ctx, "https://"+host+r.Path, header, r.Body)
	if err != nil {
		return notify.Receipt{}, unanswered(err)
	}
	if res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden || res.Status == http.StatusNotFound {
		return notify.Receipt{Status: res.Status}, notify.Refuse(channel.ReasonCredentials, res.Status,
			"Dooray refuses the key, or it may not make tasks in this project")
	}
	receipt, err := outcome(res, body)
	if err != nil {
		return receipt, err
	}
	var made struct {
		Result struct {
			ID string `json:"id"`
		} `json:"result"`
	}
	if json.Unmarshal(body, &made) != nil || made.Result.ID == "" {
		return receipt, &adapter.SendError{Disposition: adapter.Ambiguous, Reason: channel.ReasonProvider,
			Detail: "Dooray's answer names no task"}
	}
	receipt.ID = made.Result.ID
	return receipt, nil
}

// Hook is what Dooray sends when something happens in a project. Members that it
// has besides are not read.
type Hook struct {
	Type string   `json:"hookEventType"`
	Post HookPost `json:"post"`
	// Workflow is the new state, of postWorkflowChanged.
	Workflow HookWorkflow `json:"workflow"`
	// Comment of postCommentCreated.
	Comment HookComment `json:"comment"`
	Source  HookSource  `json:"source"`
}

// HookPost is the task.
type HookPost struct {
	ID string `json:"id"`
}

// HookWorkflow is a state; Class is backlog, registered, working or closed,
// whatever the project calls it.
type HookWorkflow struct {
	ID    string `json:"id"`
	Class string `json:"class"`
}

// HookComment is a comment; its body is there if the hook was made with it.
type HookComment struct {
	ID   string   `json:"id"`
	Body TaskBody `json:"body"`
}

// HookSource is who did it.
type HookSource struct {
	Member struct {
		Name string `json:"name"`
	} `json:"member"`
}

// Reports implements notify.Reporter: states and comments of tasks come back.
func (t *Tasks) Reports(_ notify.Target, raw []byte) ([]notify.Report, error) {
	var h Hook
	if err := json.Unmarshal(raw, &h); err != nil || h.Type == "" {
		return nil, errs.New(errs.Invalid, "dooray: this is no request of a project's hook; choose the format Dooray! there")
	}
	if !digits(h.Post.ID) {
		return nil, nil
	}
	switch h.Type {
	case "postWorkflowChanged":
		state := notify.Working
		if h.Workflow.Class == "closed" {
			state = notify.Done
		}
		return []notify.Report{{Task: h.Post.ID, State: state}}, nil
	case "postCommentCreated":
		text := h.Comment.Body.Content
		if h.Comment.Body.MIMEType == "text/html" {
			text = plain(text)
		}
		return []notify.Report{{ID: h.Comment.ID, Task: h.Post.ID, Comment: text, By: h.Source.Member.Name}}, nil
	}
	return nil, nil
}

// plain is the text of HTML; blocks and breaks become lines.
func plain(source string) string {
	var b strings.Builder
	for t := nethtml.NewTokenizer(strings.NewReader(source)); ; {
		switch t.Next() {
		case nethtml.ErrorToken:
			return strings.TrimSpace(b.String())
		case nethtml.TextToken:
			b.WriteString(string(t.Text()))
		case nethtml.StartTagToken, nethtml.SelfClosingTagToken:
			switch name, _ := t.TagName(); string(name) {
			case "br", "p", "div", "li", "tr":
				b.WriteByte('\n')
			case "script", "style":
				t.Next() // its content is raw text
			}
		}
	}
}
