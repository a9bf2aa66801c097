package line_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// sending is an adapter with its own idea of the limit, on an emulator whose
// buckets have LINE's. It is for use inside a bubble.
func sending(t *testing.T, srv *linetest.Server, limit rate.Limit) *line.Adapter {
	t.Helper()
	a, err := line.New(line.Options{HTTPClient: &http.Client{Transport: srv.Transport()},
		Rates: map[string]rate.Limit{line.EndpointPush: limit}})
	require.NoError(t, err)
	return a
}

func pushTo(ctx context.Context, a *line.Adapter, acct channel.Account, to, key, text string) error {
	out := adapter.Outbound{Row: "r", To: channel.Chat{Kind: channel.ChatUser, ID: to}, Content: channel.Text(text)}
	at, err := a.Plan(acct, []adapter.Outbound{out}, time.Now(), func() string { return key })
	if err == nil {
		_, err = a.Send(ctx, acct, at)
	}
	return err
}

func key(process, n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", process, n) }

// TestABacklogIsSentAtTheLimit is requirement B16: 10,000 conversations with
// two waiting messages each, handed out in turn to 32 workers, against LINE's
// bucket. Time is fake, so that the figures are exact.
func TestABacklogIsSentAtTheLimit(t *testing.T) {
	const conversations, rounds, workers, limit = 10_000, 2, 32, 200
	synctest.Test(t, func(t *testing.T) {
		srv := linetest.New(linetest.Options{Rates: map[string]rate.Limit{"push": limit}})
		defer srv.Close()
		a, acct := sending(t, srv, limit), accountOf(srv)
		ids := make([]string, conversations)
		for i := range ids {
			ids[i] = srv.User(fmt.Sprint("customer ", i)).ID()
		}
		var mu sync.Mutex
		next, refused := 0, 0
		var sent []time.Time
		first, last := make([]time.Time, conversations), make([]time.Time, conversations)
		work := func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if n >= conversations*rounds {
					return
				}
				err := pushTo(t.Context(), a, acct, ids[n%conversations], key(1, n), "hello")
				mu.Lock()
				if err != nil {
					refused++
				}
				now := time.Now()
				sent = append(sent, now)
				if first[n%conversations].IsZero() {
					first[n%conversations] = now
				}
				last[n%conversations] = now
				mu.Unlock()
			}
		}
		begun := time.Now()
		var wg sync.WaitGroup
		for range workers {
			wg.Go(work)
		}
		wg.Wait()
		achieved := float64(len(sent)) / time.Since(begun).Seconds()
		shortest, longest := last[0].Sub(first[0]), time.Duration(0)
		for i := range first {
			d := last[i].Sub(first[i])
			shortest, longest = min(shortest, d), max(longest, d)
		}
		t.Logf("%d messages, %.2f a second: %.4f of the limit; delays of conversations %v to %v", len(sent), achieved,
			achieved/limit, shortest, longest)
		require.Zero(t, refused, "429 or any other refusal")
		require.GreaterOrEqual(t, achieved/limit, 0.98)
		require.LessOrEqual(t, longest.Seconds()/shortest.Seconds(), 2.0)
		require.LessOrEqual(t, busiestSecond(sent), limit, "in no second more than the limit")
	})
}

// busiestSecond is how many of the sorted times fall into one second at most.
func busiestSecond(times []time.Time) int {
	from, most := 0, 0
	for to, at := range times {
		for at.Sub(times[from]) >= time.Second {
			from++
		}
		most = max(most, to-from+1)
	}
	return most
}

// TestWithoutALimiterLINERefuses is the control of the test above.
func TestWithoutALimiterLINERefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := linetest.New(linetest.Options{Rates: map[string]rate.Limit{"push": 10}})
		defer srv.Close()
		a, acct, mina := sending(t, srv, 0), accountOf(srv), srv.User("Mina").ID()
		refused := 0
		for n := range 30 {
			if pushTo(t.Context(), a, acct, mina, key(1, n), "x") != nil {
				refused++
			}
		}
		require.Equal(t, 20, refused)
	})
}

