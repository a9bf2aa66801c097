package kit

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/sangdam/sangdam/internal/errs"
)

// maxWaiting is how many bytes of bodies a Recorder keeps for a writer that is
// slower than the webhooks. What comes on top is not recorded.
const maxWaiting = 16 << 20

// Recorder keeps accepted webhooks in the form that emukit.Replay plays
// (emukit.Recorded: one JSON object a line with path, headers and body), so that
// a real day can be played again against a changed program.
//
// What identifies people does not enter the file. Kept is what Recording says to
// be harmless: how an event is built. Every other string, known to the adapter
// or not, is replaced by letters of the same length in UTF-16 units, so that
// positions in a text stay right. Every other number is 0. Names of fields that
// are not the provider's are replaced as well, the signature is dropped, and of
// the path only short words stay, since another part may be an account's token.
// The same string has the same replacement in everything that one Recorder
// writes; it is made under a random key that the Recorder alone has and never
// tells, so that it cannot be traced back. What remains visible is who wrote how
// much, and when.
//
// Bodies are copied while they are handled and written after the answer, by a
// goroutine of the Recorder's own: it never holds up, changes or fails a
// webhook. All methods may be called at once.
type Recorder struct {
	// OnError is told, at most once, the first reason why the recording is not
	// complete: a failed write, after which nothing more is written, or webhooks
	// that came faster than they could be written. It runs outside of requests;
	// nil tells nobody but Close. Set it before the first request. It must not
	// call Close, which waits for it.
	OnError func(error)

	out   io.Writer
	scrub scrubber

	mu      sync.Mutex
	idle    sync.Cond // the queue is empty and nothing is being written
	queue   []recorded
	waiting int // bytes of bodies in queue
	writing bool
	closed  bool
	broken  bool // a write failed
	trouble error
	told    bool
}

// recorded is an accepted webhook on its way to the file.
type recorded struct {
	path   string
	header http.Header
	body   []byte
}

// NewRecorder returns a Recorder of a provider's webhooks that writes to w, one
// Write a line. Close it before w.
func (p Recording) NewRecorder(w io.Writer) *Recorder {
	r := &Recorder{out: w, scrub: scrubber{Recording: p, names: map[string]bool{}}}
	r.idle.L = &r.mu
	_, _ = rand.Read(r.scrub.key[:]) // crypto/rand never fails
	for _, name := range p.Names {
		r.scrub.names[name] = true
	}
	for place := range p.Kept {
		r.scrub.names[place[strings.LastIndexByte(place, '.')+1:]] = true
	}
	return r
}

// Wrap returns next with every request recorded that it answers with 2xx and
// whose body it has read to its end. Bodies above Recording.MaxBytes, or of another
// form than it says, are left out.
func (r *Recorder) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Body == nil || req.Method != http.MethodPost {
			next.ServeHTTP(w, req)
			return
		}
		copied := req.WithContext(req.Context()) // the request itself is the server's
		body := &copyingBody{ReadCloser: req.Body, most: r.scrub.MaxBytes}
		copied.Body = body
		answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, copied)
		whole := body.ended || int64(body.seen.Len()) == req.ContentLength
		if answer.status/100 == 2 && whole && !body.tooLarge {
			r.enqueue(recorded{path: req.URL.Path, header: req.Header.Clone(), body: body.seen.Bytes()})
		}
	})
}

// Close waits until everything recorded so far is written and returns the
// first reason why the recording is not complete. Requests after it are served
// and not recorded.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for r.writing {
		r.idle.Wait()
	}
	return r.trouble
}

func (r *Recorder) enqueue(one recorded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.broken {
		return
	}
	if r.waiting+len(one.body) > maxWaiting {
		r.fail(errs.New(errs.Unavailable,
			"%s: the recording is not complete: webhooks came faster than they could be written", r.scrub.Name))
	} else {
		r.queue = append(r.queue, one)
		r.waiting += len(one.body)
	}
	if !r.writing { // which tells of trouble too
		r.writing = true
		go r.write()
	}
}

// fail keeps the first trouble. The lock is held.
func (r *Recorder) fail(err error) {
	if r.trouble == nil {
		r.trouble = err
	}
}

// write works the queue off and ends.
func (r *Recorder) write() {
	for {
		r.mu.Lock()
		tell := r.trouble != nil && !r.told && r.OnError != nil
		trouble := r.trouble
		if tell {
			r.told = true
		} else if len(r.queue) == 0 {
			r.writing = false
			r.idle.Broadcast()
			r.mu.Unlock()
			return
		}
		var batch []recorded
		if !tell {
			batch, r.queue = r.queue, nil
		}
		r.mu.Unlock()
		if tell {
			r.OnError(trouble)
		}
		for _, one := range batch {
			r.writeOne(one)
		}
	}
}

func (r *Recorder) writeOne(one recorded) {
	line, ok := r.line(one)
	r.mu.Lock()
	broken := r.broken
	r.mu.Unlock()
	var err error
	if ok && !broken {
		_, err = r.out.Write(line)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting -= len(one.body)
	if err != nil {
		r.broken = true // half a line may be there; another behind it would be lost with it
		r.fail(errs.New(errs.Unavailable, "%s: the recording ended: %w", r.scrub.Name, err))
	}
}

// line is a webhook as it is written. ok is false for what is not to be
// written.
func (r *Recorder) line(one recorded) (line []byte, ok bool) {
	defer func() {
		if recover() != nil { // a recording is not worth the process
			line, ok = nil, false
		}
	}()
	form := bytes.TrimSpace(one.body)
	if !Valid(form, r.scrub.MaxDepth) || form[0] != '{' && (form[0] != '[' || !r.scrub.List) {
		return nil, false
	}
	var b bytes.Buffer
	b.WriteString(`{"path":`)
	writeString(&b, r.scrub.path(one.path))
	b.WriteString(`,"headers":{`)
	for i, name := range r.scrub.headers(one.header) {
		if i > 0 {
			b.WriteByte(',')
		}
		writeString(&b, name)
		b.WriteByte(':')
		writeString(&b, one.header.Get(name))
	}
	b.WriteString(`},"body":`)
	r.scrub.value(&b, "", one.body)
	b.WriteString("}\n")
	return b.Bytes(), true
}

// copyingBody keeps what is read of a body, up to most bytes.
type copyingBody struct {
	io.ReadCloser
	most     int
	seen     bytes.Buffer
	ended    bool
	tooLarge bool
}

func (c *copyingBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.seen.Len()+n > c.most {
		c.tooLarge, c.seen = true, bytes.Buffer{}
	}
	if !c.tooLarge {
		c.seen.Write(p[:n])
	}
	if err == io.EOF {
		c.ended = true
	}
	return n, err
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status  int
	written bool
}

func (s *statusWriter) WriteHeader(status int) {
	if !s.written && status >= 200 { // those below are not the answer yet
		s.status, s.written = status, true
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) Write(p []byte) (int, error) {
	s.written = true
	return s.ResponseWriter.Write(p)
}

// Unwrap gives http.ResponseController the real writer.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
