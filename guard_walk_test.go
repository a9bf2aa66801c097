package sangdam

import (
	"context"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/seal"
)

// hollow implements every interface of adapters, and each call of it panics:
// what it embeds is nil.
type hollow struct {
	adapter.Adapter
	adapter.Profiler
	adapter.ChatProfiler
	adapter.MediaFetcher
	adapter.TypingIndicator
	adapter.ReadMarker
	adapter.Checker
	adapter.Connector
	adapter.Inviter
	adapter.Runner
	adapter.Unpacker
	adapter.FileSender
	adapter.Changer
	adapter.Formatted
}

// hollowCarrier is the same of carriers.
type hollowCarrier struct{ notify.FileCarrier }

func (hollowCarrier) Reports(notify.Target, []byte) ([]notify.Report, error) {
	panic("nothing is here")
}

type hollowBlobs struct{ blob.Claimer }

// A panic in any call of foreign code is an error of that call. The test walks
// the methods by which the engine calls it, so that a new one is in it.
func TestAPanicInAnyForeignCallIsAnError(t *testing.T) {
	g := &guard{log: slog.New(slog.DiscardHandler)}
	a, err := newGuardedAdapter(g, hollow{}, time.Minute)
	require.ErrorIs(t, err, errPanicked)
	b, err := newGuardedBot(g, (bot.Bot)(nil))
	require.ErrorIs(t, err, errPanicked)
	answers := map[string]bool{"Capabilities": true, "Scope": true, "KeyID": true, "NeedsReseal": true} // without an error
	for _, foreign := range []any{a, b, guardedSeeker{guardedReader{g: g}, nil}, guardedPolicy{g: g},
		guardedSealer{g: g, s: (seal.Sealer)(nil), timeout: time.Minute},
		guardedBlobs{g: g, b: hollowBlobs{}, timeout: time.Minute}} {
		v := reflect.ValueOf(foreign)
		for i := range v.NumMethod() {
			name, args := v.Type().Method(i).Name, []reflect.Value{}
			for j := range v.Method(i).Type().NumIn() {
				switch in := v.Method(i).Type().In(j); in {
				case reflect.TypeFor[context.Context]():
					args = append(args, reflect.ValueOf(t.Context()))
				case reflect.TypeFor[time.Duration]():
					args = append(args, reflect.ValueOf(time.Minute))
				default:
					args = append(args, reflect.Zero(in))
				}
			}
			out := v.Method(i).Call(args)
			err, _ := out[len(out)-1].Interface().(error)
			require.True(t, err != nil || answers[name], "%T.%s", foreign, name)
		}
	}
	c, err := newGuardedCarrier(g, hollowCarrier{})
	require.ErrorIs(t, err, errPanicked)
	c.policy.Timeout = time.Minute
	require.ErrorIs(t, c.validate(notify.Target{}), errPanicked)
	_, err = c.plan(notify.Target{}, notify.Notice{}, time.Time{})
	require.Error(t, err)
	_, err = c.send(t.Context(), notify.Target{}, nil, nil)
	require.Error(t, err)
	_, err = c.reports(notify.Target{}, nil)
	require.ErrorIs(t, err, errPanicked)
}

// Every companion that an adapter may have is one that the guard knows, and every
// field of it is one that hollow has.
func TestTheGuardKnowsEveryCompanion(t *testing.T) {
	a, _ := newGuardedAdapter(&guard{log: slog.New(slog.DiscardHandler)}, hollow{}, time.Minute)
	v := reflect.ValueOf(*a)
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Interface {
			require.False(t, v.Field(i).IsNil(), "hollow does not implement what %s is", v.Type().Field(i).Name)
		}
	}
}
