package sangdamtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/sangdamtest"
)

// A test of a host's own: a customer writes, an agent answers, and a day of
// waiting takes no time. Put it into a _test.go file under a name of yours.
func ExampleRun() {
	_ = func(t *testing.T) {
		sangdamtest.Run(t, func(d *sangdamtest.Desk) {
			mina := d.Agent("mina").Online()
			jun := d.Customer("Jun")
			jun.Says("Where is my parcel?")
			mina.Accepts().Answers("On its way.")
			require.Equal(t, []string{"On its way."}, jun.Heard())
		})
	}
}
