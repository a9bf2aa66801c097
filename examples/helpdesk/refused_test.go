package main

import (
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/store/seal/tinkseal"
)

// A start that cannot serve says why in one line that names the remedy.
func TestBadStarts(t *testing.T) {
	srv, url := emulator(t, linetest.Options{})
	full := lineEnv(srv, url)
	used := t.TempDir() // data of an earlier start, with an account
	start(t, used, full).end()
	empty := t.TempDir() // data of an earlier start, without one
	start(t, empty, nil).end()
	other, err := tinkseal.NewJSON()
	require.NoError(t, err)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("not a directory"), 0o600))
	running := t.TempDir()
	start(t, running, nil)

	without := func(name string) map[string]string {
		env := map[string]string{}
		for k, v := range full {
			if k != name {
				env[k] = v
			}
		}
		return env
	}
	with := func(name, value string) map[string]string {
		env := without(name)
		env[name] = value
		return env
	}
	cases := []struct {
		name string
		data string // empty: a new directory
		env  map[string]string
		args []string
		want string
	}{
		{"no channel id", "", without("LINE_CHANNEL_ID"), nil, "not set: LINE_CHANNEL_ID;"},
		{"empty secret", "", with("LINE_CHANNEL_SECRET", ""), nil, "not set: LINE_CHANNEL_SECRET;"},
		{"no token", "", without("LINE_CHANNEL_TOKEN"), nil, "not set: LINE_CHANNEL_TOKEN;"},
		{"the id alone", "", map[string]string{"LINE_CHANNEL_ID": "1"}, nil, "not set: LINE_CHANNEL_SECRET, LINE_CHANNEL_TOKEN;"},
		{"an id that is none", "", with("LINE_CHANNEL_ID", "shop"), nil, "channel_id must be the number"},
		{"a token with a line break", "", with("LINE_CHANNEL_TOKEN", "a\nb"), nil, "channel_token"},
		{"a plain http address of LINE", "", with("LINE_API_BASE", "http://api.line.example"), nil, "LINE_API_BASE"},
		{"half a mailbox", "", map[string]string{"MAIL_ADDRESS": "help@shop.example", "MAIL_IMAP": "imap.shop.example:993"}, nil,
			"not set: MAIL_USER, MAIL_PASSWORD, MAIL_SMTP;"},
		{"a mailbox's server without a port", "", map[string]string{"MAIL_ADDRESS": "help@shop.example", "MAIL_USER": "u",
			"MAIL_PASSWORD": "p",
			"MAIL_IMAP":     "imap.shop.example", "MAIL_SMTP": "smtp.shop.example:465"}, nil, "MAIL_IMAP"},
		{"a data directory in use", running, nil, nil, "in use by process"},
		{"a data directory that is a file", file, nil, nil, "-data"},
		{"a wrong DSN", "", nil, []string{"-postgres", "postgres://nobody@127.0.0.1:1/none"}, "PostgreSQL cannot be reached"},
		{"no DSN at all", "", nil, []string{"-postgres", "nonsense://"}, "DSN"},
		{"a lost key file", used, full, []string{"-keys", filepath.Join(t.TempDir(), "lost.json")}, "is not there"},
		{"another key", used, map[string]string{"SANGDAM_KEYS": string(other)}, nil, "Start with the key file"},
		{"another key where no credentials are", empty, map[string]string{"SANGDAM_KEYS": string(other)}, nil, "Start with the key file"},
		{"another key and an account", empty, with("SANGDAM_KEYS", string(other)), nil, "Start with the key file"},
		{"keys that are none", "", map[string]string{"SANGDAM_KEYS": "{}"}, nil, "SANGDAM_KEYS"},
		{"an address in use", "", nil, []string{"-addr", taken.Addr().String()}, "choose another -addr"},
		{"an address that is none", "", nil, []string{"-addr", "nowhere"}, "choose another -addr"},
		{"an unknown flag", "", nil, []string{"-nonsense"}, "-h lists the flags"},
		{"an argument", "", nil, []string{"start"}, "unknown argument"},
		{"a public URL that is none", "", nil, []string{"-public-url", "desk"}, "-public-url"},
		{"a lease that is too short", "", nil, []string{"-lease", "1ms"}, "-lease"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.data == "" {
				c.data = t.TempDir()
			}
			d := begin(t, c.data, c.env, c.args...)
			<-d.done
			require.Error(t, d.err, "%s", d.out)
			line := oneLine(d.err)
			require.Contains(t, line, c.want)
			require.NotContains(t, line, "\n")
			require.NotContains(t, line, srv.ChannelToken())
			require.NotContains(t, d.out.String(), "serving")
		})
	}
	start(t, empty, full).end() // nothing was sealed with the wrong keys
	t.Run("a lost key file is not replaced", func(t *testing.T) {
		keys := filepath.Join(used, "keys.json")
		require.NoError(t, os.Rename(keys, keys+".away"))
		d := begin(t, used, nil)
		<-d.done
		require.ErrorContains(t, d.err, "restore it from its backup")
		require.NoFileExists(t, keys)
		require.NoError(t, os.Rename(keys+".away", keys))
		start(t, used, nil).end()
	})
}

func TestASchemaThatIsTooNew(t *testing.T) {
	data := t.TempDir()
	start(t, data, nil).end()
	db, err := sql.Open("sqlite", filepath.Join(data, "sangdam.db"))
	require.NoError(t, err)
	_, err = db.Exec(`UPDATE schema_info SET version = 99, min_program = 99`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	d := begin(t, data, nil)
	<-d.done
	require.ErrorContains(t, d.err, "run the newer program")
}
