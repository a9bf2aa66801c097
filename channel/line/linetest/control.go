package linetest

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed page
var pageFiles embed.FS

// controlRoutes serves the page that plays the customer's phone at / and the
// control interface under /_emulator/. Answers are JSON; requests that change
// something must say Content-Type: application/json, so that no foreign web
// page can send them from a visitor's browser. The header Emulator-Start tells
// one start of the emulator, which remembers nothing, from another. Who blocked
// the account cannot write or press a choice here.
//
//	GET    /_emulator/state                     credentials, webhook address, counts
//	GET    /_emulator/users                     all users
//	POST   /_emulator/users                     {"name","standing"?} -> user
//	POST   /_emulator/users/{name}/messages     {"type":"text","text"} and other types, see ControlMessage
//	POST   /_emulator/users/{name}/actions      {"action":"follow"|"unfollow"|"unsend"|"postback", "message_id"?, "data"?}
//	POST   /_emulator/users/{name}/press        {"message_id","choice":N,"picked"?,"sends"?} the N-th choice of a message
//	GET    /_emulator/users/{name}/choices      what the phone shows to press
//	GET    /_emulator/users/{name}/phone        ?since=LAST&state=STATE&wait=SECONDS -> what the phone shows, and what changes
//	GET    /_emulator/users/{name}/sent         what the user wrote, as far as it is kept
//	GET    /_emulator/users/{name}/sent/{id}/content   a picture of those
//	GET    /_emulator/users/{name}/received     ?after=N&wait=SECONDS -> messages from the N-th on,
//	                                            as far as they are kept; "number" counts from 0
//	POST   /_emulator/groups                    {"name","members":[names]} -> {"id"}
//	POST   /_emulator/groups/{id}/messages      as for users, with "by"
//	POST   /_emulator/events                    a raw event, sent as it is
//	POST   /_emulator/webhook                   {"url"}
//	POST   /_emulator/secret                    a new channel secret -> {"channel_secret"}
//	GET    /_emulator/webhooks                  what was sent and how it was answered
//	GET    /_emulator/calls                     ?endpoint=push -> calls of the Messaging API
//	POST   /_emulator/faults                    a Fault
//	DELETE /_emulator/faults
//	POST   /_emulator/chaos                     a Chaos
func (s *Server) controlRoutes() {
	s.mux.HandleFunc("GET /_emulator/state", s.control(s.controlState))
	s.mux.HandleFunc("GET /_emulator/users", s.control(s.controlUsers))
	s.mux.HandleFunc("POST /_emulator/users", s.control(s.controlUser))
	s.mux.HandleFunc("POST /_emulator/users/{name}/messages", s.control(s.controlMessage))
	s.mux.HandleFunc("POST /_emulator/users/{name}/actions", s.control(s.controlAction))
	s.mux.HandleFunc("POST /_emulator/users/{name}/press", s.control(s.controlPress))
	s.mux.HandleFunc("GET /_emulator/users/{name}/choices", s.control(s.controlChoices))
	s.mux.HandleFunc("GET /_emulator/users/{name}/phone", s.control(s.controlPhone))
	s.mux.HandleFunc("GET /_emulator/users/{name}/sent", s.control(s.controlSent))
	s.mux.HandleFunc("GET /_emulator/users/{name}/sent/{id}/content", s.controlPicture)
	s.mux.HandleFunc("GET /_emulator/users/{name}/received", s.control(s.controlReceived))
	s.mux.HandleFunc("POST /_emulator/groups", s.control(s.controlGroup))
	s.mux.HandleFunc("POST /_emulator/groups/{id}/messages", s.control(s.controlGroupMessage))
	s.mux.HandleFunc("POST /_emulator/events", s.control(s.controlEvent))
	s.mux.HandleFunc("POST /_emulator/webhook", s.control(s.controlWebhook))
	s.mux.HandleFunc("POST /_emulator/secret", s.control(func(*http.Request, []byte) (any, error) {
		return map[string]string{"channel_secret": s.RotateSecret()}, nil
	}))
	s.mux.HandleFunc("GET /_emulator/webhooks", s.control(func(*http.Request, []byte) (any, error) { return s.Webhooks(), nil }))
	s.mux.HandleFunc("GET /_emulator/calls", s.control(func(r *http.Request, _ []byte) (any, error) {
		return s.Calls(r.URL.Query().Get("endpoint")), nil
	}))
	s.mux.HandleFunc("POST /_emulator/faults", s.control(s.controlFault))
	s.mux.HandleFunc("DELETE /_emulator/faults", s.control(func(*http.Request, []byte) (any, error) {
		s.ClearFaults()
		return struct{}{}, nil
	}))
	s.mux.HandleFunc("POST /_emulator/chaos", s.control(s.controlChaos))
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the directory is embedded above
	}
	s.mux.Handle("GET /{$}", secured(http.FileServerFS(files)))
	s.mux.Handle("GET /phone.js", secured(http.FileServerFS(files)))
	s.mux.Handle("GET /phone.css", secured(http.FileServerFS(files)))
	s.mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
}

