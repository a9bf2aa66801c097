// Package difftest holds channel/email/message against another parser of mails,
// github.com/jhillyerd/enmime: over the whole corpus of message's own tests they
// say the same, or it is written down why not. It is a module of its own, so that
// the library does not depend on enmime.
//
//	cd internal/difftest && go test ./...
package difftest
