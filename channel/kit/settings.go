package kit

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
)

// Strict decodes exactly one JSON value, such as an account's settings, into
// what into points at. ErrInvalid for a member that into has not, which is a
// misspelt one mostly, for a value of another type, and for anything after it.
// The error goes on where the caller begins ("the settings …"), and says no more,
// since settings may hold what logs must not.
func Strict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(into) != nil {
		return errs.New(errs.Invalid, "are not readable or have a field that does not exist")
	}
	if _, err := dec.Token(); err != io.EOF {
		return errs.New(errs.Invalid, "hold more than one JSON value")
	}
	return nil
}

// Base is the address of a provider's interface, without a slash at its end.
// what begins the ErrInvalid of one that is not https, or http of this machine
// for an emulator; example is what the error shows.
func Base(what, address, example string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errs.New(errs.Invalid, "%s is not an address such as %s", what, example)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())) {
		return "", errs.New(errs.Invalid, "%s must be https; http is for loopback addresses only", what)
	}
	return strings.TrimRight(address, "/"), nil
}

// Loopback reports whether a host is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
