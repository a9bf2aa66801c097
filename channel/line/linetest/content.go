package linetest

import (
	"net/http"

	"github.com/sangdam/sangdam/channel/emukit"
)

// content is what a message carries besides its event.
type content struct {
	mediaType string
	data      []byte
	unready   int  // fetches that are told to wait
	slow      bool // LINE prepares it: transcoding can be asked for
	failed    bool
	gone      bool
}

// FailContent makes a video or sound one that LINE could not prepare.
func (s *Server) FailContent(messageID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, _ := s.messages.Get(messageID); p != nil && p.content != nil {
		p.content.failed = true
	}
}

// find returns a message's content, or the refusal. The lock is held.
func (s *Server) find(r *http.Request) (*posted, *reply) {
	p, _ := s.messages.Get(r.PathValue("id"))
	switch {
	case p == nil || p.content == nil:
		none := notFound()
		return nil, &none
	case p.content.gone:
		gone := fail(http.StatusGone, "The message was unsent")
		return nil, &gone
	}
	return p, nil
}

func (s *Server) handleContent(r *http.Request, _ []byte) reply {
	p, refused := s.find(r)
	if refused != nil {
		return *refused
	}
	if p.content.failed || p.content.unready > 0 {
		p.content.unready = max(p.content.unready-1, 0)
		return emukit.JSON(http.StatusAccepted, struct{}{})
	}
	return reply{Status: http.StatusOK, Body: p.content.data, Header: http.Header{"Content-Type": {p.content.mediaType}}}
}

func (s *Server) handlePreview(r *http.Request, _ []byte) reply {
	p, refused := s.find(r)
	if refused != nil {
		return *refused
	}
	if p.kind != "image" && p.kind != "video" {
		return fail(http.StatusBadRequest, "The message is not an image or a video")
	}
	return reply{Status: http.StatusOK, Body: p.content.data, Header: http.Header{"Content-Type": {"image/jpeg"}}}
}

func (s *Server) handleTranscoding(r *http.Request, _ []byte) reply {
	p, refused := s.find(r)
	if refused != nil {
		return *refused
	}
	if !p.content.slow {
		return fail(http.StatusBadRequest, "The message is not a video or an audio")
	}
	status := "succeeded"
	switch {
	case p.content.failed:
		status = "failed"
	case p.content.unready > 0:
		status = "processing"
	}
	return emukit.JSON(http.StatusOK, map[string]string{"status": status})
}
