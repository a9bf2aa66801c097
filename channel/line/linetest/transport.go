package linetest

import (
	"net/http"

	"github.com/sangdam/sangdam/channel/emukit"
)

// Transport returns a RoundTripper that hands every request, to whatever host,
// to the server without a network.
func (s *Server) Transport() http.RoundTripper { return emukit.Transport(s) }
