package webchat_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/routing"
)

// Nothing is stored and no token given before there is consent to the present
// text; a new text is asked for again.
func TestConsentComesFirst(t *testing.T) {
	s := openShop(t)
	c := s.client()
	for _, consent := range []any{"", "2025-12", "2026-01 "} {
		status, body := c.call("POST", "session", map[string]any{"consent": consent})
		require.Equal(t, 403, status)
		require.Equal(t, "consent_required", body["error"])
		require.NotContains(t, body, "token")
	}
	require.Empty(t, s.conversations())
	c = s.visitor()
	c.says("hi")
	rows, err := s.eng.Audit(t.Context(), host, 0, 1000)
	require.NoError(t, err)
	found := false
	for _, r := range rows {
		found = found || r.Action == "visitor.consent" && r.Details["text_version"] == "2026-01"
	}
	require.True(t, found)

	acct := s.acct
	acct.Settings = json.RawMessage(`{"consent":{"version":"2026-02","texts":{"":"New text."}}}`)
	_, err = s.eng.SaveAccount(t.Context(), host, sangdam.SaveAccount{Account: acct})
	require.NoError(t, err)
	status, body := c.call("POST", "messages", map[string]any{"key": newKey(), "text": "again"})
	require.Equal(t, 403, status)
	require.Equal(t, "consent_required", body["error"])
	status, _ = c.call("POST", "session", map[string]any{"consent": "2026-02"})
	require.Equal(t, 200, status)
	c.says("agreed")
}

// One visitor reaches nothing of another's, of another account's,
// and nothing that is not for visitors.
func TestN9VisitorsReachNothingOfEachOthers(t *testing.T) {
	s := openShop(t)
	s.online(routing.Online)
	a, b := s.visitor(), s.visitor()
	a.header.Set("X-File-Name", "a.txt")
	_, up := a.call("POST", "files", []byte("a's secret"))
	_, m := a.call("POST", "messages", map[string]any{"key": newKey(), "file": up["file"]})
	id, conversation := m["id"].(string), m["conversation"].(string)
	_, err := s.eng.AddNote(t.Context(), mina, sangdam.AddNote{Conversation: s.mine(), Text: "an internal note"})
	require.NoError(t, err)
	b.says("hi")

	status, _ := b.call("GET", "files/"+id, nil)
	require.Equal(t, 404, status)
	status, _ = b.call("POST", "messages", map[string]any{"key": newKey(), "file": up["file"]})
	require.Equal(t, 400, status, "a file that another has uploaded")
	status, _ = b.call("POST", "messages", map[string]any{"key": newKey(), "choice": map[string]any{"message": id, "index": 0}})
	require.Equal(t, 404, status)
	_, body := b.call("GET", "messages?conversation="+conversation+"&after=0", nil)
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "a.txt")
	require.NotContains(t, strings.Join(a.texts(), "|"), "internal note")

	other, err := s.eng.SaveAccount(t.Context(), host, sangdam.SaveAccount{Account: channel.Account{Kind: webchat.Kind, Name: "Other",
		Desk:       "support",
		WorkStream: "web", Settings: s.acct.Settings, Secrets: map[string]channel.Secret{webchat.SecretVisitor: channel.NewSecret(
			s.visitorKey)}}})
	require.NoError(t, err)
	here := s.acct
	s.acct = other.Account // even under the same key
	status, _ = a.call("GET", "messages", nil)
	require.Equal(t, 401, status)
	s.acct = here
	require.Equal(t, "a's secret", func() any { _, f := a.call("GET", "files/"+id, nil); return f["raw"] }())
}

// A token in an address is refused, whatever it is called.
func TestN10NoTokenInAnAddress(t *testing.T) {
	s := openShop(t)
	c := s.visitor()
	token := c.token
	c.token = ""
	for _, name := range []string{"token", "access_token", "authorization", "Authorization", "t"} {
		status, _ := c.call("GET", "messages?"+name+"="+token, nil)
		require.Equal(t, 400, status, name)
		status, _ = c.call("GET", "events?"+name+"="+token, nil)
		require.Equal(t, 400, status, name)
	}
	for _, header := range []string{token, "Basic " + token, "Bearer", "Bearer  " + token, "bearer " + token, "Bearer " + token + "x",
		"Bearer " + token[:20]} {
		c.header.Set("Authorization", header)
		status, _ := c.call("GET", "messages", nil)
		require.Equal(t, 401, status)
	}
	c.header.Set("Cookie", "token="+token)
	c.header.Del("Authorization")
	status, _ := c.call("GET", "messages", nil)
	require.Equal(t, 401, status, "N17: a cookie alone")
}