func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy",
			"default-src 'self'; img-src 'self' http: https:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		h.ServeHTTP(w, r)
	})
}

var (
	errMissing = errors.New("not found")
	errBad     = errors.New("the request is not understood")
	errBlocked = errors.New("the user has blocked the account: follow it first")
)

func (s *Server) control(handle func(*http.Request, []byte) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Emulator-Start", s.started)
		if r.Method != http.MethodGet && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			fail(http.StatusUnsupportedMediaType, "Content-Type must be application/json").write(w)
			return
		}
		body, refused := readBody(r, maxUploaded)
		if refused != nil {
			refused.write(w)
			return
		}
		out, err := handle(r, body)
		switch {
		case errors.Is(err, errMissing):
			notFound().write(w)
		case err != nil:
			fail(http.StatusBadRequest, err.Error()).write(w)
		default:
			answer(http.StatusOK, out).write(w)
		}
	}
}

func (s *Server) controlState(*http.Request, []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]any{
		"channel_id": s.opt.ChannelID, "channel_secret": s.secret, "channel_token": s.opt.ChannelToken,
		"bot_user_id": s.botID, "basic_id": s.opt.BasicID, "webhook": s.webhookURL,
		"waiting_events": len(s.sender.queue), "webhooks_sent": len(s.outbound), "calls": s.counts, "consumption": s.used,
	}, nil
}

type controlUser struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Standing Standing `json:"standing"`
	Received int      `json:"received"`
	Loading  bool     `json:"loading"`
}

func (u *User) describe() controlUser {
	return controlUser{u.id, u.Name(), u.Standing(), u.count(), u.Loading()}
}

func (s *Server) controlUsers(*http.Request, []byte) (any, error) {
	all := []controlUser{}
	for _, u := range s.Users() {
		all = append(all, u.describe())
	}
	return all, nil
}

func (s *Server) controlUser(_ *http.Request, body []byte) (any, error) {
	var in controlUser
	if json.Unmarshal(body, &in) != nil || in.Name == "" {
		return nil, errBad
	}
	u := s.User(in.Name)
	switch in.Standing {
	case "":
	case Friend, Stranger, Blocked, Deleted:
		u.SetStanding(in.Standing)
	default:
		return nil, errors.New("standing must be friend, stranger, blocked or deleted")
	}
	return u.describe(), nil
}

// byName finds a user by name or id.
func (s *Server) byName(name string) (*User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.names[name]; u != nil {
		return u, nil
	}
	if u := s.users[name]; u != nil {
		return u, nil
	}
	return nil, errMissing
}

// ControlMessage is a message in the control interface.
type ControlMessage struct {
	Type      string  `json:"type"` // text, image, video, audio, file, location, sticker, or anything: a type unknown to the account
	Text      string  `json:"text"`
	MediaType string  `json:"media_type"`
	Name      string  `json:"name"`
	Data      []byte  `json:"data"` // base64
	Duration  int64   `json:"duration_ms"`
	Unready   int     `json:"unready"`
	Title     string  `json:"title"`
	Address   string  `json:"address"`
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Package   string  `json:"package"`
	Sticker   string  `json:"sticker"`
	Quote     string  `json:"quote"`
	By        string  `json:"by"` // member of a group
}

func (c ControlMessage) message() (Message, error) {
	length := time.Duration(c.Duration) * time.Millisecond
	var m Message
	switch c.Type {
	case "":
		return m, errBad
	case "text":
		m = Text(c.Text)
	case "image":
		m = Image(orElse(c.MediaType, "image/jpeg"), c.Data)
	case "video":
		m = Video(orElse(c.MediaType, "video/mp4"), c.Data, length, c.Unready)
	case "audio":
		m = Audio(orElse(c.MediaType, "audio/x-m4a"), c.Data, length)
	case "file":
		m = File(orElse(c.Name, "file.bin"), orElse(c.MediaType, "application/octet-stream"), c.Data)
	case "location":
		m = Location(c.Title, c.Address, c.Latitude, c.Longitude)
	case "sticker":
		m = Sticker(orElse(c.Package, "446"), orElse(c.Sticker, "1988"))
	default:
		m = Unknown(c.Type)
	}
	if c.Quote != "" {
		m = m.Quoting(c.Quote)
	}
	return m, nil
}

func (s *Server) controlMessage(r *http.Request, body []byte) (any, error) {
	u, err := s.byName(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	var in ControlMessage
	if json.Unmarshal(body, &in) != nil {
		return nil, errBad
	}
	m, err := in.message()
	switch {
	case err != nil:
		return nil, err
	case !u.canWrite():
		return nil, errBlocked
	}
	return u.Send(m), nil
}

// canWrite says whether the user's phone has a chat with the account.
func (u *User) canWrite() bool {
	st := u.Standing()
	return st == Friend || st == Stranger
}

// controlSentMessage is what a user wrote.
type controlSentMessage struct {
	At     time.Time `json:"at"`
	Order  int64     `json:"order"` // place among all that phones sent and received
	ID     string    `json:"id"`    // empty for what was pressed
	Kind   string    `json:"kind"`  // of the message, postback for a pressed choice, note for what the emulator notes
	Text   string    `json:"text"`  // what one reads: the text or [kind]
	Unsent bool      `json:"unsent"`
	// Message is what the account was sent; null for what was pressed.
	Message fields `json:"message,omitempty"`
	changed int64  // place at which it was taken back
}

func (s *Server) controlSent(r *http.Request, _ []byte) (any, error) {
	u, err := s.byName(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]controlSentMessage{}, u.sent...), nil
}

