package sangdam_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/web/helpcenter"
)

// ratingPages calls the pages of rating links as a browser does.
type ratingPages struct {
	t *testing.T
	h http.Handler
}

func (w *mailWorld) ratingPages() ratingPages {
	h, err := helpcenter.NewRatings(w.eng, helpcenter.RatingOptions{Prefix: "/ratings"})
	require.NoError(w.t, err)
	return ratingPages{w.t, h}
}

func (p ratingPages) do(method, address string, form url.Values, header ...string) (int, string) {
	r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	got := httptest.NewRecorder()
	p.h.ServeHTTP(got, r)
	require.Contains(p.t, got.Header().Get("Content-Security-Policy"), "default-src 'none'")
	return got.Code, got.Body.String()
}

func (p ratingPages) send(address, score, comment string) int {
	code, _ := p.do(http.MethodPost, address, url.Values{"score": {score}, "comment": {comment}}, "Sec-Fetch-Site", "same-origin")
	return code
}

var ratingAddress = regexp.MustCompile(`https://desk\.test/ratings/\S+`)

// rated has Mina's mail answered and ended, and returns the link that she got.
func (w *mailWorld) rated(subject string) (conversation.ID, string) {
	before := len(w.conversations())
	w.write(emailtest.Letter{Subject: subject, Text: "where is it?"})
	var id conversation.ID
	for _, c := range w.conversations() {
		if c.State != conversation.StateClosed {
			id = c.ID
		}
	}
	require.Len(w.t, w.conversations(), before+1)
	require.NoError(w.t, errOf(w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: id, Content: channel.Text("here")})))
	return id, w.endAndAsk(id)
}

func (w *mailWorld) endAndAsk(id conversation.ID) string {
	require.NoError(w.t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: id})))
	w.pass(3 * time.Second)
	mails := w.got("mina@example.com")
	link := ratingAddress.FindString(mails[len(mails)-1].Text)
	require.NotEmpty(w.t, link)
	return link
}

func inRatedMail(t *testing.T, fn func(w *mailWorld)) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		w.online("a1")
		s := w.configuration().WorkStreams["mail"]
		s.Messages[automated.Rating] = map[string]string{"": "How was it?"}
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})))
		w.pass(3 * time.Second)
		fn(w)
	}, withConfig(func(c *sangdam.Config) { c.RatingsURL = "https://desk.test/ratings/" }))
}

// A mail asks for a rating by a link that agents never see. Looking at its page
// rates nothing, the form does, once, and opens nothing.
func TestARatingByALinkInAMail(t *testing.T) {
	inRatedMail(t, func(w *mailWorld) {
		p := w.ratingPages()
		id, link := w.rated("order")
		require.Regexp(t, `^https://desk\.test/ratings/\w+/[0-9a-f]{40}$`, link)
		d := w.detail(id)
		asked := d.Messages[len(d.Messages)-1]
		require.Equal(t, []string{"How was it?", automated.Rating}, []string{asked.Content.Text, asked.Automated})
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} { // a mail scanner
			code, body := p.do(method, link, nil)
			require.Equal(t, http.StatusOK, code)
			if method == http.MethodGet {
				require.Contains(t, body, "How was it?")
				require.NotContains(t, body, "where is it", "nothing of the conversation")
			}
		}
		require.Nil(t, w.detail(id).Conversation.Rating)
		form := url.Values{"score": {"4"}}
		code, _ := p.do(http.MethodPost, link, form)
		require.Equal(t, http.StatusForbidden, code, "not from the form")
		code, _ = p.do(http.MethodPost, link, form, "Sec-Fetch-Site", "cross-site")
		require.Equal(t, http.StatusForbidden, code)
		for _, score := range []string{"", "0", "6", "4.5", "x"} {
			require.Equal(t, http.StatusUnprocessableEntity, p.send(link, score, ""), score)
		}
		require.Equal(t, http.StatusUnprocessableEntity, p.send(link, "4", strings.Repeat("가", 2000)))
		require.Nil(t, w.detail(id).Conversation.Rating)
		require.Equal(t, http.StatusOK, p.send(link, "4", "Quick <b>and</b> friendly"))
		require.Equal(t, http.StatusOK, p.send(link, "1", "no"), "told that it was rated")
		w.pass(3 * time.Second)
		cv := w.detail(id).Conversation
		require.Equal(t, []any{4, "Quick <b>and</b> friendly", conversation.StateClosed}, []any{cv.Rating.Score, cv.Rating.Comment,
			cv.State})
		_, body := p.do(http.MethodGet, link, nil)
		require.NotContains(t, body, "<form")
	})
}

