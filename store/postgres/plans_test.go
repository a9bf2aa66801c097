package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlansGrowOldEverLater(t *testing.T) {
	b := fresh(t).Backend().(*backend)
	c, err := b.acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	delete(c.Conn().PgConn().CustomData(), plansKey)
	begin := time.Now()
	var at []time.Duration
	for d := time.Duration(0); d < 3*time.Minute; d += 50 * time.Millisecond {
		if list := replanning(c, begin.Add(d)); list != nil {
			at = append(at, d)
			require.NoError(t, b.run(t.Context(), list...))
		}
	}
	require.Equal(t, []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond}, at[:4])
	require.Equal(t, plansAtMost, at[len(at)-1]-at[len(at)-2])
}
