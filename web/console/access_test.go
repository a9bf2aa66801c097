package console_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/web/console"
)

// try is how a stranger would use a route: one on another desk, where it is
// about a record of this desk.
type try struct {
	path string // with the record's id in it
	form string
	// shows is what the stranger may see of a list: nothing of another desk.
	list bool
	// denied: what is tried is no record of others, but needs a right.
	denied bool
	// invalid: what a form without anything in it is answered, before any record.
	invalid bool
	// stale: there is nothing of the kind to answer.
	stale bool
}

// tries has an entry for each route; one that is missing fails the test.
func tries(id conversation.ID, message, contact, offer, ticket, asked string) map[string]try {
	c := "/conversations/" + string(id)
	return map[string]try{
		"GET /{$}": {path: "/", list: true}, "GET /alive": {path: "/alive", list: true}, "GET /bar": {path: "/bar", list: true},
		"POST /preferences": {path: "/preferences", form: "lang=ko", list: true},
		"GET /notice":       {path: "/notice", list: true}, "POST /notice": {path: "/notice", form: "version=1", stale: true},
		"GET /setup/notice": {path: "/setup/notice"}, "POST /setup/notice": {path: "/setup/notice", form: "version=0"},
		"GET /me": {path: "/me", list: true}, "POST /me/switches": {path: "/me/switches", form: "chat=1", denied: true},
		"POST /views":             {path: "/views?view=all", form: "name=stranger", list: true}, // its own alone
		"POST /views/{id}/delete": {path: "/views/v/delete", form: "version=1", denied: true},
		"GET /replies":            {path: "/replies", list: true}, "GET /replies/{id}": {path: "/replies/none"},
		"POST /replies/{id}":   {path: "/replies/none", form: "title=x&version=1"},
		"GET /history/backups": {path: "/history/backups"}, "POST /history/backup": {path: "/history/backup"},
		"GET /history/backups/{id}":           {path: "/history/backups/x"},
		"GET /history/export":                 {path: "/history/export?as=csv", list: true},
		"POST /setup/agents/{id}/invite":      {path: "/setup/agents/zed/invite"},
		"POST /setup/agents/{id}/uninvite":    {path: "/setup/agents/zed/uninvite"},
		"POST /presence":                      {path: "/presence", form: "presence=online", list: true}, // its own alone
		"POST /offers/{id}/accept":            {path: "/offers/" + offer + "/accept"},
		"POST /offers/{id}/decline":           {path: "/offers/" + offer + "/decline"},
		"POST /consultations/{id}/accept":     {path: "/consultations/" + asked + "/accept"},
		"POST /consultations/{id}/decline":    {path: "/consultations/" + asked + "/decline"},
		"POST /consultations/{id}/withdraw":   {path: "/consultations/" + asked + "/withdraw"},
		"GET /conversations":                  {path: "/conversations?view=all", list: true},
		"GET /conversations/{id}":             {path: c},
		"GET /conversations/{id}/earlier":     {path: c + "/earlier?before=100"},
		"GET /conversations/{id}/explain":     {path: c + "/explain"},
		"POST /conversations/{id}/answer":     {path: c + "/answer", form: "text=stranger"},
		"POST /conversations/{id}/note":       {path: c + "/note", form: "text=stranger"},
		"POST /conversations/{id}/typing":     {path: c + "/typing"},
		"POST /conversations/{id}/take":       {path: c + "/take"},
		"POST /conversations/{id}/transfer":   {path: c + "/transfer", form: "agent=zed"},
		"POST /conversations/{id}/wait":       {path: c + "/wait"},
		"POST /conversations/{id}/end":        {path: c + "/end"},
		"POST /conversations/{id}/reopen":     {path: c + "/reopen"},
		"POST /conversations/{id}/ask-rating": {path: c + "/ask-rating"},
		"POST /messages/{id}/unsend":          {path: "/messages/" + message + "/unsend"},
		"POST /messages/{id}/resend":          {path: "/messages/" + message + "/resend"},
		"POST /messages/{id}/fetch":           {path: "/messages/" + message + "/fetch"},
		"POST /conversations/{id}/panel":      {path: c + "/panel", form: "name=stranger&version=1"},
		"GET /conversations/{id}/link":        {path: c + "/link?q=x"},
		"POST /conversations/{id}/link":       {path: c + "/link", form: "contact=" + contact},
		"GET /contacts/{id}/erase":            {path: "/contacts/" + contact + "/erase"},
		"GET /contacts/{id}/erasure":          {path: "/contacts/" + contact + "/erasure"},
		"POST /contacts/{id}/erase":           {path: "/contacts/" + contact + "/erase", form: "version=1&reason=x"},
		"GET /setup/accounts/{id}/qr":         {path: "/setup/accounts/shop/qr"},
		"GET /setup/accounts/{id}/preview":    {path: "/setup/accounts/shop/preview"},
		"POST /messages/{id}/mask":            {path: "/messages/" + message + "/mask", form: "version=1&span=0-1"},
		"POST /messages/{id}/reveal":          {path: "/messages/" + message + "/reveal", form: "mask=x&reason=why"},
		"POST /messages/{id}/unmask": {path: "/messages/" + message + "/unmask",
			form: "mask=x&reason=why&confirm=1&version=1"},
		"POST /tickets/{id}/mask":   {path: "/tickets/" + ticket + "/mask", form: "version=1&part=title&span=0-1"},
		"POST /tickets/{id}/reveal": {path: "/tickets/" + ticket + "/reveal", form: "mask=x&part=title&reason=why"},
		"POST /tickets/{id}/unmask": {path: "/tickets/" + ticket + "/unmask",
			form: "mask=x&part=title&reason=why&confirm=1&version=1"},
		"POST /tickets/{id}/fields/{code}/reveal": {path: "/tickets/" + ticket + "/fields/card/reveal"},
		"GET /files/{id}/{n}":                     {path: "/files/" + message + "/0"},
		"GET /letters/{id}/{n}":                   {path: "/letters/" + message + "/0"},
		"POST /files":                             {path: "/files?name=x.txt&conversation=" + string(id), form: "hello"},
		"GET /canned":                             {path: "/canned?q=x", list: true},
		"GET /tickets":                            {path: "/tickets?list=open", list: true},
		"POST /tickets":                           {path: "/tickets", form: "conversation=" + string(id)},
		"GET /tickets/{id}":                       {path: "/tickets/" + ticket},
		"GET /tickets/{id}/files/{file}":          {path: "/tickets/" + ticket + "/files/none"},
		"GET /tickets/export":                     {path: "/tickets/export?as=csv&list=open", list: true},
		"GET /tickets/{id}/letters/{message}/{n}": {path: "/tickets/" + ticket + "/letters/" + message + "/0"},
		"POST /tickets/{id}":                      {path: "/tickets/" + ticket, form: "title=stranger&version=1"},
		"POST /tickets/{id}/merge":                {path: "/tickets/" + ticket + "/merge", form: "into=1"},
		"POST /tickets/{id}/link":                 {path: "/tickets/" + ticket + "/link", form: "to=" + ticket},
		"GET /tickets/{id}/split":                 {path: "/tickets/" + ticket + "/split"},
		"POST /tickets/{id}/split":                {path: "/tickets/" + ticket + "/split", form: "entry=1&title=stranger"},
		"POST /tickets/{id}/hand-over":            {path: "/tickets/" + ticket + "/hand-over", form: "target=shop&version=1"},
		"POST /tickets/{id}/take-back":            {path: "/tickets/" + ticket + "/take-back", form: "version=1"},
		"POST /tickets/{id}/follow":               {path: "/tickets/" + ticket + "/follow"},
		"GET /setup/tickets":                      {path: "/setup/tickets"},
		"POST /setup/tickets/{what}":              {path: "/setup/tickets/word", form: "word=stranger"},
		"GET /setup/layouts/{id}":                 {path: "/setup/layouts/new"},
		"POST /setup/layouts/{id}":                {path: "/setup/layouts/new", form: "html=stranger"},
		"POST /setup/layouts/preview":             {path: "/setup/layouts/preview", form: "html=stranger"},
		"GET /setup/channels":                     {path: "/setup/channels"},
		"GET /setup/workspace":                    {path: "/setup/workspace"},
		"POST /setup/workspace":                   {path: "/setup/workspace", form: "editor=html"},
		"POST /setup/mail/preview":                {path: "/setup/mail/preview", form: "layout.0.html=stranger&preview=0"},
		"GET /setup/levels/{id}":                  {path: "/setup/levels/new"},
		"POST /setup/levels/{id}":                 {path: "/setup/levels/new", form: "name=stranger"},
		"GET /macros":                             {path: "/macros"},
		"GET /macros/{id}":                        {path: "/macros/new"},
		"POST /macros/{id}":                       {path: "/macros/new", form: "title=stranger"},
		"POST /macros/{id}/move":                  {path: "/macros/m/move", form: "to=up&version=1"},
		"GET /run-macro":                          {path: "/run-macro?subject=ticket&macro=none&record=" + ticket},
		"POST /run-macro":                         {path: "/run-macro", form: "subject=ticket&macro=none&record=" + ticket},
		"GET /bulk":                               {path: "/bulk", list: true},
		"POST /bulk":                              {path: "/bulk", form: "ticket=" + ticket, invalid: true},
		"GET /bulk/new":                           {path: "/bulk/new?ticket=" + ticket, list: true},
		"GET /bulk/{id}":                          {path: "/bulk/none"},
		"POST /bulk/{id}/undo":                    {path: "/bulk/none/undo", stale: true},
		"GET /ticket-views/{id}":                  {path: "/ticket-views/none"},
		"POST /ticket-views/{id}":                 {path: "/ticket-views/none", form: "name=stranger&version=1"},
		"GET /triggers":                           {path: "/triggers"},
		"GET /triggers/{id}":                      {path: "/triggers/new"},
		"POST /triggers/{id}":                     {path: "/triggers/new", form: "title=stranger"},
		"GET /triggers/{id}/trials/{trial}":       {path: "/triggers/new/trials/x"},
		"POST /triggers/{id}/trials/{trial}/stop": {path: "/triggers/new/trials/x/stop"},
		"POST /triggers/{id}/switch":              {path: "/triggers/t/switch", form: "active=1"},
		"POST /triggers/{id}/move":                {path: "/triggers/t/move", form: "to=up&version=1"},
		"POST /triggers/{id}/trace":               {path: "/triggers/t/trace", form: "on=1"},
		"GET /setup/tickets/categories":           {path: "/setup/tickets/categories?tree=intake&as=csv"},
		"GET /queues":                             {path: "/queues", list: true},
		"GET /setup":                              {path: "/setup"}, "GET /setup/heard": {path: "/setup/heard?account=shop"},
		"GET /setup/agents/{id}":                  {path: "/setup/agents/ara"},
		"POST /setup/agents/{id}":                 {path: "/setup/agents/zed", form: "name=Zed&role=administrator&version=1"},
		"GET /setup/desks/{id}/picture":           {path: "/setup/desks/support/picture"},
		"POST /setup/desks/{id}/picture":          {path: "/setup/desks/support/picture", form: "delete=1"},
		"GET /setup/accounts/{id}/invitation":     {path: "/setup/accounts/shop/invitation"},
		"GET /setup/desks/{id}":                   {path: "/setup/desks/support"},
		"POST /setup/desks/{id}":                  {path: "/setup/desks/support", form: "name=Mine&member=zed&version=1"},
		"GET /setup/queues/{id}":                  {path: "/setup/queues/everyone"},
		"POST /setup/queues/{id}":                 {path: "/setup/queues/everyone", form: "name=Mine&member=zed&version=1"},
		"GET /setup/streams/{id}":                 {path: "/setup/streams/line"},
		"POST /setup/streams/{id}":                {path: "/setup/streams/line", form: "name=Mine&version=1"},
		"GET /setup/accounts/{id}":                {path: "/setup/accounts/shop"},
		"POST /setup/accounts/{id}":               {path: "/setup/accounts/shop", form: "name=Mine&version=1"},
		"GET /setup/accounts/{id}/check":          {path: "/setup/accounts/shop/check"},
		"GET /setup/accounts/{id}/first":          {path: "/setup/accounts/shop/first"},
		"POST /setup/accounts/{id}/connect":       {path: "/setup/accounts/shop/connect"},
		"GET /operations":                         {path: "/operations"},
		"POST /operations/envelopes/{id}/requeue": {path: "/operations/envelopes/e/requeue"},
		"POST /operations/jobs/{id}/retry":        {path: "/operations/jobs/j/retry"},
		"GET /setup/hooks":                        {path: "/setup/hooks"},
		"GET /setup/hooks/{id}":                   {path: "/setup/hooks/new"},
		"POST /setup/hooks/{id}":                  {path: "/setup/hooks/new", form: "name=stranger&event=ticket"},
		"POST /setup/hooks/{id}/replay":           {path: "/setup/hooks/crm/replay", form: "from=2026-11-29T10:00"},
		"GET /setup/targets":                      {path: "/setup/targets"},
		"POST /setup/targets/{id}/test":           {path: "/setup/targets/hook/test", form: "to=stranger"},
		"GET /setup/targets/{id}":                 {path: "/setup/targets/new"},
		"POST /setup/targets/{id}":                {path: "/setup/targets/new", form: "name=stranger&set.url=https://evil.example/"},
		"GET /operations/deliveries":              {path: "/operations/deliveries"},
		"POST /operations/deliveries":             {path: "/operations/deliveries", form: "target=hook&from=2026-11-29T10:00"},
		"GET /operations/deliveries/{id}":         {path: "/operations/deliveries/d"},
		"POST /operations/deliveries/{id}/again":  {path: "/operations/deliveries/d/again"},
		"GET /history":                            {path: "/history?q=parcel", list: true},
	}
}