// What is not signed as it must be makes nobody known.
func TestN12NobodyIsWhoIsNotProved(t *testing.T) {
	s := openShop(t)
	s.visitor().says("hi")
	known := s.client()
	_, session := known.call("POST", "session", map[string]any{"consent": "2026-01", "identity": s.identity(nil)})
	known.token = session["token"].(string)
	known.says("my history")
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": "u-17", "aud": s.acct.Token,
		"exp": time.Now().Add(time.Hour).Unix()}).
		SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	longer, err := jwt.NewWithClaims(jwt.SigningMethodHS512, jwt.MapClaims{"sub": "u-17", "aud": s.acct.Token,
		"exp": time.Now().Add(time.Hour).Unix()}).
		SignedString([]byte(s.identityKey))
	require.NoError(t, err)
	right := s.identity(nil)
	claim := func(name string, v any) string { return s.identity(func(m jwt.MapClaims) { m[name] = v }) }
	for name, forged := range map[string]string{
		"alg none": unsigned, "another algorithm": longer, "another account": claim("aud", "another"), "expired": claim("exp",
			time.Now().Add(-time.Hour).Unix()),
		"no expiry": claim("exp", nil), "for ever": claim("exp", time.Now().Add(365*24*time.Hour).Unix()), "nobody": claim("sub", ""),
		"cut": right[:len(right)-4], "garbage": "x.y.z", "not yet": claim("nbf", time.Now().Add(time.Hour).Unix()),
	} {
		c := s.client()
		status, session := c.call("POST", "session", map[string]any{"consent": "2026-01", "identity": forged})
		require.Equal(t, 200, status, name)
		require.Equal(t, false, session["identified"], name)
		c.token = session["token"].(string)
		require.Empty(t, c.texts(), name)
	}
	status, _ := s.client().call("POST", "session", map[string]any{"consent": "2026-01", "email": "kim@example.com", "subject": "u-17"})
	require.Equal(t, 400, status, "N3: a claim in the body")

	acct := s.acct // N14: without a key nobody is anybody, whatever the key of the forger
	acct.ID, acct.Token, acct.Version = "", "", 0
	acct.Secrets = map[string]channel.Secret{webchat.SecretVisitor: channel.NewSecret(s.visitorKey)}
	unkeyed, err := s.eng.SaveAccount(t.Context(), host, sangdam.SaveAccount{Account: acct})
	require.NoError(t, err)
	s.acct = unkeyed.Account
	s.identityKey = ""
	_, session = s.client().call("POST", "session", map[string]any{"consent": "2026-01", "identity": s.identity(nil)})
	require.Equal(t, false, session["identified"])
}

// Pages of others may not carry the chat.
func TestN16PagesOfOthersAreRefused(t *testing.T) {
	s := openShop(t)
	c := s.visitor()
	try := func(method, path, origin, site string, body any) (int, http.Header) {
		req := c.request(method, path, body)
		req.Header.Set("Origin", origin)
		if origin == "" {
			req.Header.Del("Origin")
		}
		if site != "" {
			req.Header.Set("Sec-Fetch-Site", site)
		}
		status, _, h := c.do(req)
		return status, h
	}
	for _, origin := range []string{"https://evil.example", "null", "https://shop.example.evil.example", "http://shop.example",
		"https://shop.example:444", "https://SHOP.example"} {
		status, h := try("GET", "messages", origin, "", nil)
		require.Equal(t, 403, status, origin)
		require.Empty(t, h.Get("Access-Control-Allow-Origin"))
		status, _ = try("POST", "messages", origin, "", map[string]any{"key": newKey(), "text": "x"})
		require.Equal(t, 403, status, origin)
		status, _ = try("OPTIONS", "messages", origin, "", nil)
		require.Equal(t, 403, status, origin)
	}
	status, _ := try("GET", "messages", "", "cross-site", nil)
	require.Equal(t, 403, status)
	for _, origin := range []string{"https://shop.example", s.web.URL} {
		status, h := try("GET", "messages", origin, "", nil)
		require.Equal(t, 200, status, origin)
		require.Equal(t, origin, h.Get("Access-Control-Allow-Origin"))
		require.Contains(t, h.Values("Vary"), "Origin")
		require.Empty(t, h.Get("Access-Control-Allow-Credentials"))
	}
	status, _ = try("OPTIONS", "messages", "https://shop.example", "", nil)
	require.Equal(t, 204, status)
	req := c.request("POST", "messages", map[string]any{"key": newKey(), "text": "x"})
	req.Header.Set("Content-Type", "text/plain")
	status, _, _ = c.do(req)
	require.Equal(t, 415, status, "a form of another page can send text/plain")
}