// A link that is forged, of another workspace, too old, or of an ending that is
// over is none, and all of them look alike.
func TestARatingLinkThatIsNone(t *testing.T) {
	inRatedMail(t, func(w *mailWorld) {
		p := w.ratingPages()
		id, first := w.rated("order")
		_, second := w.rated("another")
		require.NotEqual(t, first, second)
		token := first[strings.LastIndexByte(first, '/')+1:]
		_, gone := p.do(http.MethodGet, first[:len(first)-1]+"g", nil)
		none := func(link, why string) {
			t.Helper()
			code, body := p.do(http.MethodGet, link, nil)
			require.Equal(t, []any{http.StatusNotFound, gone}, []any{code, body}, why)
			require.Equal(t, http.StatusNotFound, p.send(link, "5", ""), why)
		}
		none(first[:len(first)-2], "cut")
		none(strings.Replace(first, token, strings.Repeat("0", 40), 1), "guessed")
		none("https://desk.test/ratings/elsewhere/"+token, "another workspace")
		none("https://desk.test/ratings/%00/"+token, "no workspace at all")
		// It goes on, and ends again: the old link is over, the new one is not.
		w.write(emailtest.Answer(w.got("mina@example.com")[1], "one more thing"))
		require.NotEqual(t, conversation.StateClosed, w.detail(id).Conversation.State)
		none(first, "the conversation goes on")
		require.NoError(t, errOf(w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: id, Content: channel.Text("yes")})))
		w.pass(3 * time.Second)
		third := w.endAndAsk(id)
		none(first, "another ending")
		require.Equal(t, http.StatusOK, p.send(third, "5", ""))
		w.jump(31 * 24 * time.Hour)
		none(second, "a month is over")
	})
}

// A thread that had its automatic mails of the day is not asked, and can be later.
func TestAQuietThreadIsAskedForARatingLater(t *testing.T) {
	inRatedMail(t, func(w *mailWorld) {
		s := w.configuration().WorkStreams["mail"]
		s.Messages[automated.Ended] = map[string]string{"": "Goodbye."}
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})))
		w.pass(3 * time.Second)
		first := w.write(emailtest.Letter{Subject: "order", Text: "one"})
		id := w.only().Conversation.ID
		answer := func() {
			require.NoError(t, errOf(w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: id, Content: channel.Text("here")})))
		}
		answer()
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: id, Unrated: true})))
		w.write(emailtest.Letter{Subject: "Re: order", Text: "two", InReplyTo: first})
		answer()
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: id})))
		w.pass(3 * time.Second)
		ask := func() error { return errOf(w.eng.AskRating(w.ctx, w.agent("a1"), sangdam.AskRating{Conversation: id})) }
		require.ErrorIs(t, ask(), sangdam.ErrUnsupported, "acknowledged, and twice told of its end")
		w.jump(25 * time.Hour)
		require.NoError(t, ask())
		w.pass(3 * time.Second)
		mails := w.got("mina@example.com")
		require.Regexp(t, ratingAddress, mails[len(mails)-1].Text)
		require.ErrorIs(t, ask(), sangdam.ErrAlreadyExists)
	})
}

// Where nobody serves the pages, mail asks for no rating.
func TestWithoutPagesMailAsksForNoRating(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		w.online("a1")
		s := w.configuration().WorkStreams["mail"]
		s.Messages[automated.Rating] = map[string]string{"": "How was it?"}
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})))
		w.pass(3 * time.Second)
		w.write(emailtest.Letter{Subject: "order", Text: "where is it?"})
		id := w.only().Conversation.ID
		require.NoError(t, errOf(w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: id, Content: channel.Text("here")})))
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: id})))
		w.pass(3 * time.Second)
		for _, m := range w.got("mina@example.com") {
			require.NotContains(t, m.Text, "How was it?")
		}
		require.ErrorIs(t, errOf(w.eng.AskRating(w.ctx, w.agent("a1"), sangdam.AskRating{Conversation: id})), sangdam.ErrUnsupported)
	})
	_, err := helpcenter.NewRatings(nil, helpcenter.RatingOptions{})
	require.ErrorIs(t, err, sangdam.ErrInvalid)
	for _, o := range []helpcenter.RatingOptions{{Prefix: "x"}, {Language: "xx"}, {PerHour: -1}} {
		_, err := helpcenter.NewRatings(&sangdam.Engine{}, o)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
	}
}