// Every route is asked by nobody, from another site, and by a stranger.
func TestEveryRouteRefusesStrangers(t *testing.T) {
	w := newWorld(t)
	w.online("ara")
	w.line.User("Mina").SendText("parcel secret-of-mina")
	c := w.conversationOf("Mina")
	var offer string
	w.eventually("an offer", func() bool {
		held, err := w.eng.Held(t.Context(), w.as("ara"), "ara")
		require.NoError(t, err)
		if len(held.Offers) > 0 {
			offer = string(held.Offers[0].ID)
		}
		return offer != ""
	})
	detail, err := w.eng.Conversation(t.Context(), w.host, c.ID)
	require.NoError(t, err)
	made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Desk: "support", Title: "secret-of-mina"})
	require.NoError(t, err)
	w.line.User("Jun").SendText("hello")
	asked := w.asking("Jun", "bo")
	all := tries(c.ID, string(detail.Messages[0].ID), string(c.Contact), offer, string(made.Ticket), asked)
	for _, r := range w.page.Routes() {
		name := r.Method + " " + r.Path
		if r.Path == "/events" {
			continue // TestTheStreamEndsWithTheSession
		}
		tr, ok := all[name]
		require.True(t, ok, "route %s has no access case: add one to tries", name)
		t.Run(name, func(t *testing.T) { refused(t, w, r.Method, r.Right, tr) })
	}
	after, err := w.eng.Conversation(t.Context(), w.host, c.ID)
	require.NoError(t, err)
	require.Equal(t, detail.Conversation.EventSeq, after.Conversation.EventSeq, "nothing happened to the conversation")
	require.Equal(t, "Mina", after.Contact.Name)
}

