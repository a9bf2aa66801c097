package postgres

import "log/slog"

// spell logs that something began to fail, and that it works again, instead of
// every try in between: hours without the server would fill the log with one
// sentence. It belongs to one goroutine.
type spell struct {
	log          *slog.Logger
	begins, ends string
	fails        int
}

func (s *spell) failed(err error) {
	if s.fails++; s.fails == 1 {
		s.log.Warn(s.begins, "error", err)
	}
}

func (s *spell) worked() {
	if s.fails > 0 {
		s.log.Warn(s.ends, "failures_not_logged", s.fails-1)
	}
	s.fails = 0
}
