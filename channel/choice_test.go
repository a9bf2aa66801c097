package channel_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

func TestAPickerIsHeldToItsForm(t *testing.T) {
	for name, p := range map[string]channel.Picker{
		"a date":      {Mode: channel.PickDate, Initial: "2028-02-29", Min: "2028-01-01", Max: "2028-12-31"},
		"a time":      {Mode: channel.PickTime, Initial: "00:00", Min: "00:00", Max: "23:59"},
		"a date time": {Mode: channel.PickDateTime, Initial: "2026-03-01T14:30"},
		"no bounds":   {Mode: channel.PickTime},
	} {
		require.NoError(t, p.Valid(), name)
	}
	for name, p := range map[string]channel.Picker{
		"no mode":            {},
		"unknown mode":       {Mode: "week"},
		"no such day":        {Mode: channel.PickDate, Min: "2026-02-29"},
		"a day of one digit": {Mode: channel.PickDate, Min: "2026-3-1"},
		"an hour of 24":      {Mode: channel.PickTime, Max: "24:00"},
		"with a zone":        {Mode: channel.PickDateTime, Min: "2026-03-01T14:30Z"},
		"nothing between":    {Mode: channel.PickTime, Min: "10:00", Max: "10:00"},
		"initial too early":  {Mode: channel.PickDate, Initial: "2026-01-01", Min: "2026-01-02"},
		"initial too late":   {Mode: channel.PickDate, Initial: "2026-01-03", Max: "2026-01-02"},
	} {
		require.ErrorIs(t, p.Valid(), errs.Invalid, name)
	}
	p := channel.Picker{Mode: channel.PickDate, Initial: "2026-03-02", Min: "2026-03-01", Max: "2026-03-31"}
	require.True(t, p.Accepts("2026-03-31"))
	require.False(t, p.Accepts("2026-04-01"))
	require.False(t, p.Accepts(""))
	require.Equal(t, "10:00", channel.Postback{Params: map[string]string{"time": "10:00"}}.Picked())
	require.Empty(t, channel.Postback{Params: map[string]string{"status": "SUCCESS"}}.Picked())
}

func TestTheFilesOfAMessageHaveNumbers(t *testing.T) {
	media := func(name string) channel.Media { return channel.Media{Name: name} }
	names := func(c channel.Content) (out []string) {
		for _, m := range c.Files() {
			out = append(out, m.Name)
		}
		return out
	}
	first := media("a")
	one := channel.Content{Kind: channel.KindImage, Media: &first, Attachments: []channel.Media{media("b"), media("c")}}
	require.Equal(t, []string{"a", "b", "c"}, names(one))
	require.Equal(t, []string{"x", "b", "c"}, names(one.WithFile(0, media("x"))))
	require.Equal(t, []string{"a", "b", "x"}, names(one.WithFile(2, media("x"))))
	require.Equal(t, []string{"a", "b", "c"}, names(one.WithFile(3, media("x"))))
	require.Equal(t, []string{"a", "b", "c"}, names(one), "it stays as it is")
	two := channel.Content{Kind: channel.KindText, Text: "see", Attachments: []channel.Media{media("b")}}
	require.Equal(t, []string{"x"}, names(two.WithFile(0, media("x"))))
	require.Empty(t, channel.Text("none").Files())
	require.Equal(t, channel.KindImage, channel.KindOf("image/png"))
	require.Equal(t, channel.KindFile, channel.KindOf("image/svg+xml"))
	require.Equal(t, channel.KindFile, channel.KindOf(""))
}
