package driver

import "context"

// Limits of a document; store.Documents checks them before a backend sees one.
const (
	// UniqueSlots and IndexSlots are how many unique keys and ordered indexes a
	// kind of document may declare.
	UniqueSlots, IndexSlots = 3, 8
	// MaxDocument is the largest body in bytes.
	MaxDocument = 256 << 10
	// MaxIndexed is the longest value of a key or an index in bytes.
	MaxIndexed = 440
	// MaxTags is how many tags one document may carry.
	MaxTags = 200
)

// Doc is a stored document: a body with the values it is found by. A backend
// knows no kind; it stores, compares bytes, and keeps the versions.
type Doc struct {
	// Kind and ID are the key of the document in its workspace.
	Kind, ID string
	// Version counts the writes; 0 for a document that does not exist yet.
	Version int64
	// Decl is the version of the declaration that made the values below.
	Decl int
	// Unique holds values that no two documents of the kind share; nil: none.
	Unique [UniqueSlots][]byte
	// Global is a value that no two documents of the kind share, whatever their
	// workspaces, and by which System.Resolve finds the document; nil: none.
	Global []byte
	// Index holds values that lists are ordered by; nil: not in that index.
	Index [IndexSlots][]byte
	// Tags are values of which a document has many; nil leaves those that are stored
	// as they are.
	Tags []Tag
	// Body is a JSON object.
	Body []byte
}

// Tag is one of many values of a document. Documents that share a name and a
// value are listed by Order.
type Tag struct {
	Name         string
	Value, Order []byte
}

// Range selects documents of a kind in one order: those of an index slot by
// its value, or, with Tag, those that carry the tag's value by its order. Ties
// are ordered by id.
type Range struct {
	Kind string
	// Slot is the index, 0 to IndexSlots-1; ignored with Tag.
	Slot int
	// Tag and Value select by a tag.
	Tag   string
	Value []byte
	// From is the first value (or order) and To the first one beyond; nil From
	// begins at the start, nil To ends at the end.
	From, To []byte
	// Desc lists from the end.
	Desc bool
	// Below, unless it is 0, selects the documents whose Decl is below it instead,
	// from the beginning whatever the place, the lowest Decl first.
	Below int
}

// Keys names documents of a kind by their ids, or, without IDs, by the values that
// they have in the unique slot.
type Keys struct {
	Kind   string
	IDs    []string
	Slot   int
	Values [][]byte
}

// Place is where a list goes on: after the document with this value and id. The
// zero Place is the beginning.
type Place struct {
	Value []byte
	ID    string
}

// Placed is a document with its place in the list that found it.
type Placed struct {
	Doc
	At Place
}

// DocRepo stores documents. What List and Get return has Kind, ID,
// Version, Decl and Body; the values that a caller derives from the body are
// left out. Writes with a version that is not the stored one are a clash, as
// is a unique value that another document has. A Global value that another
// document has is ErrAlreadyExists, told by Put.
type DocRepo interface {
	// Get returns the documents that are named, in no order.
	Get(ctx context.Context, k Keys) ([]Doc, error)
	// Put writes documents: Version 0 creates, another replaces that version. The
	// stored version is one higher. A document without a Body is deleted.
	Put(ctx context.Context, docs []Doc) error
	// List returns at most limit documents of the range after the place.
	List(ctx context.Context, r Range, after Place, limit int) ([]Placed, error)
	// Count counts the range, but not beyond atMost.
	Count(ctx context.Context, r Range, atMost int) (int, error)
	// Configuration returns the version of the configuration and all documents of
	// the kinds, in no order, as they were at one moment; of the version that is
	// known no documents, which is cheap.
	Configuration(ctx context.Context, known int64, kinds []string) (version int64, docs []Doc, err error)
}