// asking gives a customer's conversation to ara, who asks somebody to take it over.
func (w *world) asking(name, whom string) string {
	id := w.owned(name, "ara")
	w.online(whom)
	asked, err := w.eng.Consult(w.t.Context(), w.as("ara"), sangdam.Consult{Conversation: id, Agent: routing.AgentID(whom)})
	require.NoError(w.t, err)
	return asked.ID
}

// The page that signs in keeps a query and a fragment of its own; what cannot be an
// address is refused when the console is made.
func TestTheSignInPageKeepsItsQuery(t *testing.T) {
	w := newWorld(t)
	for signIn, want := range map[string]string{
		"/sign-in":                            "/sign-in?next=%2Fdesk%2Fqueues",
		"/sign-in?":                           "/sign-in?next=%2Fdesk%2Fqueues",
		"/sign-in?tenant=a%26b&next=%2F":      "/sign-in?next=%2Fdesk%2Fqueues&tenant=a%26b",
		"https://id.example/in?tenant=a#form": "https://id.example/in?next=%2Fdesk%2Fqueues&tenant=a#form",
	} {
		o := w.options
		o.SignIn = signIn
		h, err := console.NewHandler(w.eng, o)
		require.NoError(t, err, signIn)
		r, rw := httptest.NewRequest(http.MethodGet, "/desk/queues", nil), httptest.NewRecorder()
		r.Header.Set("Accept", "text/html")
		h.ServeHTTP(rw, r)
		require.Equal(t, http.StatusSeeOther, rw.Code, signIn)
		require.Equal(t, want, rw.Header().Get("Location"))
	}
	for _, signIn := range []string{"https://id.example/%zz", "/sign-in?tenant=%zz", "/sign-in?tenant=a;b=c"} {
		o := w.options
		o.SignIn = signIn
		_, err := console.NewHandler(w.eng, o)
		require.ErrorIs(t, err, sangdam.ErrInvalid, signIn)
		require.ErrorContains(t, err, "SignIn")
	}
}

