package kit

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/adapter"
)

func TestStrictTakesOneValueOfTheForm(t *testing.T) {
	var s struct{ Name string }
	require.NoError(t, Strict([]byte(` {"name":"x"} `), &s))
	for _, bad := range []string{``, `{`, `{"label":"x"}`, `{"name":1}`, `{"name":"x"}{}`, `{"name":"x"} }`, `{"name":"x"}]`,
		`{"name":"x"},`} {
		err := Strict([]byte(bad), &s)
		require.ErrorIs(t, err, adapter.ErrInvalid, bad)
		require.NotContains(t, err.Error(), "label")
	}
}

func TestBaseIsAnAddressThatTokensMayBeSentTo(t *testing.T) {
	for given, want := range map[string]string{"https://api.example": "https://api.example",
		"https://api.example/v2/": "https://api.example/v2",
		"http://127.0.0.1:9100":   "http://127.0.0.1:9100", "http://localhost/": "http://localhost", "http://[::1]:1": "http://[::1]:1"} {
		got, err := Base("x: API base", given, "https://api.example")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"", "api.example", "http://api.example", "ftp://127.0.0.1", "https://u:p@api.example", "https://a/?q",
		"https://a/#f",
		"https://"} {
		_, err := Base("x: API base", bad, "https://api.example")
		require.ErrorIs(t, err, adapter.ErrInvalid, bad)
		require.ErrorContains(t, err, "x: API base")
	}
}
