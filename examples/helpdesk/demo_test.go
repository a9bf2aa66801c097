package main

import (
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// phone is a customer of the demonstration, played over HTTP as the page does.
type phone struct {
	d    *desk
	base string
	user string // id
}

func openPhone(d *desk, name string) phone {
	rest, _, _ := strings.Cut(d.wait("customer's phone at ", 1), " ")
	p := phone{d: d, base: rest}
	var made struct{ ID string }
	p.call("POST", "/_emulator/users", `{"name":"`+name+`"}`, &made)
	p.user = made.ID
	return p
}

func (p phone) call(method, path, body string, into any) {
	p.d.t.Helper()
	req, err := http.NewRequestWithContext(p.d.t.Context(), method, p.base+path, strings.NewReader(body))
	require.NoError(p.d.t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(p.d.t, err)
	defer resp.Body.Close()
	require.Equal(p.d.t, http.StatusOK, resp.StatusCode)
	require.NoError(p.d.t, json.NewDecoder(resp.Body).Decode(into))
}

func (p phone) write(message string) {
	p.d.t.Helper()
	var posted map[string]any
	p.call("POST", "/_emulator/users/"+p.user+"/messages", message, &posted)
}

// texts waits until n messages have come and returns their texts.
func (p phone) texts(n int) []string {
	p.d.t.Helper()
	var all []linetest.Delivered
	for end := time.Now().Add(patience); len(all) < n && time.Now().Before(end); {
		var some []linetest.Delivered
		p.call("GET", "/_emulator/users/"+p.user+"/received?wait=5&after="+strconv.Itoa(len(all)), "", &some)
		all = append(all, some...)
	}
	var out []string
	for _, d := range all {
		out = append(out, d.Text)
	}
	return out
}

func TestADemonstrationNeedsNoAccount(t *testing.T) {
	data := t.TempDir()
	users := map[string]bool{}
	for start := range 2 {
		d := begin(t, data, nil, "-demo", "-demo-addr", "127.0.0.1:0")
		mina := openPhone(d, "Mina")
		require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, mina.base)
		require.False(t, users[mina.user], "another start, other people")
		users[mina.user] = true
		mina.write(`{"type":"text","text":"Is anybody there?"}`)
		require.Equal(t, []string{greeting, "You wrote: Is anybody there?"}, mina.texts(2), "start %d", start)
		mina.write(`{"type":"sticker"}`)
		require.Equal(t, "Nice sticker!", mina.texts(3)[2])
		mina.write(`{"type":"text","text":"Good bye"}`)
		require.Equal(t, []string{"It was a pleasure. Good bye!", "The conversation has ended. Thank you.",
			"How was it? Choose from one to five stars."},
			mina.texts(6)[3:])
		resp, err := http.Get(mina.base + "/")
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode, "the page")
		d.end()
		require.Contains(t, d.out.String(), "draining")
		require.Empty(t, d.errs.String())
		_, err = http.Get(mina.base + "/")
		require.Error(t, err, "the emulator has ended as well")
	}
}

// A demonstration that sends mail starts, with the categories of both.
func TestADemonstrationWithMail(t *testing.T) {
	env := map[string]string{"SMTP_SERVER": "127.0.0.1:9", "SMTP_FROM": "help@shop.example", "TEAM_MAIL": "team@shop.example"}
	d := begin(t, t.TempDir(), env, "-demo", "-demo-addr", "127.0.0.1:0")
	require.NotEmpty(t, openPhone(d, "Mina").user, "it serves")
	d.end()
	require.Empty(t, d.errs.String())
}

func TestWhereADemonstrationKeepsItsData(t *testing.T) {
	none := func(string) string { return "" }
	o, err := parseOptions([]string{"-demo"}, none, os.Stdout)
	require.NoError(t, err)
	require.Equal(t, []any{demoData, filepath.Join(demoData, "keys.json"), true}, []any{o.data, o.keys, o.auto})
	o, err = parseOptions([]string{"-demo", "-data", "./helpdesk-data"}, none, os.Stdout)
	require.NoError(t, err)
	require.Equal(t, "./helpdesk-data", o.data, "given, though it is the default")
	var help strings.Builder
	_, err = parseOptions([]string{"-h"}, none, &help)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, name := range []string{"-demo\n", "-demo-addr address", "-record file"} {
		require.Contains(t, help.String(), name)
	}
	o, err = parseOptions(nil, none, os.Stdout)
	require.NoError(t, err)
	require.Equal(t, "./helpdesk-data", o.data)
}

func TestBadStartsOfADemonstration(t *testing.T) {
	srv, url := emulator(t, linetest.Options{})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	served := t.TempDir()
	start(t, served, lineEnv(srv, url)).end()
	played := t.TempDir()
	d := begin(t, played, nil, "-demo", "-demo-addr", "127.0.0.1:0")
	d.wait("customer's phone", 1)
	d.end()
	half := filepath.Join(t.TempDir(), "half")
	require.NoError(t, os.WriteFile(half, []byte(`{"path":"/webhooks/line","he`), 0o600))
	demoArgs := []string{"-demo", "-demo-addr", "127.0.0.1:0"}
	for _, c := range []struct {
		name, data string
		env        map[string]string
		args       []string
		want       string
	}{
		{"with an account", t.TempDir(), lineEnv(srv, url), demoArgs, "LINE_CHANNEL_ID is set"},
		{"with an emulator's address", t.TempDir(), map[string]string{"LINE_API_BASE": url}, demoArgs, "LINE_API_BASE is set"},
		{"port in use", t.TempDir(), nil, []string{"-demo", "-demo-addr", taken.Addr().String()}, "choose another -demo-addr"},
		{"an address of everybody's", t.TempDir(), nil, []string{"-demo", "-demo-addr", ":9100"}, "not an address of this machine"},
		{"a foreign address", t.TempDir(), nil, []string{"-demo", "-demo-addr", "192.0.2.1:9100"}, "not an address of this machine"},
		{"on a real desk's data", served, nil, demoArgs, "does not use the data of a real desk"},
		{"a real desk on its data", played, lineEnv(srv, url), nil, "this data is a demonstration's"},
		{"a recording in no directory", t.TempDir(), nil, []string{"-record", filepath.Join(half, "x")}, "choose another -record"},
		{"half a recording", t.TempDir(), nil, []string{"-record", half}, "its last line is not whole"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := begin(t, c.data, c.env, c.args...)
			<-d.done
			require.ErrorContains(t, d.err, c.want)
			require.NotContains(t, oneLine(d.err), "\n")
			require.NotContains(t, oneLine(d.err), srv.ChannelToken())
		})
	}
	start(t, served, nil).end() // as it was
}

func TestWhatTheDemonstrationAnswers(t *testing.T) {
	for _, kind := range []channel.ContentKind{channel.KindText, channel.KindImage, channel.KindVideo, channel.KindAudio, channel.KindFile,
		channel.KindSticker, channel.KindLocation, channel.KindPostback, channel.KindUnsupported, ""} {
		require.NotEmpty(t, demoAnswer(channel.Content{Kind: kind}), "%s", kind)
	}
}
