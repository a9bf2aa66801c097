package message

import (
	"bytes"
	"regexp"
	"strings"
)

// Bounce says what became of a mail of ours.
type Bounce struct {
	// Original is the Message-ID of the mail that it is about, without brackets;
	// empty when the report does not tell.
	Original string
	// Recipient is whom it could not reach; empty when unknown.
	Recipient string
	// Status is the enhanced status, such as 5.1.1; empty when there is none.
	Status string
	// Cause is what that means.
	Cause Cause
}

// Cause is why a mail could not be delivered.
type Cause string

// The causes that people can do something about.
const (
	CauseUnknown  Cause = "unknown"   // the report does not say
	CauseNobody   Cause = "nobody"    // there is no such address or domain
	CauseFull     Cause = "full"      // the mailbox is full
	CauseTooLarge Cause = "too_large" // the mail is larger than the other side takes
	CauseRefused  Cause = "refused"   // policy, spam, block list
	CauseNetwork  Cause = "network"   // the other server was not reached in time
)

var (
	statusCode  = regexp.MustCompile(`\b([245])\.(\d{1,3})\.(\d{1,3})\b`)
	replyCode   = regexp.MustCompile(`(?m)(?:^|[\s:(<#])(5[0-5]\d|4[2-5]\d)[\s-]`)
	originalID  = regexp.MustCompile(`(?im)^[>\s|]*Message-Id:\s*<?([^<>\s]{3,})>?`)
	wildAddress = regexp.MustCompile(`[A-Za-z0-9._%+=~-]{1,64}@[A-Za-z0-9.-]{1,200}\.[A-Za-z]{2,24}`)
	wildBounce  = regexp.MustCompile(`(?i)(undeliver(ed|able)|delivery (status notification|failure|has failed|incomplete|report)|` +
		`mail delivery (failed|failure|subsystem|system)|` +
		`returned mail|failure notice|could not be delivered|nondeliverable|message not delivered|delivery (temporarily )?(delayed|` +
		`suspended)|warning: message .{0,40}delayed|` +
		`반송|전송 ?(실패|에 실패)|발송 ?실패|배달 ?(되지|실패)|수신 ?(불가|거부)|메일 ?전송 ?실패|送信(失敗|できません)|配信(不能|失敗|できません)|エラーメール|ส่งไม่สำเร็จ|ไม่สามารถส่ง)`)
	wildDelay = regexp.MustCompile(`(?i)(delayed|still trying|will (keep|continue) (trying|to try)|no action is required|` +
		`not yet been delivered|배달 ?지연|전송 ?지연|配信(遅延|が遅れて)|\(delay\))`)
)

// causes recognise what servers say where their status does not.
var causes = []struct {
	cause Cause
	words *regexp.Regexp
}{
	{CauseFull, regexp.MustCompile(`(?i)(mailbox (is )?full|over (the )?(quota|storage)|quota exceeded|insufficient (system )?storage|` +
		`용량 ?(초과|부족)|사서함.{0,20}(가득|초과)|容量(超過|オーバー)|メールボックスが一杯|เต็ม)`)},
	{CauseTooLarge, regexp.MustCompile(`(?i)(message (size )?(is )?too (large|big)|exceeds? .{0,30}(size|limit)|size limit|메일 ?크기|サイズ(超過|` +
		`が大き))`)},
	{CauseNobody, regexp.MustCompile(`(?i)(user unknown|unknown (user|address|recipient)|no such (user|recipient|mailbox|person|address)|` +
		`does(n't| not) (exist|have)|mailbox (unavailable|not found)|` +
		`invalid (recipient|mailbox|address)|recipient (address )?rejected|domain (name )?not found|host (or domain name )?(unknown|` +
		`not found)|account (is )?(disabled|inactive)|` +
		`address (couldn't|could not) be found|존재하지 ?않|없는 ?(사용자|계정|수신자)|휴면|(アドレス|宛先|ユーザー).{0,20}(見つかり|存在し|不明)|ไม่พบผู้รับ|ไม่มีผู้ใช้)`)},
	{CauseRefused, regexp.MustCompile(`(?i)(spam|blocked|black ?list|block ?list|policy|denied|refused|not (authorized|permitted)|` +
		`reputation|dmarc|수신 ?거부|차단|スパム|拒否)`)},
	{CauseNetwork, regexp.MustCompile(`(?i)(timed? ?out|connection (refused|reset|lost)|no route|could not connect|retry (time|timeout)|` +
		`too long|시간 ?초과|タイムアウト)`)},
}

