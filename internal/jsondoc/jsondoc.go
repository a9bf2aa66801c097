// Package jsondoc reads stored documents, and brings times to how they are stored.
//
// It reads what encoding/json reads, and by the same rules, but in a third of the
// time: the reader is the one that Go 1.27 brings, by way of the module that
// mirrors it for older releases. A list of conversations spends more on reading
// its documents than on all else, which is why stores do not use the plain reader.
package jsondoc

import (
	"bytes"
	stdjson "encoding/json"

	json "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	v1 "github.com/go-json-experiment/json/v1"
)

// sameRules are those of encoding/json: names match whatever their case, the last
// of two equal names counts, and text that is no UTF-8 is mended.
var sameRules = v1.DefaultOptionsV1()

// Unmarshal reads a document into p, a pointer. The error says where the document is
// wrong.
func Unmarshal(doc []byte, p any) error {
	if quick(doc, p).read {
		return nil
	}
	return json.Unmarshal(doc, p, sameRules)
}

// Read reads a stored document into p, a pointer, with every time in the form of Micro.
// whole says that p has room for all of its members; if not, Unknown finds out.
func Read(doc []byte, p any) (whole bool, err error) {
	is := quick(doc, p)
	if !is.read {
		if err := json.Unmarshal(doc, p, sameRules); err != nil {
			return false, err
		}
	}
	if !is.read || is.foreign {
		Times(p)
	}
	return is.read && !is.more, nil
}

// Unknown returns the members of a document, an object, that are not known; nil for
// none, which costs next to nothing.
func Unknown(doc []byte, known map[string]bool) (map[string]stdjson.RawMessage, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(doc), sameRules)
	if d.PeekKind() != '{' {
		return nil, nil
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var found map[string]stdjson.RawMessage
	for d.PeekKind() == '"' {
		quoted, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(quoted, '\\') < 0 && known[string(quoted[1:len(quoted)-1])] {
			if err := d.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		var name string
		if err := Unmarshal(quoted, &name); err != nil {
			return nil, err
		}
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if known[name] {
			continue
		}
		if found == nil {
			found = map[string]stdjson.RawMessage{}
		}
		found[name] = stdjson.RawMessage(bytes.Clone(value))
	}
	_, err := d.ReadToken()
	return found, err
}
