package line

import (
	"bytes"
	"encoding/json"
	"regexp"
	"sync"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/errs"
)

// Keys of channel.Account.Secrets.
const (
	SecretChannel     = "channel_secret"      // Basic settings tab of the LINE console
	SecretChannelNext = "channel_secret_next" // a second accepted secret while it is reissued
	SecretToken       = "channel_token"       // Messaging API tab, "Channel access token (long-lived)"
	SecretAssertion   = "assertion_key"       // RSA private key of the pair registered as assertion signing key
)

// TokenMode says where the channel access token comes from.
type TokenMode string

// The modes; the zero value means TokenLongLived.
const (
	TokenLongLived TokenMode = "long_lived"
	TokenStateless TokenMode = "stateless"
	TokenJWT       TokenMode = "jwt"
)

// Settings is the JSON of channel.Account.Settings for LINE.
type Settings struct {
	// ChannelID is the number on the Basic settings tab of the LINE console.
	ChannelID string `json:"channel_id"`
	// TokenMode says where access tokens come from; empty means long_lived.
	TokenMode TokenMode `json:"token_mode,omitempty"`
	// KeyID is the kid that the console gave for the assertion signing key.
	KeyID string `json:"kid,omitempty"`
	// BotUserID is the account's own user id (GET /v2/bot/info). When set, a
	// webhook for another bot is refused.
	BotUserID string `json:"bot_user_id,omitempty"`
}

var (
	channelIDForm = regexp.MustCompile(`^[0-9]{1,20}$`)
	tokenForm     = regexp.MustCompile(`^[A-Za-z0-9+/=._~-]+$`)
)

// ParseSettings reads an account's settings. ErrInvalid names the field.
func ParseSettings(raw json.RawMessage) (Settings, error) {
	var s Settings
	if len(bytes.TrimSpace(raw)) == 0 {
		return s, errs.New(errs.Invalid,
			`line: settings are missing; at least {"channel_id": "…"} is needed, see the Basic settings tab of the LINE console`)
	}
	if err := kit.Strict(raw, &s); err != nil {
		return s, errs.New(errs.Invalid, "line: settings %w (known: channel_id, token_mode, kid, bot_user_id)", err)
	}
	if s.TokenMode == "" {
		s.TokenMode = TokenLongLived
	}
	return s, nil
}

// settingsCache saves parsing the same settings for every webhook. The zero
// value is ready.
type settingsCache struct {
	mu    sync.RWMutex
	known map[string]Settings // by the raw bytes
}

// maxSettings bounds the cache; when it is full it starts anew.
const maxSettings = 1024

// parse is ParseSettings. Errors are not kept.
func (c *settingsCache) parse(raw json.RawMessage) (Settings, error) {
	c.mu.RLock()
	s, ok := c.known[string(raw)]
	c.mu.RUnlock()
	if ok {
		return s, nil
	}
	s, err := ParseSettings(raw)
	if err != nil || len(raw) > 4<<10 {
		return s, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxSettings {
		c.known = map[string]Settings{}
	}
	c.known[string(raw)] = s
	return s, nil
}

// Validate checks settings and secrets without the network. The error is ErrInvalid
// and names the field.
func (a *Adapter) Validate(acct channel.Account) error {
	if acct.Kind != Kind {
		return errs.New(errs.Invalid, "line: account %s is of kind %q, not %q", acct.ID, acct.Kind, Kind)
	}
	s, err := ParseSettings(acct.Settings)
	if err != nil {
		return err
	}
	if !channelIDForm.MatchString(s.ChannelID) {
		return errs.New(errs.Invalid, "line: setting channel_id must be the number shown on the Basic settings tab of the LINE console")
	}
	if acct.Secrets[SecretChannel].Empty() {
		return errs.New(errs.Invalid, "line: secret channel_secret is empty; copy it from the Basic settings tab of the LINE console")
	}
	return validateToken(acct, s)
}

func validateToken(acct channel.Account, s Settings) error {
	switch s.TokenMode {
	case TokenLongLived:
		token := acct.Secrets[SecretToken]
		if token.Empty() {
			return errs.New(errs.Invalid,
				"line: secret channel_token is empty; issue a long-lived channel access token on the Messaging API tab of the LINE console")
		}
		if !validToken(token.Reveal()) {
			return errs.New(errs.Invalid, "line: secret channel_token has characters that no token has; copy it again from the Messaging "+
				"API tab of the LINE console, without blanks or line breaks")
		}
	case TokenStateless:
	case TokenJWT:
		if s.KeyID == "" {
			return errs.New(errs.Invalid,
				"line: setting kid is empty; token mode jwt needs the kid that the LINE console gave for the assertion signing key")
		}
		if _, err := parseAssertionKey(acct.Secrets[SecretAssertion]); err != nil {
			return err
		}
	default:
		return errs.New(errs.Invalid, "line: setting token_mode must be long_lived, stateless or jwt")
	}
	return nil
}

// validToken keeps a token from breaking the header it travels in.
func validToken(s string) bool { return len(s) <= 4096 && tokenForm.MatchString(s) }
