package jsondoc_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/sangdam/sangdam/internal/jsondoc"
)

type inner struct {
	At   time.Time       `json:"at,omitzero"`
	Raw  json.RawMessage `json:"raw,omitempty"`
	Data []byte          `json:"data,omitempty"`
}

type doc struct {
	Name  string            `json:"name"`
	N     int64             `json:"n,omitempty"`
	Some  []string          `json:"some"`
	Words map[string]string `json:"words,omitempty"`
	Inner *inner            `json:"inner,omitempty"`
	inner
	Any any           `json:"any,omitempty"`
	For time.Duration `json:"for,omitempty"`
}

// What is read must be what the standard reader makes of the same bytes: a store
// may not see a document differently than the rest of the program.
func FuzzReadsAsTheStandardReader(f *testing.F) {
	for _, s := range []string{`{}`, `null`, `{"name":"상담","n":7,"some":["a",null],"words":{"b":"c"},` +
		`"inner":{"at":"2026-01-02T03:04:05Z","raw":{"x":[1,2]},"data":"aGk="},"any":{"a":1.5},"for":1000}`,
		`{"NAME":"x","name":"y"}`, `{"name":"` + "\xff" + `"}`,
		`{"n":1.0}`, `{"n":"1"}`, `[1]`, `{"name":1}`, `{"inner":null,"some":null}`, `{"at":"never"}`, `{"name":"\ud800"}`, `{"a":1}x`,
		`{"data":"aGk=\n"}`, `{"any":12345678901234567890}`, `{"for":"1s"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want, got doc
		wantErr, err := json.Unmarshal(raw, &want), jsondoc.Unmarshal(raw, &got)
		if (wantErr == nil) != (err == nil) {
			t.Fatalf("%q: %v, the standard reader says %v", raw, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %+v, the standard reader has %+v", raw, got, want)
		}
	})
}

// What is not known must be what the standard reader finds beside the known.
func FuzzUnknownAsTheStandardReader(f *testing.F) {
	for _, s := range []string{`{}`, `{"name":"a","x":{"y":[1, "}"]},"na\u006de":2,"x":3}`,
		`{"z" : null , "":1}`, `{"\ud800":1}`, `{"a":}`, `{"a":1`,
		`{"` + "\xff" + `":1,"name":"\""}`} {
		f.Add([]byte(s))
	}
	known := map[string]bool{"name": true, "n": true}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want map[string]json.RawMessage
		if json.Unmarshal(raw, &want) != nil {
			return // it was read before, and refused
		}
		maps.DeleteFunc(want, func(name string, _ json.RawMessage) bool { return known[name] })
		got, err := jsondoc.Unknown(raw, known)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if len(want)+len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %q, the standard reader has %q", raw, got, want)
		}
	})
}
