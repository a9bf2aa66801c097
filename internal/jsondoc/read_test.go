package jsondoc_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/jsondoc"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store/driver"
)

// withExtra is how a kind of document keeps the members that it does not know.
type withExtra struct {
	conversation.Identity
	Extra map[string]json.RawMessage `json:"-"`
}

// listed is an event in a list of several.
type listed struct {
	driver.Event
	Like int `json:"like,omitempty"`
}

// stored are how many of readKinds are what stores keep.
const stored = 11

var readKinds = []reflect.Type{
	reflect.TypeFor[conversation.Conversation](), reflect.TypeFor[conversation.Message](), reflect.TypeFor[conversation.Event](),
	reflect.TypeFor[conversation.Contact](), reflect.TypeFor[withExtra](), reflect.TypeFor[routing.Item](),
	reflect.TypeFor[routing.Agent](), reflect.TypeFor[routing.Queue](), reflect.TypeFor[driver.Event](),
	reflect.TypeFor[[]conversation.Event](), reflect.TypeFor[[]listed](),
	reflect.TypeFor[driver.OutboxRow](), reflect.TypeFor[hours.Calendar](), reflect.TypeFor[doc](), reflect.TypeFor[node](),
	reflect.TypeFor[odd](), reflect.TypeFor[struct{ In byPointer }](), reflect.TypeFor[struct{ A, B *[]string }](),
	reflect.TypeFor[struct {
		Times []*time.Time
		Words map[string]string
		Small int8
	}](),
}

// What is read must be what the standard reader makes of the same bytes, whether they
// are as a store writes them or were damaged, moved about or written by another.
func TestReadsAsTheStandardReader(t *testing.T) {
	for n, kind := range readKinds {
		for seed := range uint64(100) {
			r := rand.New(rand.NewPCG(seed, 2))
			v := reflect.New(kind)
			fill(r, v.Elem(), 0)
			written, err := json.Marshal(v.Interface())
			if err != nil {
				continue // a time that no document can hold
			}
			if n < stored && !jsondoc.ByPlan(written, reflect.New(kind).Interface()) {
				t.Fatalf("%v, as it is written, was not read by its plan: %s", kind, written)
			}
			sameReading(t, kind, written)
			for range 10 {
				sameReading(t, kind, damaged(r, written))
			}
		}
	}
}

// damaged changes a document somewhere.
func damaged(r *rand.Rand, doc []byte) []byte {
	parts := []string{"null", "{}", "[]", "[", "}", `"`, ",", ":", " ", "\n", `"id":`, `"v":1,`, `{"v":1,`, `"ID":"x",`, "0", "-", "1.5",
		"1e3", "12345678901234567890", "\\", "\\u0041", "\xff", `"x":{"y":[1]},`, `"x":"y",`, "true", `"a":null,`, "T", "Z", "+09:00"}
	s := string(doc)
	for range 1 + r.IntN(2) {
		at := r.IntN(len(s) + 1)
		if r.IntN(2) == 0 { // where a member begins
			if i := strings.IndexAny(s[at:], `,{"`); i >= 0 {
				at += i + r.IntN(2)
			}
		}
		to := min(len(s), at+r.IntN(3)*r.IntN(8))
		s = s[:at] + parts[r.IntN(len(parts))] + s[to:]
	}
	return []byte(s)
}

func sameReading(t *testing.T, kind reflect.Type, doc []byte) {
	t.Helper()
	want, got, kept := reflect.New(kind), reflect.New(kind), reflect.New(kind)
	wantErr, err := json.Unmarshal(doc, want.Interface()), jsondoc.Unmarshal(doc, got.Interface())
	if (wantErr == nil) != (err == nil) {
		t.Fatalf("%v, %q: %v, the standard reader says %v", kind, doc, err, wantErr)
	}
	if err != nil {
		return
	}
	if !reflect.DeepEqual(got.Interface(), want.Interface()) {
		t.Fatalf("%v, %q:\n%+v\nthe standard reader has\n%+v", kind, doc, got, want)
	}
	whole, err := jsondoc.Read(doc, kept.Interface())
	if err != nil {
		t.Fatal(err)
	}
	jsondoc.Times(want.Interface())
	if !reflect.DeepEqual(kept.Interface(), want.Interface()) {
		t.Fatalf("%v, %q, as it is stored:\n%+v\nnot\n%+v", kind, doc, kept, want)
	}
	if whole && strings.HasPrefix(string(doc), `{"v":1`) {
		t.Fatalf("%v, %q has a member that is not known", kind, doc)
	}
}

// What p held before stays where the document says nothing of it.
func TestReadsIntoWhatIsThere(t *testing.T) {
	for _, doc := range []string{`{"n":2}`, `{"name":"b","some":null}`} {
		want := conversation.Contact{Name: "a", Language: "ko"}
		got := want
		if err := json.Unmarshal([]byte(doc), &want); err != nil {
			t.Fatal(err)
		}
		if err := jsondoc.Unmarshal([]byte(doc), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatal(got, err)
		}
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	written, err := json.Marshal(benchmarked())
	if err != nil {
		b.Fatal(err)
	}
	for name, read := range map[string]func([]byte, any) error{"standard": json.Unmarshal,
		"jsondoc": func(doc []byte, p any) error { _, err := jsondoc.Read(doc, p); return err }} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var c conversation.Conversation
				if err := read(written, &c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