// controlPicture serves a picture that the user sent, to be shown beside what
// came back. Only kinds that browsers draw and never run are served.
func (s *Server) controlPicture(w http.ResponseWriter, r *http.Request) {
	u, err := s.byName(r.PathValue("name"))
	if err != nil {
		notFound().write(w)
		return
	}
	s.mu.Lock()
	p, _ := s.messages.get(r.PathValue("id"))
	out := notFound()
	if p != nil && p.by == u && p.content != nil && !p.content.gone && drawn(p.content.mediaType) {
		out = reply{status: http.StatusOK, body: p.content.data, header: http.Header{"Content-Type": {p.content.mediaType}}}
	}
	s.mu.Unlock()
	out = out.with("X-Content-Type-Options", "nosniff").with("Content-Security-Policy", "default-src 'none'; sandbox")
	out.write(w)
}

func drawn(mediaType string) bool {
	switch mediaType {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

func (s *Server) controlGroup(_ *http.Request, body []byte) (any, error) {
	var in struct {
		Name    string   `json:"name"`
		Members []string `json:"members"`
	}
	if json.Unmarshal(body, &in) != nil || in.Name == "" {
		return nil, errBad
	}
	var members []*User
	for _, name := range in.Members {
		members = append(members, s.User(name))
	}
	return map[string]string{"id": s.Group(in.Name, members...).ChatID()}, nil
}

func (s *Server) controlGroupMessage(r *http.Request, body []byte) (any, error) {
	s.mu.Lock()
	c := s.chats[r.PathValue("id")]
	s.mu.Unlock()
	var in ControlMessage
	if c == nil || c.kind == "user" {
		return nil, errMissing
	}
	if json.Unmarshal(body, &in) != nil {
		return nil, errBad
	}
	by, err := s.byName(in.By)
	if err != nil {
		return nil, err
	}
	m, err := in.message()
	if err != nil {
		return nil, err
	}
	return c.Send(by, m), nil
}

func (s *Server) controlAction(r *http.Request, body []byte) (any, error) {
	u, err := s.byName(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	var in struct {
		Action    string `json:"action"`
		MessageID string `json:"message_id"`
		Data      string `json:"data"`
	}
	if json.Unmarshal(body, &in) != nil {
		return nil, errBad
	}
	switch in.Action {
	case "follow":
		return u.Follow(), nil
	case "unfollow":
		return u.Unfollow(), nil
	case "unsend":
		return u.Unsend(in.MessageID)
	case "postback":
		if !u.canWrite() {
			return nil, errBlocked
		}
		return u.PressPostback(in.Data, nil), nil
	}
	return nil, errors.New("action must be follow, unfollow, unsend or postback")
}

func (s *Server) controlReceived(r *http.Request, _ []byte) (any, error) {
	u, err := s.byName(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	after, errAfter := strconv.Atoi(orElse(r.URL.Query().Get("after"), "0"))
	wait, errWait := strconv.Atoi(orElse(r.URL.Query().Get("wait"), "0"))
	if errAfter != nil || errWait != nil || after < 0 || wait < 0 || wait > 60 {
		return nil, errors.New("after must be a number from 0, wait a number of seconds up to 60")
	}
	if wait > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), time.Duration(wait)*time.Second)
		defer cancel()
		_ = s.WaitDelivered(ctx, u, after+1) // too long: the list is empty
	}
	return u.receivedFrom(after), nil
}

func (s *Server) controlEvent(_ *http.Request, body []byte) (any, error) {
	if !json.Valid(body) {
		return nil, errBad
	}
	s.SendRaw(body)
	return struct{}{}, nil
}

func (s *Server) controlWebhook(_ *http.Request, body []byte) (any, error) {
	var in struct {
		URL string `json:"url"`
	}
	if json.Unmarshal(body, &in) != nil {
		return nil, errBad
	}
	s.SetWebhook(in.URL)
	return struct{}{}, nil
}

func (s *Server) controlFault(_ *http.Request, body []byte) (any, error) {
	var f Fault
	if json.Unmarshal(body, &f) != nil {
		return nil, errBad
	}
	if err := f.Valid(); err != nil {
		return nil, err
	}
	s.AddFault(f)
	return struct{}{}, nil
}

func (s *Server) controlChaos(_ *http.Request, body []byte) (any, error) {
	var c Chaos
	if json.Unmarshal(body, &c) != nil {
		return nil, errBad
	}
	s.SetChaos(c)
	return struct{}{}, nil
}
