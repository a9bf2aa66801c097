package seal

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/sangdam/sangdam/internal/errs"
)

// ErrWrongKey says that the keys given are not those of this database. It is
// also an ErrInvalid.
var ErrWrongKey = errs.New(errs.Invalid, "seal: the keys are not those of this database")

// checkPlace and checkText are what the check record seals.
var checkPlace = AD{Table: "seal", Row: "check", Column: "record"}

const checkText = "sangdam: these keys belong to this database"

// checkVersion is the newest form of record that this program reads.
const checkVersion = 1

// checkRuns bounds how often Check starts again because another process wrote
// the record; at a start of many processes each does so at most once.
const checkRuns = 8

// checkRecord is what is stored. Key is in the clear so that the refusal can
// say which key is missing.
type checkRecord struct {
	Version int    `json:"version"`
	Key     string `json:"key"`
	Sealed  []byte `json:"sealed"`
}

// Check makes sure that s holds the keys of this database, before anything else
// is sealed or opened. The first start stores a known value, sealed. A later
// start opens it; where that fails the error is ErrWrongKey, and its text names
// the missing key and what to do. After a rotation the record is sealed again
// with the new primary key, so that the old one can go.
//
// load returns the record, or a NotFound error when there is none yet. save
// stores it only if the record is still what the last load returned, and
// otherwise returns a Conflict, Stale or AlreadyExists error; Check then begins
// again, so that of two programs that start first with different keys one is
// refused. Other errors of both come back as they are.
func Check(ctx context.Context, s Sealer, load func(context.Context) ([]byte, error), save func(context.Context, []byte) error) error {
	for range checkRuns {
		err := checkOnce(ctx, s, load, save)
		if !errors.Is(err, errs.Conflict) && !errors.Is(err, errs.Stale) && !errors.Is(err, errs.AlreadyExists) {
			return err
		}
	}
	return errs.New(errs.Conflict, "seal: other processes keep changing the check record; start this one again")
}

func checkOnce(ctx context.Context, s Sealer, load func(context.Context) ([]byte, error), save func(context.Context, []byte) error) error {
	stored, err := load(ctx)
	if errors.Is(err, errs.NotFound) {
		return saveCheck(ctx, s, save)
	}
	if err != nil {
		return err
	}
	var record checkRecord
	if json.Unmarshal(stored, &record) != nil || record.Version < 1 {
		return errs.New(errs.Invalid, "seal: the check record of the keys is damaged; restore the database from a backup")
	}
	if record.Version > checkVersion {
		return errs.New(errs.Unsupported, "seal: the check record of the keys is of version %d, this program reads up to %d; start a "+
			"newer program", record.Version, checkVersion)
	}
	plain, err := s.Open(ctx, checkPlace, record.Sealed)
	if errors.Is(err, ErrCannotOpen) || err == nil && string(plain) != checkText {
		return wrongKey(record.Key, s.KeyID())
	}
	if err != nil {
		return err
	}
	if s.NeedsReseal(record.Sealed) {
		return saveCheck(ctx, s, save)
	}
	return nil
}

func saveCheck(ctx context.Context, s Sealer, save func(context.Context, []byte) error) error {
	sealed, err := s.Seal(ctx, checkPlace, []byte(checkText))
	if err != nil {
		return err
	}
	stored, err := json.Marshal(checkRecord{Version: checkVersion, Key: s.KeyID(), Sealed: sealed})
	if err != nil {
		return errs.New(errs.Invalid, "seal: writing the check record: %w", err)
	}
	return save(ctx, stored)
}

func wrongKey(want, have string) error {
	return errs.New(errs.Invalid,
		"%w: the database was sealed with key %q, which is missing, disabled or not the same key in the keys given (their primary is %q). "+
			"Start with the key file, or the SANGDAM_KEYS, that was in use before, or restore it from its backup. "+
			"Nothing was changed; without that key the stored channel secrets and protected fields cannot be read", ErrWrongKey, want, have)
}