// What is no text where a text is due, and members nobody knows.
func TestN18OddJSONIsRefused(t *testing.T) {
	s := openShop(t)
	c := s.visitor()
	for _, body := range []string{
		`{"key":{"$ne":""},"text":"x"}`, `{"key":["a"],"text":"x"}`, `{"key":12345678,"text":"x"}`,
		`{"key":"key-abcdef","text":{"$gt":""}}`,
		`{"key":"key-abcdef","text":"x","account":"other"}`, `{"key":"key-abcdef","text":"x","created_by":"agent"}`, `{"key":"key-abcdef"}`,
		`{"key":"key-abcdef","text":"  "}`, `{"key":"short","text":"x"}`, `{"key":"key-abcdef","text":"x"} {}`, `[]`, `null`, ``, `{`,
		`{"key":"key/abcdef","text":"x"}`,
		strings.Repeat("[",
			10_000), `{"key":"key-abcdef","choice":{"message":1,"index":0}}`, `{"key":"key-abcdef","text":"x","file":"forged.ref"}`,
		`{"key":"key-abcdef","choice":{"message":"x","index":"0"}}`, `{"key":"key-abcdef","text":"x","choice":{"message":"x","index":0}}`,
	} {
		status, _ := c.call("POST", "messages", []byte(body))
		require.Equal(t, 400, status, body)
	}
	for path, body := range map[string]string{"session": `{"consent":1}`, "typing": `{"x":1}`, "read": `{"seq":"1"}`,
		"rating": `{"key":"key-abcdef","score":"5"}`,
		"end":    `{"key":1}`, "leave": `{"page":{"$ne":1}}`} {
		status, _ := c.call("POST", path, []byte(body))
		require.Equal(t, 400, status, path)
	}
	for _, query := range []string{"?after=-1&conversation=c", "?after=x&conversation=c", "?after=1", "?limit=0", "?limit=101", "?limit=x",
		"?conversation=c"} {
		status, _ := c.call("GET", "messages"+query, nil)
		require.Equal(t, 400, status, query)
	}
	require.Empty(t, s.conversations(), "nothing of it was stored")
}

// Floods and masses.
func TestN19FloodsAndMassesAreRefused(t *testing.T) {
	s := openShop(t, withLimits(webchat.Limits{NewSessions: 20, Messages: 20, StreamsPerVisitor: 2}))
	c := s.visitor()
	status, _ := c.call("POST", "messages", map[string]any{"key": newKey(), "text": strings.Repeat("x", 1<<20)})
	require.Equal(t, 413, status, "a megabyte of text")
	status, _ = c.call("POST", "messages", map[string]any{"key": newKey(), "text": strings.Repeat("가", 10_001)})
	require.Equal(t, 413, status)
	statuses := map[int]int{}
	for range 100 {
		status, _ := s.client().call("POST", "session", map[string]any{"consent": "2026-01"})
		statuses[status]++
	}
	require.LessOrEqual(t, statuses[200], 12)
	require.GreaterOrEqual(t, statuses[429], 88)
	clear(statuses)
	for range 40 {
		status, _ := c.call("POST", "messages", map[string]any{"key": newKey(), "text": "again"})
		statuses[status]++
	}
	require.LessOrEqual(t, statuses[201], 12)
	require.GreaterOrEqual(t, statuses[429], 28)
	for range 2 {
		events, stop := c.listen("", "")
		defer stop()
		await(t, events, "availability", kind("available"))
	}
	status, _ = c.call("GET", "events", nil)
	require.Equal(t, 429, status, "a third stream of one visitor")
}

