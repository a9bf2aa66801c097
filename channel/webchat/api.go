package webchat

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/internal/safehttp"
)

// purpose of the consent that a visitor gives before the chat begins.
const purpose = "chat"

// available is what a page may know of the desk.
type available struct {
	Open   bool `json:"open"`
	Agents bool `json:"agents"`
}

// configuration is the answer to GET /v1/{account}.
type configuration struct {
	Title       string       `json:"title"`
	Intro       string       `json:"intro,omitempty"`
	Color       string       `json:"color,omitempty"`
	Live        bool         `json:"live"`
	Available   available    `json:"available"`
	MembersOnly bool         `json:"members_only,omitempty"`
	LoginURL    string       `json:"login_url,omitempty"`
	FormURL     string       `json:"form_url,omitempty"`
	Consent     *consentText `json:"consent,omitempty"`
	Files       fileRules    `json:"files"`
	MaxText     int          `json:"max_text"`
}

type consentText struct {
	Version string `json:"version"`
	Text    string `json:"text"`
	URL     string `json:"url,omitempty"`
}

type fileRules struct {
	Allowed  bool  `json:"allowed"`
	MaxBytes int64 `json:"max_bytes"`
}

func (h *Handler) config(c *call) error {
	a, err := h.port.Availability(c.r.Context(), c.ref)
	if err != nil {
		return err
	}
	s, lang, acct := c.settings, c.ref.Language, c.acct.Account
	out := configuration{Title: cmp.Or(s.Title.In(lang), c.acct.Desk), Intro: s.Intro.In(lang), Color: s.Color, Live: c.acct.Live,
		Available: available{a.Open, a.Agents}, MembersOnly: s.MembersOnly, LoginURL: s.LoginURL.In(lang), FormURL: s.FormURL.In(lang),
		Files: fileRules{acct.Attachments && acct.CustomerAttachments, s.maxFile()}, MaxText: maxText}
	if t := s.Consent; t != nil {
		out.Consent = &consentText{t.Version, t.Texts.In(lang), t.URL.In(lang)}
		if out.Consent.Text == "" { // asked in a language that nobody wrote it in: any is better than none
			for _, tag := range slices.Sorted(mapKeys(t.Texts)) {
				out.Consent.Text = t.Texts[tag]
				break
			}
		}
	}
	return c.answer(http.StatusOK, out)
}

// session is the answer to POST /v1/{account}/session.
type session struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
	// Identified: the host vouches for who this is.
	Identified bool  `json:"identified"`
	State      state `json:"state"`
}

// session begins or renews a session. Nothing is stored, and no token given,
// before there is consent.
func (h *Handler) session(c *call) error {
	body, err := decode[struct {
		Consent  string `json:"consent"`
		Identity string `json:"identity"`
	}](c)
	if err != nil {
		return err
	}
	ctx, acct, was := c.r.Context(), c.acct.Account, c.ref.User
	var profile visitor.Profile
	switch {
	case body.Identity != "":
		// What is not signed as it must be leaves the visitor who it was.
		if profile, err = verifyIdentity(acct, body.Identity, c.now); err == nil {
			c.visitor = newMember(profile.Subject, c.now)
		}
	case was != "" && c.visitor.kind == anonymousKind:
		c.visitor.expires = c.now.Add(anonymousFor)
	}
	if c.visitor.kind == 0 {
		c.visitor = newAnonymous(c.now)
	}
	if was == "" && !h.limits.newSession(c.ip, c.now) {
		return tooMany()
	}
	if c.settings.MembersOnly && c.visitor.kind != memberKind {
		return problem(http.StatusForbidden, "members_only", "only members chat here; log in first")
	}
	c.ref.User = c.visitor.user()
	if err := h.consentAfter(c, was, body.Consent); err != nil {
		return err
	}
	if profile.Subject != "" {
		anonymous := was
		if !strings.HasPrefix(string(was), "v-") {
			anonymous = ""
		}
		if err := h.port.Identify(ctx, c.ref, profile, anonymous); err != nil {
			return err
		}
	}
	s, err := h.port.State(ctx, c.ref)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, session{Token: c.visitor.token(acct), Expires: c.visitor.expires,
		Identified: c.visitor.kind == memberKind, State: stateOf(s)})
}

// consentAfter is consent for whoever was another visitor a moment ago: what the
// same browser agreed to holds for who is known now.
func (h *Handler) consentAfter(c *call, was channel.ProviderUserID, given string) error {
	if given == "" && was != "" && was != c.ref.User {
		before := *c
		before.ref.User = was
		if c.settings.Consent != nil && h.consent(&before, "") == nil {
			given = c.settings.Consent.Version
		}
	}
	return h.consent(c, given)
}