// bounced recognises a report that a mail of ours did not arrive, after
// RFC 3464 or in a server's own words. fromDaemon: a mail server is the sender.
func (p *parser) bounced(h header, fromDaemon bool) bool {
	m := &p.m
	text := m.Text[:min(len(m.Text), 64<<10)]
	switch {
	case p.status != nil:
		b := p.formal()
		if b == nil {
			m.Report = firstOf(m.Report, "delivery-status")
			return false // it arrived, or was passed on
		}
		return true
	case m.Report != "" && m.Report != "delivery-status":
		return false
	}
	failed := h.get("X-Failed-Recipients")
	nobody := m.ReturnPath == "<>" || fromDaemon
	if !nobody && failed == "" && m.Report == "" || !(wildBounce.MatchString(m.Subject) || wildBounce.MatchString(text) || failed != "" ||
		m.Report != "") {
		return false
	}
	b := &Bounce{Original: p.original(), Recipient: address(strings.TrimSpace(failed))}
	if b.Recipient == "" {
		b.Recipient = p.someone(text)
	}
	permanent := true
	if s := statusCode.FindStringSubmatch(text); s != nil {
		b.Status, permanent = s[0], s[1] != "4"
	} else if c := replyCode.FindStringSubmatch(text); c != nil {
		permanent = c[1][0] == '5'
	}
	if delay := wildDelay.MatchString(m.Subject) || wildDelay.MatchString(text); delay && !strings.HasPrefix(b.Status, "5") {
		permanent = false
	}
	b.Cause = cause(b.Status, text)
	p.reported(b, permanent)
	return true
}

func (p *parser) reported(b *Bounce, permanent bool) {
	p.m.Kind, p.m.Why, p.m.Bounce = KindBounce, "a mail of ours did not arrive", b
	if !permanent {
		p.m.Kind, p.m.Why = KindDelayed, "a mail of ours is still being tried"
	}
}

// formal reads message/delivery-status. nil when nothing failed.
func (p *parser) formal() *Bounce {
	var found *Bounce
	permanent := false
	for _, group := range bytes.Split(bytes.ReplaceAll(p.status, []byte("\r\n"), []byte("\n")), []byte("\n\n")) {
		h, _ := p.split(append(bytes.TrimLeft(group, "\n"), '\n'))
		action := strings.ToLower(h.get("Action"))
		status := statusCode.FindString(h.get("Status"))
		if action == "" && status == "" || action == "delivered" || action == "relayed" || action == "expanded" || strings.HasPrefix(status,
			"2") {
			continue
		}
		fails := action == "failed" || action == "" && strings.HasPrefix(status, "5")
		if found != nil && (permanent || !fails) {
			continue
		}
		diagnostic := p.words(h.get("Diagnostic-Code"))
		if s := statusCode.FindString(diagnostic); s != "" && (status == "" || strings.HasSuffix(status, ".0.0")) {
			status = s
		}
		_, recipient, _ := strings.Cut(firstOf(h.get("Final-Recipient"), h.get("Original-Recipient")), ";")
		found, permanent = &Bounce{Recipient: address(strings.Trim(strings.TrimSpace(recipient), "<>")), Status: status,
			Cause: cause(status, diagnostic+"\n"+p.m.Text)}, fails
	}
	if found == nil {
		return nil
	}
	found.Original = p.original()
	p.reported(found, permanent)
	return found
}

// original is the Message-ID of the mail that a report is about: in the part
// that holds it, else in an attached mail, else in the text.
func (p *parser) original() string {
	if p.inner != nil {
		inner, _ := p.split(p.inner)
		if id := firstID(inner.get("Message-Id")); id != "" {
			return id
		}
	}
	for _, f := range p.m.Files {
		if f.Type == "message/rfc822" || f.Type == "text/rfc822-headers" {
			inner, _ := p.split(f.Data)
			if id := firstID(inner.get("Message-Id")); id != "" {
				return id
			}
		}
	}
	if m := originalID.FindStringSubmatch(p.m.Text); m != nil && len(m[1]) <= longestID {
		return m[1]
	}
	return ""
}

// someone is the first address in a server's words that is not our own.
func (p *parser) someone(text string) string {
	for _, a := range wildAddress.FindAllString(text, 20) {
		own := strings.EqualFold(a, p.m.From.Addr)
		for _, to := range p.m.To {
			own = own || strings.EqualFold(a, to.Addr)
		}
		for _, o := range p.o.Own {
			own = own || strings.EqualFold(a, o)
		}
		if !own {
			return address(a)
		}
	}
	return ""
}

// cause reads the enhanced status, else what the server says.
func cause(status, text string) Cause {
	if m := statusCode.FindStringSubmatch(status); m != nil {
		switch m[2] + "." + m[3] {
		case "1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "5.1", "4.4", "4.3":
			return CauseNobody
		case "2.2", "3.1":
			return CauseFull
		case "2.3", "3.4":
			return CauseTooLarge
		case "4.1", "4.2", "4.7", "4.6":
			return CauseNetwork
		}
		if m[2] == "7" {
			return CauseRefused
		}
	}
	for _, c := range causes {
		if c.words.MatchString(text) {
			return c.cause
		}
	}
	return CauseUnknown
}