func refused(t *testing.T, w *world, method, right string, tr try) {
	nobody := w.client("")
	resp := nobody.do(method, tr.path, tr.form)
	require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	require.True(t, strings.HasPrefix(resp.Header.Get("Location"), "/sign-in?next="))
	if method == http.MethodPost {
		for _, h := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}},
			{"Origin": {"https://evil.example"}}, {}} {
			cross := w.client("ara")
			cross.header = h
			require.Equal(t, http.StatusForbidden, cross.do(method, tr.path, tr.form).StatusCode, "%v", h)
		}
	}
	resp = w.client("zed").do(method, tr.path, tr.form)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NotContains(t, string(body), "secret-of-mina")
	require.NotContains(t, string(body), "Mina")
	switch {
	case right == string(sangdam.ActConfigure), right == string(sangdam.ActOperate), right == string(sangdam.ActBackup),
		right == string(sangdam.ActErase):
		require.Equal(t, http.StatusForbidden, resp.StatusCode)
		require.Equal(t, http.StatusForbidden, w.client("ara").do(method, tr.path, tr.form).StatusCode)
	case tr.denied:
		require.Equal(t, http.StatusForbidden, resp.StatusCode, "%s", body)
	case tr.invalid:
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, "%s", body)
	case tr.stale:
		require.Equal(t, http.StatusConflict, resp.StatusCode, "%s", body)
	case tr.list:
		require.Less(t, resp.StatusCode, 400)
	default:
		require.Equal(t, http.StatusNotFound, resp.StatusCode, "%s", body)
	}
}