// consent records the agreement that the client brings, or makes sure that
// there is one to the present text.
func (h *Handler) consent(c *call, given string) error {
	want := c.settings.Consent
	if want == nil {
		return nil
	}
	if given == want.Version {
		return h.port.Consent(c.r.Context(), c.ref, "consent/"+want.Version, purpose, want.Version)
	}
	s, err := h.port.State(c.r.Context(), c.ref)
	if err != nil {
		return err
	}
	agreed := slices.ContainsFunc(s.Consents, func(g visitor.Consent) bool {
		return g.Purpose == purpose && g.TextVersion == want.Version
	})
	if !agreed {
		return problem(http.StatusForbidden, "consent_required", "the visitor must agree to the present text first")
	}
	return nil
}

// keyForm is that of a key made by a client.
var keyForm = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

func checkKey(key string) error {
	if !keyForm.MatchString(key) {
		return problem(http.StatusBadRequest, "bad_request",
			"the key must be 8 to 64 letters, digits, _ or -, made anew for each thing that is done")
	}
	return nil
}

// page is how many messages one answer holds at most.
const page = 100

func (h *Handler) messages(c *call) error {
	if err := c.signedIn(); err != nil {
		return err
	}
	from, seq, err := placeOf(c.r.URL.Query())
	if err != nil {
		return err
	}
	limit := page
	if l := c.r.URL.Query().Get("limit"); l != "" {
		if limit, err = strconv.Atoi(l); err != nil || limit < 1 || limit > page {
			return problem(http.StatusBadRequest, "bad_request", "limit is a number from 1 to 100")
		}
	}
	ms, err := h.port.Since(c.r.Context(), c.ref, from, seq, limit)
	if err != nil {
		return err
	}
	out := struct {
		Messages []message `json:"messages"`
		More     bool      `json:"more"`
	}{Messages: []message{}, More: len(ms) == limit}
	for _, m := range ms {
		out.Messages = append(out.Messages, messageOf(m))
	}
	return c.answer(http.StatusOK, out)
}

func placeOf(q url.Values) (channel.ConversationID, int64, error) {
	from, after := q.Get("conversation"), q.Get("after")
	if from == "" && after == "" {
		return "", 0, nil
	}
	seq, err := strconv.ParseInt(after, 10, 64)
	if err != nil || seq < 0 || from == "" || len(from) > 100 {
		return "", 0, problem(http.StatusBadRequest, "bad_request", "a place is a conversation and the number after which to go on")
	}
	return channel.ConversationID(from), seq, nil
}

// posted is the body of POST /v1/{account}/messages.
type posted struct {
	Key    string  `json:"key"`
	Text   string  `json:"text"`
	File   string  `json:"file"`
	Choice *choice `json:"choice"`
	// Entry is the page that the visitor is on.
	Entry string `json:"entry"`
}

// choice names a choice under one of the desk's messages: the Index-th one, of
// the Card-th card if that is given.
type choice struct {
	Message string `json:"message"`
	Card    *int   `json:"card"`
	Index   int    `json:"index"`
}

func (h *Handler) post(c *call) error {
	if err := c.signedIn(); err != nil {
		return err
	}
	body, err := decode[posted](c)
	if err != nil {
		return err
	}
	if err := checkKey(body.Key); err != nil {
		return err
	}
	if err := h.consent(c, ""); err != nil {
		return err
	}
	if !h.limits.message(c.ref, c.now) {
		return tooMany()
	}
	content, err := h.content(c, body)
	if err != nil {
		return err
	}
	c.ref.From = visitor.Origin{Entry: entryOf(body.Entry), Device: deviceOf(c.r.UserAgent()), IP: network(c.ip)}
	if c.ip.Is4() {
		c.ref.From.IP = c.ip.String()
	}
	m, err := h.port.Post(c.r.Context(), c.ref, body.Key, content)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, messageOf(m))
}

// content is what the visitor says, made of what a visitor may say.
func (h *Handler) content(c *call, b posted) (channel.Content, error) {
	if !utf8.ValidString(b.Text) || len(utf16.Encode([]rune(b.Text))) > maxText {
		return channel.Content{}, problem(http.StatusRequestEntityTooLarge, "too_large", "a text has at most 10,000 characters")
	}
	switch {
	case b.Choice != nil && (b.File != "" || b.Text != ""), b.Choice == nil && b.File == "" && strings.TrimSpace(b.Text) == "":
		return channel.Content{},
			problem(http.StatusBadRequest, "bad_request", "a message is a text, a file with or without one, or a choice")
	case b.Choice != nil:
		return h.chosen(c, *b.Choice)
	case b.File == "":
		return channel.Text(b.Text), nil
	}
	media, err := readFileRef(c.acct.Account, c.ref.User, b.File)
	if err != nil {
		return channel.Content{}, err
	}
	return channel.Content{Kind: kindOf(media.Type), Text: b.Text, Media: &media}, nil
}

