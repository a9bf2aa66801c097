package postcard

import (
	"io"

	"github.com/sangdam/sangdam/channel/kit"
)

// recording is what is known to be harmless of the office's webhooks: neither
// who wrote nor what.
var recording = kit.Recording{
	Name: "postcard", MaxBytes: signed.MaxBytes, MaxDepth: maxDepth, List: true,
	Kept:  map[string]kit.Shape{"kind": kit.Word, "id": kit.Ident, "at": kit.Number},
	Names: []string{"from", "name", "text"},
}

// NewRecorder returns a recorder of webhooks that writes to w; emukit.Replay
// plays them again. Close it before w.
func NewRecorder(w io.Writer) *kit.Recorder { return recording.NewRecorder(w) }
