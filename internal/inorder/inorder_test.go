package inorder_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/inorder"
)

type thing struct {
	name   string
	number int64
	seen   []int
}

var errBad = errors.New("bad")

// decodeThing needs a zero value, as documents do.
func decodeThing(doc []byte, numbers [2]int64, into *thing) error {
	if into.name != "" || into.seen != nil || string(doc) == "bad" {
		return errBad
	}
	into.name, into.number = string(doc), numbers[0]*numbers[1]
	into.seen = append(into.seen, 1)
	return nil
}

func run(docs []string) (got []thing, err error) {
	d := inorder.New(decodeThing, func(v thing) { got = append(got, v) })
	for i, doc := range docs {
		b := []byte(doc)
		if err := d.Add(b, [2]int64{int64(i), 2}); err != nil {
			return got, err
		}
		clear(b) // the Decoder has its own copy
	}
	return got, d.End()
}

func TestAllComeInOrder(t *testing.T) {
	for _, n := range []int{0, 1, 511, 512, 513, 1024, 20_000} {
		docs := make([]string, n)
		for i := range docs {
			docs[i] = "name " + strconv.Itoa(i)
		}
		got, err := run(docs)
		require.NoError(t, err)
		require.Len(t, got, n)
		for i, v := range got {
			require.Equal(t, thing{docs[i], 2 * int64(i), []int{1}}, v)
		}
	}
}

// One that cannot be read is an error wherever it stands, and nothing of what came
// behind its part is handed on.
func TestABadOneIsAnError(t *testing.T) {
	for _, at := range []int{0, 511, 512, 5_000, 9_999} {
		docs := make([]string, 10_000)
		for i := range docs {
			docs[i] = strconv.Itoa(i)
		}
		docs[at] = "bad"
		got, err := run(docs)
		require.ErrorIs(t, err, errBad)
		require.LessOrEqual(t, len(got), at)
		for i, v := range got {
			require.Equal(t, docs[i], v.name)
		}
	}
}
