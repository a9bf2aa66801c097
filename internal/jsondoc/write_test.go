package jsondoc_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/jsondoc"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store/driver"
)

type (
	node struct {
		Next *node  `json:"next,omitempty"`
		Name string `json:"name"`
	}
	byPointer struct{ N int }
	shy       struct{ S string }
	own       struct{ N int }
	odd       struct {
		hidden    string
		Skipped   string     `json:"-"`
		Quoted    int        `json:"quoted,string"`
		Named     string     `json:"mit ü"`
		At        *time.Time `json:"at,omitzero"`
		Own       own        `json:"own,omitzero"`
		Pointed   *own       `json:"pointed,omitzero"`
		Any       any        `json:"any,omitempty"`
		Float     float64    `json:"float,omitempty"`
		Unsigned  uint8      `json:"unsigned"`
		Bytes     []byte     `json:"bytes"`
		Pair      [2]string  `json:"pair"`
		Untagged  bool
		Structure struct{ A, B string } `json:"structure,omitempty"`
		Ref       **string              `json:"ref"`
	}
	Inner    struct{ A, B string }
	Deeper   struct{ Inner }
	embedded struct {
		Deeper
		C string `json:"c,omitempty"`
	}
	hiding struct { // its own A hides the other
		Inner
		A int
	}
)

func (o own) IsZero() bool { return o.N == 3 }

func (b *byPointer) MarshalJSON() ([]byte, error) { return []byte(`"by pointer"`), nil }

func (s shy) MarshalText() ([]byte, error) { return []byte("<" + s.S + ">"), nil }

// What is written must be what the standard writer makes of the same value: that a row
// is found again, and what two programs make of it, rests on its bytes.
func TestWritesAsTheStandardWriter(t *testing.T) {
	for _, kind := range []reflect.Type{
		reflect.TypeFor[conversation.Conversation](), reflect.TypeFor[conversation.Message](), reflect.TypeFor[conversation.Event](),
		reflect.TypeFor[conversation.Contact](), reflect.TypeFor[conversation.Identity](), reflect.TypeFor[routing.Item](),
		reflect.TypeFor[routing.Agent](), reflect.TypeFor[routing.Queue](), reflect.TypeFor[driver.Event](),
		reflect.TypeFor[driver.OutboxRow](), reflect.TypeFor[hours.Calendar](), reflect.TypeFor[doc](), reflect.TypeFor[node](),
		reflect.TypeFor[[]byPointer](), reflect.TypeFor[*byPointer](), reflect.TypeFor[struct{ In byPointer }](), reflect.TypeFor[[]shy](),
		reflect.TypeFor[odd](), reflect.TypeFor[map[string]odd](), reflect.TypeFor[any](), reflect.TypeFor[string](),
		reflect.TypeFor[embedded](), reflect.TypeFor[hiding](), reflect.TypeFor[struct{ *Inner }](),
		reflect.TypeFor[struct {
			Inner `json:"inner"`
		}](), reflect.TypeFor[struct{ shy }](), reflect.TypeFor[struct{ *byPointer }](),
		reflect.TypeFor[[]*time.Time](), reflect.TypeFor[struct{ A, B *[]string }](),
	} {
		for seed := range uint64(300) {
			v := reflect.New(kind)
			fill(rand.New(rand.NewPCG(seed, 1)), v.Elem(), 0)
			for _, value := range []any{v.Interface(), v.Elem().Interface()} {
				want, wantErr := json.Marshal(value)
				got, err := jsondoc.Marshal(value)
				if (wantErr == nil) != (err == nil) {
					t.Fatalf("%v, seed %d: %v, the standard writer says %v", kind, seed, err, wantErr)
				}
				if string(got) != string(want) {
					t.Fatalf("%v, seed %d:\n%s\nthe standard writer makes\n%s", kind, seed, got, want)
				}
			}
		}
	}
	for want, v := range map[string]any{`{"v":1}`: struct{}{}, `{"v":1,"A":"a","B":""}`: Inner{A: "a"},
		`{"v":1,"x":2}`: map[string]int{"x": 2}} {
		got, err := jsondoc.MarshalMore(`"v":1`, v)
		if err != nil || string(got) != want {
			t.Fatalf("%s (%v), not %s", got, err, want)
		}
	}
	got, err := jsondoc.Marshal(nil)
	if err != nil || string(got) != "null" {
		t.Fatal(got, err)
	}
}

// fill makes a value up, nil, empty and zero ones among them.
// One field that the planner does not understand would send the whole document to the
// standard writer, and nobody would notice but by the processor's time.
func TestWhatIsStoredMostIsWrittenByPlan(t *testing.T) {
	for _, kind := range []reflect.Type{
		reflect.TypeFor[conversation.Conversation](), reflect.TypeFor[conversation.Message](), reflect.TypeFor[conversation.Event](),
		reflect.TypeFor[conversation.Contact](), reflect.TypeFor[conversation.Identity](), reflect.TypeFor[routing.Item](),
		reflect.TypeFor[routing.Decision](), reflect.TypeFor[driver.Event](), reflect.TypeFor[driver.OutboxRow](),
	} {
		if !jsondoc.WrittenByPlan(kind) {
			t.Errorf("%v is written by the standard writer", kind)
		}
	}
}

func fill(r *rand.Rand, v reflect.Value, depth int) {
	if depth > 5 || r.IntN(4) == 0 || !v.CanSet() {
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		at := time.Unix(r.Int64N(4e9), r.Int64N(1e9)/1000*1000)
		zones := []*time.Location{time.UTC, time.UTC, time.UTC, time.Local, time.FixedZone("", 9*3600), time.FixedZone("", 90)}
		at = at.In(zones[r.IntN(len(zones))])
		if r.IntN(40) == 0 {
			at = at.AddDate(r.IntN(20000)-10000, 0, 0)
		}
		v.Set(reflect.ValueOf(at))
		return
	}
	texts := []string{"", "a", "상담 😀", "<b>&\"\\", "line\nend\t\x01\x7f", "\u2028", "\u2029", "\xff", "ok \xed\xa0\x80", "\\u0041"}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[r.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(r.Int64N(256) - 128)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64N(256))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), depth+1)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf([]any{"x", 1.5, true, map[string]any{"<": nil}, time.Unix(0, 0).UTC()}[r.IntN(5)]))
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`{"a" : [1, "<"]}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key, depth+1)
			fill(r, value, depth+1)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i), depth+1)
		}
	}
}

// benchmarked is an open conversation.
func benchmarked() conversation.Conversation {
	now := time.Now().UTC().Truncate(time.Microsecond)
	id := "01a22a8d-7892-77f9-b7f7-e85cbb3a3c92"
	return conversation.Conversation{ID: conversation.ID(id), Thread: "contact:" + id + "/stream:line", State: conversation.StateOpen,
		Desk: "desk", WorkStream: "line", Account: "acct", Channel: "line", Contact: conversation.ContactID(id), Language: "ko",
		Control: conversation.ControlNobody, OpenedAt: now, UpdatedAt: now, LastCustomerAt: now, LastMessageAt: now, Unread: 5,
		EventSeq: 10}
}

func BenchmarkMarshal(b *testing.B) {
	c := benchmarked()
	for name, marshal := range map[string]func(any) ([]byte, error){"standard": json.Marshal, "jsondoc": jsondoc.Marshal} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := marshal(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
