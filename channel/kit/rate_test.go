package kit

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
)

// TestBucketsAreForgottenWhenTheyAreFull: accounts that come and go leave
// nothing behind, and nobody gets a second burst by it.
func TestBucketsAreForgottenWhenTheyAreFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // no time passes, so nothing refills
		l, err := (&Client{Name: "post", Provider: "the post"}).Limiters(map[string]rate.Limit{"slow": 100, "quick": 2000}, nil)
		require.NoError(t, err)
		busy := l.bucket("busy", "slow")
		require.True(t, busy.Allow())
		for i := range maxBuckets {
			l.bucket(fmt.Sprint(i), "quick")
		}
		require.Len(t, l.buckets, 2, "the busy one and the last")
		require.Same(t, busy, l.bucket("busy", "slow"))
		require.False(t, busy.Allow())
		require.Nil(t, l.bucket("busy", "no such endpoint"))
	})
}
