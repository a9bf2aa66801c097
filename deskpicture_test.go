package sangdam_test

import (
	"bytes"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
)

// The picture of a desk is what its bytes say and never what it is called; a
// small one is kept, for every agent to see, and goes when it is taken away.
func TestADesksPictureIsCheckedByItsContent(t *testing.T) {
	inWorld(t, func(w *world) {
		var file bytes.Buffer
		require.NoError(t, png.Encode(&file, image.NewGray(image.Rect(0, 0, 800, 400))))
		version := int64(0)
		save := func(body string) error {
			saved, err := w.eng.SaveDeskPicture(w.ctx, w.host,
				sangdam.SaveDeskPicture{Desk: "support", Version: version, Body: strings.NewReader(body)})
			if err == nil {
				version = saved.Version
			}
			return err
		}
		for what, body := range map[string]string{"a page": "<html><script>alert(1)</script>",
			"a drawing": "<svg xmlns='http://www.w3.org/2000/svg'/>",
			"nothing":   "", "half a picture": file.String()[:60], "too large": file.String() + strings.Repeat("x", 10_000_000)} {
			err := save(body)
			require.Error(t, err, what)
			require.Less(t, sangdam.HTTPStatus(err), 500, what)
		}
		_, err := w.eng.DeskPicture(w.ctx, w.agent("a1"), "support")
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		require.NoError(t, save(file.String()))
		require.NoError(t, save(file.String()), "again")
		require.ErrorIs(t, errOf(w.eng.SaveDeskPicture(w.ctx, w.host,
			sangdam.SaveDeskPicture{Desk: "support", Version: 1, Body: strings.NewReader(file.String())})), sangdam.ErrStale)
		kept, err := w.eng.DeskPicture(w.ctx, w.agent("a1"), "support")
		require.NoError(t, err)
		shown, kind, err := image.DecodeConfig(bytes.NewReader(kept.Data))
		require.NoError(t, err)
		require.Equal(t, "image/"+kind, kept.Type)
		require.Equal(t, 256, shown.Width)
		require.Equal(t, version, kept.Version)
		require.ErrorIs(t, errOf(w.eng.SaveDeskPicture(w.ctx, w.agent("a1"), sangdam.SaveDeskPicture{Desk: "support"})),
			sangdam.ErrPermissionDenied)
		require.ErrorIs(t, errOf(w.eng.SaveDeskPicture(w.ctx, w.host, sangdam.SaveDeskPicture{Desk: "none"})), sangdam.ErrNotFound)
		gone := sangdam.SaveDeskPicture{Desk: "support", Version: 1}
		require.ErrorIs(t, errOf(w.eng.SaveDeskPicture(w.ctx, w.host, gone)), sangdam.ErrStale, "taking it away replaces it too")
		gone.Version = version
		require.NoError(t, errOf(w.eng.SaveDeskPicture(w.ctx, w.host, gone)))
		_, err = w.eng.DeskPicture(w.ctx, w.agent("a1"), "support")
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		version = 0
		require.NoError(t, save(file.String()))
		require.Greater(t, version, kept.Version, "what was seen before it was taken away is not the new one")

		d := w.configuration().Desks["support"]
		since := d.Since
		require.False(t, since.IsZero())
		d.Since = since.AddDate(-1, 0, 0)
		require.NoError(t, errOf(w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Desk: d})))
		require.Equal(t, since, w.configuration().Desks["support"].Since, "since when there is a desk is not for the caller to say")
	})
}
