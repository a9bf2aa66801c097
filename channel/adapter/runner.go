package adapter

import (
	"context"
	"io"

	"github.com/sangdam/sangdam/channel"
)

// Runner is implemented by adapters that fetch events themselves, because their
// provider calls nobody: a mailbox, a polled service. The library runs each
// enabled account of such an adapter once, on one of all processes, and starts
// it again with growing pauses when it ends.
type Runner interface {
	// Run follows the account until ctx ends or something goes wrong. It returns
	// soon after the end of ctx, which comes when the engine stops, the account
	// is changed or switched off, or another process has taken over. After an error
	// that is ErrPermissionDenied (a wrong password) the library runs it again after
	// a minute at the earliest, so that nobody is locked out at the provider.
	Run(ctx context.Context, acct channel.Account, in Intake) error
}

// Intake takes what a Runner fetches. It belongs to one run; calls after its end
// are ErrStale.
type Intake interface {
	// Load returns the account's checkpoint: what was saved last, by whatever
	// process; nil when nothing was.
	Load(ctx context.Context) ([]byte, error)
	// Append stores envelopes durably. Those with a known DedupKey are absorbed.
	// Raw has at most MaxLargeEnvelope bytes here; ErrUnsupported for more than
	// MaxEnvelope where the host keeps no blobs.
	Append(ctx context.Context, envs ...Envelope) error
	// Save keeps the checkpoint, of at most 64 KiB, else ErrInvalid. Call it after what
	// it stands for was appended: a crash in between then fetches again, and loses
	// nothing.
	Save(ctx context.Context, checkpoint []byte) error
}

// Unpacker is implemented by adapters whose events hold the files themselves,
// as mails do: the library keeps the event and asks for its files one by one.
type Unpacker interface {
	// Unpack writes the file ref (Media.Provider, as Parse gave it) of the
	// envelope into sink. It does no I/O but sink's. ErrNotFound when the
	// envelope has no such file.
	Unpack(acct channel.Account, env Envelope, ref string, sink MediaSink) error
}

// OpenFile opens a file by its Media.Blob; the caller closes it. ErrNotFound when
// it is not kept any more.
type OpenFile func(ctx context.Context, blob string) (io.ReadCloser, error)

// FileSender is implemented by adapters whose messages hold the files themselves,
// as mails do. An Attempt names such a file by its Media.Blob, whose bytes never
// change, so that it need not hold them.
type FileSender interface {
	// SendFiles is Send with a way to the files; the library calls it instead.
	SendFiles(ctx context.Context, acct channel.Account, at Attempt, open OpenFile) (Sent, error)
}
