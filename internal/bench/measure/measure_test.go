package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpreadIsMedianMinMax(t *testing.T) {
	same := func(v float64) float64 { return v }
	require.Equal(t, Spread{Median: 2, Min: 1, Max: 9}, Of([]float64{9, 1, 2}, same))
	require.Equal(t, Spread{Median: 1.5, Min: 1, Max: 2}, Of([]float64{2, 1}, same))
	require.Equal(t, Spread{}, Of(nil, same))
}

func TestLatenciesByNearestRank(t *testing.T) {
	var l Latencies
	for i := range 100 {
		l = append(l, time.Duration(100-i))
	}
	require.Equal(t, time.Duration(50), l.At(0.5))
	require.Equal(t, time.Duration(99), l.At(0.99))
	require.Equal(t, time.Duration(100), l.At(1))
	require.InDelta(t, 0.1, l.Above(90), 1e-9)
	require.Zero(t, Latencies(nil).At(0.5))
}

func TestCompareTakesTurnsAndRatios(t *testing.T) {
	var order string
	side := func(name string, per time.Duration) Side {
		return func(units int) (time.Duration, error) {
			order += name
			return time.Duration(units) * per, nil
		}
	}
	got, err := Compare(Plan{Dir: t.TempDir(), Rounds: 1, Units: 10, Ours: side("o", 2*time.Millisecond),
		Control: side("c", time.Millisecond)})
	require.NoError(t, err)
	require.InDelta(t, 0.5, got.Share.Median, 1e-9)
	require.InDelta(t, 500, got.Ours.Median, 1e-9)
	require.Contains(t, []string{"oc", "occo", "occooc"}, order)
}
