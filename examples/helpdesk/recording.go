package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/sangdam/sangdam/channel/line"
)

// recording is the file of -record. Nil records nothing.
type recording struct {
	file *os.File
	*line.Recorder
}

// openRecording opens or makes the file; "" means none.
func openRecording(name string, out *journal) (*recording, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the recording cannot be opened; choose another -record: %w", err)
	}
	if err := endsWithLine(f); err != nil {
		return nil, errors.Join(fmt.Errorf("the recording %s cannot be continued; choose another -record: %w", name, err), f.Close())
	}
	r := &recording{file: f, Recorder: line.NewRecorder(f)}
	r.OnError = func(err error) { out.logger().Error("the recording is not complete", "error", err) }
	return r, nil
}

// endsWithLine refuses a file whose last line is not whole: nothing that is
// added to it could be read.
func endsWithLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		return errors.New("its last line is not whole")
	}
	return nil
}

func (r *recording) wrap(next http.Handler) http.Handler {
	if r == nil {
		return next
	}
	return r.Wrap(next)
}

// close writes what waits. That the recording is not complete has been told by
// then and is no failure of the desk.
func (r *recording) close() error {
	if r == nil {
		return nil
	}
	_ = r.Recorder.Close()
	return r.file.Close()
}
