package tinkseal_test

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/seal/tinkseal"
)

func TestRotateReadsOldWritesNew(t *testing.T) {
	path, old := create(t)
	before := sealed(t, old, "from before")
	id, err := tinkseal.Rotate(path)
	require.NoError(t, err)

	s := open(t, path)
	require.Equal(t, id, s.KeyID())
	require.NotEqual(t, old.KeyID(), id)
	requireOpens(t, s, before, "from before")
	require.True(t, s.NeedsReseal(before))
	after := sealed(t, s, "new")
	require.False(t, s.NeedsReseal(after))
	_, err = old.Open(t.Context(), place, after)
	require.ErrorIs(t, err, seal.ErrCannotOpen, "the old keyset cannot read what the new key sealed")

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
}

func TestRotationAmongSeveralProcesses(t *testing.T) {
	path, nodeA := create(t)
	first := nodeA.KeyID()
	old := sealed(t, nodeA, "old")

	second, err := tinkseal.AddKey(path)
	require.NoError(t, err)
	nodeB := open(t, path)
	require.Equal(t, first, nodeB.KeyID(), "an added key does not seal yet")
	requireOpens(t, nodeA, sealed(t, nodeB, "x"), "x")

	require.NoError(t, tinkseal.Promote(path, second))
	nodeC := open(t, path)
	require.Equal(t, second, nodeC.KeyID())
	requireOpens(t, nodeB, sealed(t, nodeC, "x"), "x")

	require.NoError(t, tinkseal.Disable(path, first))
	_, err = open(t, path).Open(t.Context(), place, old)
	require.ErrorIs(t, err, seal.ErrCannotOpen)
	require.NoError(t, tinkseal.Enable(path, first))
	requireOpens(t, open(t, path), old, "old")

	require.ErrorIs(t, tinkseal.Remove(path, first), tinkseal.ErrInvalid, "an enabled key is not removed")
	require.NoError(t, tinkseal.Disable(path, first))
	require.NoError(t, tinkseal.Remove(path, first))
	keys, err := tinkseal.Keys(path)
	require.NoError(t, err)
	require.Equal(t, []tinkseal.Key{{ID: second, Primary: true, Enabled: true}}, keys)
}

func TestRefusedChangesLeaveTheFile(t *testing.T) {
	path, s := create(t)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, change := range map[string]func() error{
		"disable the primary": func() error { return tinkseal.Disable(path, s.KeyID()) },
		"remove the primary":  func() error { return tinkseal.Remove(path, s.KeyID()) },
		"promote an unknown":  func() error { return tinkseal.Promote(path, "1") },
		"disable an unknown":  func() error { return tinkseal.Disable(path, "1") },
		"remove an unknown":   func() error { return tinkseal.Remove(path, "1") },
		"no number":           func() error { return tinkseal.Promote(path, "first") },
		"negative":            func() error { return tinkseal.Promote(path, "-1") },
		"too large":           func() error { return tinkseal.Promote(path, "4294967296") },
	} {
		require.ErrorIs(t, change(), tinkseal.ErrInvalid, name)
		require.NoFileExists(t, path+".new", name)
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, err = tinkseal.Rotate(path + ".missing")
	require.ErrorIs(t, err, tinkseal.ErrNotFound)
	_, err = tinkseal.Keys(path + ".missing")
	require.ErrorIs(t, err, tinkseal.ErrNotFound)
}

func TestTwoChangesAtOnce(t *testing.T) {
	path, _ := create(t)
	require.NoError(t, os.WriteFile(path+".new", nil, 0o600))
	_, err := tinkseal.Rotate(path)
	require.ErrorIs(t, err, tinkseal.ErrConflict)
	require.ErrorContains(t, err, path+".new", "the remedy names the file")
	require.NoError(t, os.Remove(path+".new"))
	_, err = tinkseal.Rotate(path)
	require.NoError(t, err)
}