// kindOf is what a file is shown as: one in which something could run is a
// download.
func kindOf(mediaType string) channel.ContentKind {
	family, _, _ := strings.Cut(mediaType, "/")
	kind, known := map[string]channel.ContentKind{"image": channel.KindImage, "video": channel.KindVideo,
		"audio": channel.KindAudio}[family]
	if !known || !safehttp.Inline(mediaType) {
		return channel.KindFile
	}
	return kind
}

// chosen looks up what was pressed: a client says which choice it was, never
// what it carries.
func (h *Handler) chosen(c *call, pressed choice) (channel.Content, error) {
	none := problem(http.StatusBadRequest, "bad_request", "there is no such choice")
	m, err := h.port.Message(c.r.Context(), c.ref, channel.MessageID(pressed.Message))
	if err != nil {
		return channel.Content{}, err
	}
	of := m.Content.Choices
	if n := pressed.Card; n != nil {
		if *n < 0 || *n >= len(m.Content.Cards) {
			return channel.Content{}, none
		}
		of = m.Content.Cards[*n].Choices
	}
	if m.Mine || pressed.Index < 0 || pressed.Index >= len(of) {
		return channel.Content{}, none
	}
	ch := of[pressed.Index]
	shown := cmp.Or(ch.Text, ch.Label)
	switch ch.Kind {
	case "message":
		return channel.Text(shown), nil
	case "postback":
		return channel.Content{Kind: channel.KindPostback, Text: shown, Postback: &channel.Postback{Data: ch.Data}}, nil
	}
	return channel.Content{}, none
}

// uploadWithin is how long the bytes of a file may take.
const uploadWithin = 10 * time.Minute

func (h *Handler) upload(c *call) error {
	if err := c.signedIn(); err != nil {
		return err
	}
	name, err := url.PathUnescape(c.r.Header.Get("X-File-Name"))
	if err != nil || len(name) > 1000 || !utf8.ValidString(name) {
		return problem(http.StatusBadRequest, "bad_request", "X-File-Name is the name in UTF-8, percent-encoded")
	}
	if err := h.consent(c, ""); err != nil {
		return err
	}
	if !h.limits.message(c.ref, c.now) || !h.limits.file(c.ip, c.now) {
		return tooMany()
	}
	limit := c.settings.maxFile()
	if c.r.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	body := safehttp.Body(c.w, c.r, limit, uploadWithin)
	// A sender who leaves ends the body and, at the same moment, the context: the body
	// is to say so, which is a refusal and no failure.
	media, err := h.port.Upload(context.WithoutCancel(c.r.Context()), c.ref, name, body, limit+1)
	if err != nil {
		return err
	}
	ref, err := fileRef(c.acct.Account, c.ref.User, media)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, map[string]any{"file": ref, "name": media.Name, "type": media.Type, "size": media.Size})
}

func (h *Handler) typing(c *call) error {
	if err := c.signedIn(); err != nil {
		return err
	}
	if _, err := decode[struct{}](c); err != nil {
		return err
	}
	if h.limits.typing(c.ref, c.now) {
		if err := h.port.Typing(c.r.Context(), c.ref); err != nil {
			return err
		}
	}
	return c.none()
}

func (h *Handler) read(c *call) error {
	if err := c.signedIn(); err != nil {
		return err
	}
	body, err := decode[struct {
		Conversation channel.ConversationID `json:"conversation"`
		Seq          int64                  `json:"seq"`
	}](c)
	if err != nil {
		return err
	}
	err = h.port.Seen(c.r.Context(), c.ref, body.Conversation, body.Seq)
	if err != nil && !errors.Is(err, adapter.ErrNotFound) { // a conversation that another has followed
		return err
	}
	return c.none()
}

func (h *Handler) rating(c *call) error {
	if err := c.signedIn(); err != nil {
		return err
	}
	body, err := decode[struct {
		Key     string `json:"key"`
		Score   int    `json:"score"`
		Comment string `json:"comment"`
	}](c)
	if err != nil {
		return err
	}
	if err := checkKey(body.Key); err != nil {
		return err
	}
	if err := h.port.Rate(c.r.Context(), c.ref, body.Key, body.Score, body.Comment); err != nil {
		return err
	}
	return c.none()
}

func (h *Handler) end(c *call) error {
	if err := c.signedIn(); err != nil {
		return err
	}
	body, err := decode[struct {
		Key string `json:"key"`
	}](c)
	if err != nil {
		return err
	}
	if err := checkKey(body.Key); err != nil {
		return err
	}
	if err := h.port.End(c.r.Context(), c.ref, body.Key); err != nil {
		return err
	}
	return c.none()
}

func (h *Handler) leave(c *call) error {
	if err := c.signedIn(); err != nil {
		return err
	}
	body, err := decode[struct {
		Page string `json:"page"`
	}](c)
	if err != nil {
		return err
	}
	if err := checkKey(body.Page); err != nil {
		return err
	}
	if err := h.port.Leave(c.r.Context(), c.ref, body.Page, c.settings.grace()); err != nil {
		return err
	}
	return c.none()
}
