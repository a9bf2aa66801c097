package postgres

import (
	"encoding/binary"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What a shared transaction writes are arrays of texts and of documents, some
// hundred kilobytes in a round trip. The driver encodes them element by element
// and lets its buffers grow as they come, which made five bytes of garbage and
// more of each byte sent: nearly half of all that the library allocated. So these
// arrays are written by a loop, and both buffers get their room at once.

// sized is the first array of a statement, before which room is made for all of
// its parameters.
type sized[T string | []byte] struct {
	values []T
	room   int
}

// arrayHead is what precedes the elements of an array in the binary format.
const arrayHead = 20

// arrayCodec encodes arrays of texts or of bytes.
type arrayCodec[T string | []byte] struct{ *pgtype.ArrayCodec }

// PlanEncode implements pgtype.Codec.
func (c arrayCodec[T]) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		switch value.(type) {
		case []T, sized[T]:
			return arrayPlan[T]{c.ElementType.OID}
		}
	}
	return c.ArrayCodec.PlanEncode(m, oid, format, value)
}

type arrayPlan[T string | []byte] struct{ element uint32 }

// Encode implements pgtype.EncodePlan. A nil element is null.
func (p arrayPlan[T]) Encode(value any, buf []byte) ([]byte, error) {
	var list []T
	switch v := value.(type) {
	case sized[T]:
		list = v.values
		buf = slices.Grow(buf, v.room)
	case []T:
		list = v
		buf = slices.Grow(buf, arraySize(v))
	}
	nulls := len(buf) + 4
	for _, n := range [...]uint32{1, 0, p.element, uint32(len(list)), 1} { // dimensions, nulls, type, length, first index
		buf = binary.BigEndian.AppendUint32(buf, n)
	}
	for _, v := range list {
		if raw, is := any(v).([]byte); is && raw == nil {
			binary.BigEndian.PutUint32(buf[nulls:], 1)
			buf = binary.BigEndian.AppendUint32(buf, ^uint32(0))
			continue
		}
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(v)))
		buf = append(buf, v...)
	}
	return buf, nil
}

func arraySize[T string | []byte](list []T) int {
	n := arrayHead + 4*len(list)
	for _, v := range list {
		n += len(v)
	}
	return n
}

// teachArrays has a connection encode arrays so.
func teachArrays(m *pgtype.Map) {
	teach := func(oid uint32, codec func(*pgtype.ArrayCodec) pgtype.Codec) {
		if t, ok := m.TypeForOID(oid); ok {
			if usual, ok := t.Codec.(*pgtype.ArrayCodec); ok {
				m.RegisterType(&pgtype.Type{Name: t.Name, OID: oid, Codec: codec(usual)})
			}
		}
	}
	teach(pgtype.TextArrayOID, func(c *pgtype.ArrayCodec) pgtype.Codec { return arrayCodec[string]{c} })
	teach(pgtype.ByteaArrayOID, func(c *pgtype.ArrayCodec) pgtype.Codec { return arrayCodec[[]byte]{c} })
}

// room is a message of nothing that makes room for those after it.
type room int

// Frontend implements pgproto3.FrontendMessage.
func (room) Frontend() {}

// Decode implements pgproto3.Message.
func (room) Decode([]byte) error { return nil }

// Encode implements pgproto3.Message.
func (r room) Encode(dst []byte) ([]byte, error) { return slices.Grow(dst, int(r)), nil }

var _ pgproto3.FrontendMessage = room(0)

// A statement takes so much beside its parameters, and a parameter beside its
// text; a little more is only room.
const (
	besideStatement = 128
	besideParameter = 24
	worthRoom       = 4 << 10
)

// batchFor makes the batch of statements for a connection. One of the pool's gets
// room for them.
func (b *backend) batchFor(c conn, list []stmt) *pgx.Batch {
	var batch pgx.Batch
	own, pooled := c.(*pgxpool.Conn)
	total := 0
	for _, s := range list {
		args := s.args
		if pooled {
			withRoom, n := fitted(args)
			if args = withRoom; n > 0 {
				total += n + besideStatement
			}
		}
		batch.Queue(b.qualify(s.sql), args...)
	}
	if total > worthRoom {
		own.Conn().PgConn().Frontend().Send(room(total))
	}
	return &batch
}

// fitted are the parameters with room for all of them made by the first array, and
// how much they take.
func fitted(args []any) ([]any, int) {
	n, first := besideParameter*len(args), -1
	for i, a := range args {
		switch v := a.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		case []string:
			n += arraySize(v)
			first = firstOf(first, i, len(v))
		case [][]byte:
			n += arraySize(v)
			first = firstOf(first, i, len(v))
		default: // numbers, times and arrays of them
			n += arrayHead + 12*lengthOf(v)
		}
	}
	if first < 0 || n <= worthRoom {
		return args, n
	}
	args = slices.Clone(args)
	switch v := args[first].(type) {
	case []string:
		args[first] = sized[string]{v, n}
	case [][]byte:
		args[first] = sized[[]byte]{v, n}
	}
	return args, n
}

func firstOf(first, i, length int) int {
	if first < 0 && length > 0 {
		return i
	}
	return first
}

// lengthOf is the length of a slice, 1 of anything else.
func lengthOf(v any) int {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice {
		return r.Len()
	}
	return 1
}
