package seal_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/seal"
)

// record stands for the row that a database keeps.
type record struct {
	bytes []byte
	saves int
	// rival, when set, is written by another process between load and save.
	rival []byte
}

func (r *record) load(context.Context) ([]byte, error) {
	if r.bytes == nil {
		return nil, errs.New(errs.NotFound, "no check record")
	}
	return bytes.Clone(r.bytes), nil
}

func (r *record) save(_ context.Context, b []byte) error {
	if r.rival != nil {
		r.bytes, r.rival = r.rival, nil
		return errs.New(errs.AlreadyExists, "another process was first")
	}
	r.bytes = bytes.Clone(b)
	r.saves++
	return nil
}

func (r *record) check(t *testing.T, s seal.Sealer) error {
	return seal.Check(t.Context(), s, r.load, r.save)
}

func TestCheckFirstAndLaterStarts(t *testing.T) {
	s, r := ephemeral(t), &record{}
	require.NoError(t, r.check(t, s))
	require.NoError(t, r.check(t, s))
	require.Equal(t, 1, r.saves, "a later start writes nothing")
}

func TestCheckRefusesWrongKey(t *testing.T) {
	right, wrong, r := ephemeral(t), ephemeral(t), &record{}
	require.NoError(t, r.check(t, right))
	before := bytes.Clone(r.bytes)
	err := r.check(t, wrong)
	require.ErrorIs(t, err, seal.ErrWrongKey)
	require.ErrorIs(t, err, seal.ErrInvalid)
	require.ErrorContains(t, err, right.KeyID(), "the missing key is named")
	require.ErrorContains(t, err, wrong.KeyID())
	require.ErrorContains(t, err, "SANGDAM_KEYS", "the remedy is named")
	require.Equal(t, before, r.bytes, "a refusal changes nothing")
	require.NoError(t, r.check(t, right), "the right key starts again")
}

func TestCheckOfTwoFirstStarts(t *testing.T) {
	winner, loser := ephemeral(t), ephemeral(t)
	won := &record{}
	require.NoError(t, won.check(t, winner))
	require.ErrorIs(t, (&record{rival: won.bytes}).check(t, loser), seal.ErrWrongKey)
	require.NoError(t, (&record{rival: won.bytes}).check(t, winner), "the same keys on two nodes")
}

func TestCheckAfterRotationSealsTheRecordAgain(t *testing.T) {
	a, b, r := ephemeral(t), ephemeral(t), &record{}
	require.NoError(t, r.check(t, a))
	require.NoError(t, r.check(t, rotated{Sealer: a, primary: b}))
	require.NoError(t, r.check(t, b), "the old key may go")
	require.ErrorIs(t, r.check(t, a), seal.ErrWrongKey)
}

func TestCheckDamagedRecord(t *testing.T) {
	s := ephemeral(t)
	for name, stored := range map[string]string{
		"empty": "", "no JSON": "garbage", "other JSON": `[1]`, "no version": `{}`, "bad base64": `{"version":1,"sealed":"!"}`,
	} {
		r := &record{bytes: append([]byte{}, stored...)}
		require.ErrorIs(t, r.check(t, s), seal.ErrInvalid, name)
		require.ErrorContains(t, r.check(t, s), "damaged", name)
		require.Zero(t, r.saves, name)
	}
	r := &record{bytes: []byte(`{"version":2,"key":"k"}`)}
	require.ErrorIs(t, r.check(t, s), errs.Unsupported)
	r = &record{bytes: []byte(`{"version":1,"key":"k","sealed":""}`)}
	require.ErrorIs(t, r.check(t, s), seal.ErrWrongKey)
}

func TestCheckPassesFailuresOn(t *testing.T) {
	s, broken := ephemeral(t), errors.New("the database is away")
	fails := func(context.Context) ([]byte, error) { return nil, broken }
	r := &record{}
	require.ErrorIs(t, seal.Check(t.Context(), s, fails, r.save), broken)
	require.Zero(t, r.saves, "a failure is not a missing record")
	require.ErrorIs(t, seal.Check(t.Context(), s, r.load, func(context.Context, []byte) error { return broken }), broken)

	require.NoError(t, r.check(t, s))
	err := seal.Check(t.Context(), away{s}, r.load, r.save)
	require.ErrorIs(t, err, seal.ErrUnavailable)
	require.NotErrorIs(t, err, seal.ErrWrongKey, "keys that cannot be reached are not wrong keys")

	always := func(context.Context, []byte) error { return errs.New(errs.Conflict, "again") }
	require.ErrorIs(t, seal.Check(t.Context(), s, (&record{}).load, always), errs.Conflict)
}

// away is a Sealer whose key service cannot be reached.
type away struct{ seal.Sealer }

func (away) Open(context.Context, seal.AD, []byte) ([]byte, error) {
	return nil, errs.New(errs.Unavailable, "the key service is away")
}