// TestAnotherProcessOnTheAccount: two adapters that know nothing of each other
// send twice what LINE takes. Each refusal is RateLimited with a pause, and who
// keeps it gets everything out, once.
func TestAnotherProcessOnTheAccount(t *testing.T) {
	const limit, each = 20, 200
	synctest.Test(t, func(t *testing.T) {
		srv := linetest.New(linetest.Options{Rates: map[string]rate.Limit{"push": limit}})
		defer srv.Close()
		acct, mina := accountOf(srv), srv.User("Mina")
		var mu sync.Mutex
		refused := 0
		var wg sync.WaitGroup
		for process := range 2 {
			a := sending(t, srv, limit)
			wg.Go(func() {
				for n := range each {
					for {
						err := pushTo(t.Context(), a, acct, mina.ID(), key(process, n), fmt.Sprint(process, "/", n))
						if err == nil {
							break
						}
						var se *adapter.SendError
						if !errors.As(err, &se) || se.Disposition != adapter.RateLimited ||
							se.Reason != channel.ReasonRate || se.After <= 0 || se.Status != 429 {
							t.Errorf("got %v, want RateLimited with a pause", err)
							return
						}
						mu.Lock()
						refused++
						mu.Unlock()
						time.Sleep(se.After)
					}
				}
			})
		}
		wg.Wait()
		require.Positive(t, refused, "the test tests nothing")
		require.Len(t, mina.Received(), 2*each)
		require.Empty(t, mina.Repeated())
	})
}

func TestWaitingForTheRateHonoursTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := linetest.New(linetest.Options{})
		defer srv.Close()
		a, acct, mina := sending(t, srv, 0.1), accountOf(srv), srv.User("Mina")
		require.NoError(t, pushTo(t.Context(), a, acct, mina.ID(), key(1, 1), "first"))

		begun := time.Now()
		short, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := pushTo(short, a, acct, mina.ID(), key(1, 2), "too late")
		var se *adapter.SendError
		require.ErrorAs(t, err, &se)
		require.Equal(t, adapter.RateLimited, se.Disposition)
		require.InDelta(t, (10 * time.Second / 99 * 100).Seconds(), se.After.Seconds(), 0.1)
		require.Zero(t, time.Since(begun), "it is known at once that the time does not suffice")

		given, give := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, give)
		err = pushTo(given, a, acct, mina.ID(), key(1, 3), "given up")
		require.ErrorAs(t, err, &se)
		require.Equal(t, adapter.Retry, se.Disposition, "it certainly never left")
		require.Equal(t, time.Second, time.Since(begun))

		require.NoError(t, pushTo(t.Context(), a, acct, mina.ID(), key(1, 4), "second"))
		require.InDelta(t, 10.1, time.Since(begun).Seconds(), 0.1, "who gave up gave the place back")
		require.Equal(t, []string{"first", "second"}, mina.Texts())
	})
}

func TestAccountsAndEndpointsHaveRatesOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := linetest.New(linetest.Options{})
		defer srv.Close()
		a, acct, mina := sending(t, srv, 0.1), accountOf(srv), srv.User("Mina")
		other := accountOf(srv)
		other.Token = "other" // the id is the same: another workspace's
		begun := time.Now()
		for n, account := range []channel.Account{acct, other} {
			require.NoError(t, pushTo(t.Context(), a, account, mina.ID(), key(1, n), "x"))
		}
		_, err := a.Profile(t.Context(), acct, chatWith(mina), channel.ProviderUserID(mina.ID()))
		require.NoError(t, err)
		require.NoError(t, a.ShowTyping(t.Context(), acct, chatWith(mina), time.Second))
		require.Zero(t, time.Since(begun))
		require.NoError(t, a.ShowTyping(t.Context(), acct, chatWith(mina), time.Second))
		require.InDelta(t, 1.0/99, time.Since(begun).Seconds(), 0.001, "the loading animation has 100 a second by default")
	})
}

func chatWith(u *linetest.User) channel.Chat {
	return channel.Chat{Kind: channel.ChatUser, ID: u.ID()}
}

func TestRatesThatCannotBe(t *testing.T) {
	for name, limit := range map[string]rate.Limit{"pish": 10, line.EndpointPush: -1} {
		_, err := line.New(line.Options{Rates: map[string]rate.Limit{name: limit}})
		require.ErrorIs(t, err, adapter.ErrInvalid)
		require.ErrorContains(t, err, name)
	}
}

func TestMoreThanTheRateOfOthersIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := linetest.New(linetest.Options{})
		defer srv.Close()
		a, err := line.New(line.Options{HTTPClient: &http.Client{Transport: srv.Transport()},
			Rates: map[string]rate.Limit{line.EndpointProfile: 0.1}})
		require.NoError(t, err)
		acct, mina := accountOf(srv), srv.User("Mina")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, want := range []error{nil, adapter.ErrUnavailable} {
			_, err := a.Profile(ctx, acct, chatWith(mina), channel.ProviderUserID(mina.ID()))
			require.ErrorIs(t, err, want)
		}
	})
}