// Headers of every answer: no frame, no sniffing, nothing from elsewhere.
func TestHeadersOfPages(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/conversations", "/nowhere", "/conversations/none"} {
		resp := w.client("ara").do(http.MethodGet, path, "")
		csp := resp.Header.Get("Content-Security-Policy")
		require.Contains(t, csp, "default-src 'none'")
		require.Contains(t, csp, "frame-ancestors 'none'")
		require.NotContains(t, csp, "unsafe")
		require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	}
	require.Equal(t, http.StatusNotFound, w.client("ara").do(http.MethodGet, "/nowhere", "").StatusCode)
}

// A page that a form names to return to is one of these, never another site's.
func TestReturningLeadsNowhereElse(t *testing.T) {
	w := newWorld(t)
	for _, back := range []string{"https://evil.example/", "//evil.example", "/desk//evil.example", "/desk/\\evil.example", "/other", ""} {
		resp := w.client("ara").do(http.MethodPost, "/preferences", "lang=ko&back="+strings.ReplaceAll(back, "\\", "%5C"))
		require.Equal(t, "/desk/conversations", resp.Header.Get("Location"), "%s", back)
	}
	resp := w.client("ara").do(http.MethodPost, "/preferences", "lang=ko&back=/desk/queues")
	require.Equal(t, "/desk/queues", resp.Header.Get("Location"))
}

// Whoever is signed out, or is given another role, is cut off at once.
func TestTheStreamEndsWithTheSession(t *testing.T) {
	w := newWorld(t)
	resp := w.client("ara").do(http.MethodGet, "/events", "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	w.signOut("ara", true)
	_, err := io.ReadAll(resp.Body) // it ends
	require.NoError(t, err)
	require.Equal(t, http.StatusSeeOther, w.client("ara").do(http.MethodGet, "/events", "").StatusCode)
	require.Equal(t, http.StatusSeeOther, w.client("").do(http.MethodGet, "/events", "").StatusCode)
}