// Whoever begins anew as another visitor for each file fills the disk no faster: what
// nobody sends is kept for most of a day.
func TestFilesAreBoundedByAddressToo(t *testing.T) {
	s := openShop(t, withLimits(webchat.Limits{AddressFiles: 6}))
	statuses := map[int]int{}
	for range 12 {
		c := s.visitor()
		c.header.Set("X-File-Name", "a.txt")
		status, _ := c.call("POST", "files", []byte("x"))
		statuses[status]++
	}
	require.Positive(t, statuses[201])
	require.LessOrEqual(t, statuses[201], 4, "three at once, and what the test's own time brings")
	require.Equal(t, 12, statuses[201]+statuses[429])
}

// Files are what their bytes are, under safe names, and nothing
// in them runs.
func TestN37FilesAreServedAsWhatTheyAre(t *testing.T) {
	s := openShop(t, withSettings(func(set *webchat.Settings) { set.MaxFileBytes = 1000 }))
	c := s.visitor()
	for name, body := range map[string]string{
		"picture.svg": `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, "photo.png": `<html><script>alert(1)</script>`,
		"x.xml": `<?xml version="1.0"?><a/>`, "doc.pdf": "%PDF-1.7 x", "note.txt": "just a text",
	} {
		c.header.Set("X-File-Name", name)
		status, up := c.call("POST", "files", []byte(body))
		require.Equal(t, 201, status, name)
		status, m := c.call("POST", "messages", map[string]any{"key": newKey(), "file": up["file"]})
		require.Equal(t, 201, status, name)
		require.Equal(t, "file", m["kind"], name)
		status, _, h := c.do(c.request("GET", "files/"+m["id"].(string), nil))
		require.Equal(t, 200, status)
		require.Equal(t, "application/octet-stream", h.Get("Content-Type"), name)
		require.Contains(t, h.Get("Content-Disposition"), "attachment", name)
		require.Contains(t, h.Get("Content-Security-Policy"), "sandbox", name)
	}
	c.header.Set("X-File-Name", "..%2F..%2Fetc%2Fpasswd%00%0D%0AX:%20y")
	status, up := c.call("POST", "files", []byte("x"))
	require.Equal(t, 201, status)
	require.NotContains(t, up["name"], "/")
	require.NotContains(t, up["name"], "\n")
	c.header.Set("X-File-Name", "x")
	status, _ = c.call("POST", "files", []byte(strings.Repeat("x", 1001)))
	require.Equal(t, 413, status)
	flood := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xc3\x50\x00\x00\xc3\x50\x08\x06\x00\x00\x00"
	status, _ = c.call("POST", "files", []byte(flood))
	require.Equal(t, 400, status, "50,000 by 50,000 pixels")
}

// An archive is a file like any other. Nobody unpacks it, whatever it says of
// itself: it is kept as it came and given out as a download.
func TestN41ArchivesAreNotUnpacked(t *testing.T) {
	s := openShop(t)
	c := s.visitor()
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	for i := range 2_000 { // links to elsewhere, and zeros without end
		h := &zip.FileHeader{Name: fmt.Sprintf("../%d", i), Method: zip.Deflate}
		h.SetMode(fs.ModeSymlink | 0o777)
		w, err := z.CreateHeader(h)
		require.NoError(t, err)
		_, err = w.Write([]byte("/etc/passwd"))
		require.NoError(t, err)
	}
	w, err := z.Create("zeros")
	require.NoError(t, err)
	_, err = io.CopyN(w, zeros{}, 64<<20)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.Less(t, bomb.Len(), 1<<20)
	c.header.Set("X-File-Name", "pictures.zip")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	status, up := c.call("POST", "files", bomb.Bytes())
	require.Equal(t, 201, status)
	status, m := c.call("POST", "messages", map[string]any{"key": newKey(), "file": up["file"]})
	require.Equal(t, 201, status)
	require.Equal(t, "file", m["kind"])
	status, got, h := c.do(c.request("GET", "files/"+m["id"].(string), nil))
	runtime.ReadMemStats(&after)
	require.Equal(t, 200, status)
	require.Equal(t, bomb.String(), got["raw"])
	require.Equal(t, "application/octet-stream", h.Get("Content-Type"))
	require.Contains(t, h.Get("Content-Disposition"), "attachment")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(48<<20), "nobody looked into it")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// What a visitor's camera wrote of the place stays with the visitor.
func TestN43APictureDoesNotSayWhereItWasTaken(t *testing.T) {
	s := openShop(t, withLimits(webchat.Limits{Messages: 1000, VisitorRequests: 10_000}))
	c := s.visitor()
	var plain bytes.Buffer
	require.NoError(t, jpeg.Encode(&plain, image.NewGray(image.Rect(0, 0, 8, 8)), nil))
	said := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00 N37.5665"
	photo := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, 0, byte(len(said) + 2)}, said...)
	photo = append(photo, plain.Bytes()[2:]...)
	send := func() string {
		c.header.Set("X-File-Name", "hat.jpg")
		status, up := c.call("POST", "files", photo)
		require.Equal(t, 201, status)
		status, m := c.call("POST", "messages", map[string]any{"key": newKey(), "file": up["file"]})
		require.Equal(t, 201, status)
		require.Equal(t, "image", m["kind"])
		_, got, _ := c.do(c.request("GET", "files/"+m["id"].(string), nil))
		return got["raw"].(string)
	}
	got := send()
	require.NotContains(t, got, "N37.5665")
	require.Len(t, got, len(photo))
	_, err := jpeg.Decode(strings.NewReader(got))
	require.NoError(t, err)

	set, err := s.eng.TicketSetup(t.Context(), host)
	require.NoError(t, err)
	set.Settings.Masking.KeepPictureData = true
	_, err = s.eng.SaveWorkspaceSettings(t.Context(), host, sangdam.SaveWorkspaceSettings{Settings: set.Settings})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return send() == string(photo) }, 10*time.Second, 10*time.Millisecond,
		"where the workspace keeps it")
}

// A key that was exchanged, an account that was switched off: the token is dead,
// and so is an account nobody knows.
func TestN5TokensDieWithTheirKey(t *testing.T) {
	s := openShop(t)
	c := s.visitor()
	acct := s.acct
	acct.Secrets = map[string]channel.Secret{webchat.SecretVisitor: channel.NewSecret(webchat.NewKey())}
	saved, err := s.eng.SaveAccount(t.Context(), host, sangdam.SaveAccount{Account: acct})
	require.NoError(t, err)
	acct = saved.Account
	require.Eventually(t, func() bool { status, _ := c.call("GET", "messages", nil); return status == 401 }, 5*time.Second,
		20*time.Millisecond)
	acct.Disabled, acct.Secrets = true, nil
	_, err = s.eng.SaveAccount(t.Context(), host, sangdam.SaveAccount{Account: acct})
	require.NoError(t, err)
	require.Eventually(t, func() bool { status, _ := s.client().call("GET", "", nil); return status == 404 }, 5*time.Second,
		20*time.Millisecond)
	s.acct.Token = "no-such-account"
	status, _ := s.client().call("GET", "", nil)
	require.Equal(t, 404, status)
}

func TestBadSettingsAreRefusedWithTheirName(t *testing.T) {
	for raw, names := range map[string]string{
		`{}`: "consent", `{"no_consent":true,"origins":["shop.example"]}`: "origins",
		`{"no_consent":true,"origins":["https://shop.example/x"]}`: "origins",
		`{"no_consent":true,"color":"red"}`:                        "color", `{"no_consent":true,"grace_seconds":-1}`: "grace",
		`{"no_consent":true,"x":1}`:                                 "field",
		`{"no_consent":true,"form_url":{"":"javascript:alert(1)"}}`: "links",
		`{"no_consent":true,"form_url":{"":"//evil.example"}}`:      "links",
		`{"consent":{"version":"","texts":{"":"x"}}}`:               "consent",
	} {
		_, err := webchat.ParseSettings(json.RawMessage(raw))
		require.ErrorIs(t, err, adapter.ErrInvalid, raw)
		require.ErrorContains(t, err, names, raw)
	}
}

// Links in settings are what the widget opens, and the refusal of another one names all
// that may be there.
func TestLinksInSettings(t *testing.T) {
	parse := func(link string) error {
		raw, err := json.Marshal(webchat.Settings{LoginURL: webchat.Texts{"": link}, FormURL: webchat.Texts{"ko": link},
			Consent: &webchat.Consent{Version: "1", Texts: webchat.Texts{"": "x"}, URL: webchat.Texts{"": link}}})
		require.NoError(t, err)
		_, err = webchat.ParseSettings(raw)
		return err
	}
	for _, link := range []string{"https://shop.example/help", "http://shop.example", "mailto:help@shop.example", "tel:+82-2-555-0100",
		"/help/?lang=ko", "/"} {
		require.NoError(t, parse(link), link)
	}
	for _, link := range []string{"javascript:alert(1)", "//evil.example", `/\evil.example`, "help/", "ftp://shop.example", "mailto:",
		"tel:", "https://", "https://:80", "https://a:b@shop.example", "data:text/html,x", "/\t/evil.example"} {
		err := parse(link)
		require.ErrorIs(t, err, adapter.ErrInvalid, link)
		for _, begins := range []string{"https://", "http://", "mailto:", "tel:", "one slash"} {
			require.ErrorContains(t, err, begins, link)
		}
	}
}

// An address that the client claims is worth nothing.
func TestN61ClaimedAddressesAreIgnored(t *testing.T) {
	s := openShop(t, withLimits(webchat.Limits{NewSessions: 4}))
	refused := 0
	for i := range 20 {
		c := s.client()
		for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "True-Client-Ip"} {
			c.header.Set(name, "203.0.113."+string(rune('0'+i%10)))
		}
		if status, _ := c.call("POST", "session", map[string]any{"consent": "2026-01"}); status == 429 {
			refused++
		}
	}
	require.GreaterOrEqual(t, refused, 16)
}

// broken is a port that panics.
type broken struct{ visitor.Port }

// A panic is an answer without a word of it, and the process lives.
func TestN68APanicTellsNothing(t *testing.T) {
	h := webchat.NewHandler(broken{}, webchat.Options{}) // its methods are nil
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/any", nil))
		require.Equal(t, 500, w.Code)
		require.JSONEq(t, `{"error":"internal","message":"something went wrong"}`, w.Body.String())
	}
}

// A body that is cut off or is no HTTP is the sender's fault: it is refused as one,
// and nobody who looks after the server hears of it.
func TestABodyThatIsCutOffIsRefused(t *testing.T) {
	var log bytes.Buffer
	s := openShop(t, withLogger(slog.New(slog.NewTextHandler(&log, nil))))
	c := s.visitor()
	for _, path := range []string{"messages", "session", "typing", "read", "rating", "end", "leave", "files"} {
		for _, body := range []string{"Content-Length: 100\r\n\r\n{\"key\":", "Transfer-Encoding: chunked\r\n\r\nZZ\r\n{"} {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.web.Listener.Addr().String())
			require.NoError(t, err)
			_, err = fmt.Fprintf(conn, "POST /webchat/v1/%s/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
				"Content-Type: application/json\r\nX-File-Name: a.txt\r\n%s", s.acct.Token, path, c.token, body)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, 400, resp.StatusCode, path)
			require.NoError(t, conn.Close())
		}
	}
	require.Empty(t, s.conversations())
	require.Empty(t, log.String())
}

// What the API has no place or method for is refused in the protocol's form.
func TestWhatIsNotInTheProtocolIsRefusedInItsForm(t *testing.T) {
	s := openShop(t)
	c := s.visitor()
	for path, want := range map[string]string{"messages": "GET, HEAD, OPTIONS, POST", "session": "OPTIONS, POST", "": "GET, HEAD, OPTIONS",
		"events": "GET, HEAD, OPTIONS"} {
		for _, method := range []string{"PUT", "DELETE", "FOO"} {
			status, body, header := c.do(c.request(method, path, nil))
			require.Equal(t, 405, status, path)
			require.Equal(t, "bad_request", body["error"])
			require.Equal(t, want, header.Get("Allow"), path)
		}
	}
	for _, path := range []string{"nothing", "messages/x", "files/a/b"} {
		status, body := c.call("GET", path, nil)
		require.Equal(t, "not_found", body["error"], path)
		require.Equal(t, 404, status, path)
	}
}
