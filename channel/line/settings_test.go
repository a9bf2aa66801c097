package line

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/adapter"
)

func TestSettingsAreKeptByTheirBytes(t *testing.T) {
	var c settingsCache
	for range 2 {
		for _, id := range []string{"1", "2"} {
			s, err := c.parse(json.RawMessage(`{"channel_id":"` + id + `"}`))
			require.NoError(t, err)
			require.Equal(t, Settings{ChannelID: id, TokenMode: TokenLongLived}, s)
		}
		_, err := c.parse(json.RawMessage(`{"channel":"1"}`))
		require.ErrorIs(t, err, adapter.ErrInvalid, "what is wrong stays wrong")
	}
	require.Len(t, c.known, 2)
	for i := range 3 * maxSettings {
		_, err := c.parse(json.RawMessage(fmt.Sprintf(`{"channel_id":"%d"}`, i)))
		require.NoError(t, err)
		require.LessOrEqual(t, len(c.known), maxSettings)
	}
}
