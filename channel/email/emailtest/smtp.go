package emailtest

import (
	"io"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/sangdam/sangdam/channel/email/message"
)

// Step is when a Fault happens.
type Step string

// The steps of a mail.
const (
	AtLogin Step = "login"
	AtMail  Step = "mail" // the sender
	AtRcpt  Step = "rcpt" // the recipient
	AtData  Step = "data" // the mail itself, and the answer to it
)

// Fault is what goes wrong with the next mail.
type Fault struct {
	At Step // empty: AtRcpt
	// Code refuses with this code and this enhanced status: 451 and {4, 7, 1}.
	Code   int
	Status [3]int
	// Lose takes the mail and cuts without keeping it, Drop after it was kept.
	Lose, Drop bool
	// Slow waits before the answer.
	Slow time.Duration
}

// Faults that servers are known for.
var (
	Greylisted  = Fault{At: AtRcpt, Code: 451, Status: [3]int{4, 7, 1}}
	MailboxFull = Fault{At: AtRcpt, Code: 452, Status: [3]int{4, 2, 2}}
	NoSuchUser  = Fault{At: AtRcpt, Code: 550, Status: [3]int{5, 1, 1}}
	TooLarge    = Fault{At: AtData, Code: 552, Status: [3]int{5, 3, 4}}
)

// Fail lets the next mails go wrong, one fault each.
func (s *Server) Fail(faults ...Fault) { s.faults.Fail(faults...) }

// Calm forgets the faults that have not happened.
func (s *Server) Calm() {
	s.faults.Clear()
	s.CutAfter(0)
}

// session is one SMTP connection.
type session struct {
	s     *Server
	conn  *smtp.Conn
	from  string
	to    []string
	fault *Fault // of the mail under way
	known bool
}

// at does what goes wrong at a step.
func (c *session) at(step Step) error {
	if c.fault == nil { // a mail begins
		f := c.s.faults.Next()
		c.fault = &f
	}
	f := c.fault
	if f.At != step && (f.At != "" || step != AtRcpt) {
		return nil
	}
	if f.Slow > 0 {
		time.Sleep(f.Slow)
	}
	if f.Code != 0 {
		return &smtp.SMTPError{Code: f.Code, EnhancedCode: smtp.EnhancedCode(f.Status), Message: "as asked for by the test"}
	}
	return nil
}

// AuthMechanisms implements smtp.AuthSession.
func (c *session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth implements smtp.AuthSession.
func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if err := c.at(AtLogin); err != nil {
			return err
		}
		if user != c.s.opt.User || password != c.s.opt.Password {
			return smtp.ErrAuthFailed
		}
		c.known = true
		return nil
	}), nil
}

// Reset implements smtp.Session.
func (c *session) Reset() { c.from, c.to = "", nil }

// Logout implements smtp.Session.
func (c *session) Logout() error { return nil }

// Mail implements smtp.Session. A user sends as the desk and as nobody else.
func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if !c.known {
		return smtp.ErrAuthRequired
	}
	if err := c.at(AtMail); err != nil {
		return err
	}
	if !strings.EqualFold(from, c.s.opt.Address) {
		return &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "sender address rejected"}
	}
	c.from = from
	return nil
}

// Rcpt implements smtp.Session.
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := c.at(AtRcpt); err != nil {
		return err
	}
	c.to = append(c.to, to)
	return nil
}

// Data implements smtp.Session.
func (c *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.s.requests.Add(raw)
	f := c.fault
	c.fault = nil
	if f != nil && f.At == AtData {
		c.fault = f
		err := c.at(AtData)
		c.fault = nil
		if err != nil {
			return err
		}
	}
	if f == nil || !f.Lose {
		for _, to := range c.to {
			c.s.arrive(Mail{From: c.from, To: to, At: time.Now(), Raw: raw, Mail: message.Parse(raw, message.Options{})})
		}
	}
	if f != nil && (f.Lose || f.Drop) {
		_ = c.conn.Close()
		return io.ErrUnexpectedEOF
	}
	return nil
}

// arrive is a mail's end: in a customer's mailbox, or back at the desk's.
func (s *Server) arrive(m Mail) {
	s.received.Add(m)
	s.news.Touch()
	s.mu.Lock()
	rules := append([]Rule(nil), s.rules...)
	s.mu.Unlock()
	if s.mine(m.To) {
		s.Deliver("INBOX", m.Raw)
		return
	}
	for _, rule := range rules {
		if raw := rule(m); raw != nil {
			s.Deliver("INBOX", raw)
		}
	}
}

// mine says that an address is the desk's, with or without a plus.
func (s *Server) mine(address string) bool {
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	own, ownDomain, _ := strings.Cut(strings.ToLower(s.opt.Address), "@")
	return domain == ownDomain && (local == own || strings.HasPrefix(local, own+"+"))
}
