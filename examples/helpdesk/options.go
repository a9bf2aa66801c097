package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

const usualLease = 30 * time.Second

// options are the flags and the environment of one start.
type options struct {
	addr      string
	data      string
	postgres  string
	keys      string // file
	keysJSON  string // SANGDAM_KEYS: instead of a file
	publicURL string
	node      string
	lease     time.Duration
	auto      bool
	newToken  bool
	demo      bool
	demoAddr  string
	entry     string // of the link by which the visitor of a demonstration enters
	home      string // the address under which this server's pages are reached
	filesURL  string // where LINE, or its emulator, fetches what agents send
	record    string // file
	line      lineOptions
	mail      mailOptions
	mailbox   mailboxOptions
}

// lineOptions are the credentials of the LINE account; all empty: none given.
type lineOptions struct {
	channelID, channelSecret, channelToken string
	apiBase, dataAPIBase                   string
}

func (l lineOptions) given() bool { return l.channelID != "" }

const environment = `
Environment:
  LINE_CHANNEL_ID, LINE_CHANNEL_SECRET, LINE_CHANNEL_TOKEN
        the LINE account to serve at /webhooks/line; all three or none
  LINE_API_BASE, LINE_DATA_API_BASE
        addresses of an emulator instead of LINE
  MAIL_ADDRESS, MAIL_USER, MAIL_PASSWORD, MAIL_IMAP, MAIL_SMTP
        a mailbox to serve: its address, who logs in, and its two servers
        (host:port); all five or none. Mails become conversations
  SMTP_SERVER, SMTP_FROM, TEAM_MAIL, SMTP_USER, SMTP_PASSWORD
        a mail server (host:port), the sender's address, and where the team hears
        of new tickets; with them tickets are set up. Without encryption only on
        this machine; user and password where the server asks for them
  SANGDAM_KEYS
        the keyset itself, as JSON, instead of -keys
`

func parseOptions(args []string, env func(string) string, stdout io.Writer) (options, error) {
	o := options{keysJSON: env("SANGDAM_KEYS")}
	set := flag.NewFlagSet("helpdesk", flag.ContinueOnError)
	set.SetOutput(io.Discard) // the error alone is printed, in one line
	set.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`address` to listen on")
	set.StringVar(&o.data, "data", "./helpdesk-data", "`directory` of the data")
	set.StringVar(&o.postgres, "postgres", "", "`DSN` of a PostgreSQL database instead of SQLite in -data")
	set.StringVar(&o.keys, "keys", "", "`file` with the keys that seal credentials (default keys.json in -data)")
	set.StringVar(&o.publicURL, "public-url", "", "`URL` under which the internet reaches this server")
	set.StringVar(&o.node, "node", "",
		"`name` of this process among those on one database; one that comes back under its name goes on at once (default random)")
	set.DurationVar(&o.lease, "lease", usualLease, "how long work that a killed process had begun stays reserved for it")
	set.BoolVar(&o.auto, "auto", false, "the agents are a program that accepts and answers everything with an echo")
	set.BoolVar(&o.newToken, "new-token", false, "make a new token for the JSON interface; the old one stops working")
	set.BoolVar(&o.demo, "demo", false, "play LINE in this process: a customer's phone as a web page, and a link into the console; no "+
		"account is needed, a program answers too unless -auto=false, and the data is kept apart in "+demoData+" unless -data is given")
	set.StringVar(&o.demoAddr, "demo-addr", "127.0.0.1:9100", "`address` of the phone and the LINE emulator of -demo, on this machine")
	set.StringVar(&o.record, "record", "", "`file` to which accepted webhooks are added, one a line, with names, texts, tokens and ids "+
		"of people replaced; lineemu -replay plays it")
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		set.SetOutput(stdout)
		fmt.Fprintln(stdout, "Usage: helpdesk [flags]")
		set.PrintDefaults()
		fmt.Fprint(stdout, environment)
		return o, err
	}
	if err != nil {
		return o, fmt.Errorf("%w; -h lists the flags", err)
	}
	if set.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q; -h lists the flags", set.Arg(0))
	}
	if o.demo {
		if err := checkDemoOptions(o, env); err != nil {
			return o, err
		}
		o.auto = o.auto || !given(set, "auto")
		if !given(set, "data") {
			o.data = demoData
		}
	}
	if o.keys == "" {
		o.keys = filepath.Join(o.data, "keys.json")
	}
	if o.lease < time.Second {
		return o, fmt.Errorf("-lease %s is too short; use 1s or more", o.lease)
	}
	if o.publicURL, err = checkPublicURL(o.publicURL); err != nil {
		return o, err
	}
	if o.line, err = parseLINE(env); err != nil {
		return o, err
	}
	if o.mailbox, err = parseMailbox(env); err != nil {
		return o, err
	}
	o.mail, err = parseMail(env)
	return o, err
}

// given says whether a flag was set, be it to its default.
func given(set *flag.FlagSet, name string) (found bool) {
	set.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

func checkPublicURL(given string) (string, error) {
	if given == "" {
		return "", nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("-public-url is not an address such as https://desk.example.com")
	}
	return strings.TrimRight(given, "/"), nil
}

// parseLINE reads the LINE_* variables and names those that are missing.
func parseLINE(env func(string) string) (lineOptions, error) {
	l := lineOptions{channelID: env("LINE_CHANNEL_ID"), channelSecret: env("LINE_CHANNEL_SECRET"), channelToken: env("LINE_CHANNEL_TOKEN"),
		apiBase: env("LINE_API_BASE"), dataAPIBase: env("LINE_DATA_API_BASE")}
	var missing []string
	for _, v := range []struct{ name, value string }{{"LINE_CHANNEL_ID", l.channelID}, {"LINE_CHANNEL_SECRET", l.channelSecret},
		{"LINE_CHANNEL_TOKEN", l.channelToken}} {
		if v.value == "" {
			missing = append(missing, v.name)
		}
	}
	if len(missing) > 0 && len(missing) < 3 {
		return l, fmt.Errorf("not set: %s; a LINE account needs LINE_CHANNEL_ID, LINE_CHANNEL_SECRET and LINE_CHANNEL_TOKEN",
			strings.Join(missing, ", "))
	}
	return l, nil
}
