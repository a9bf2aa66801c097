package notify_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
)

func TestAFormThatNoPageCouldShowIsRefused(t *testing.T) {
	label := notify.Words{"en": "Server"}
	for says, f := range map[string]notify.Form{
		"part 0 of a form has a name": {Parts: []notify.Part{{Type: notify.PartText, Label: label}}},
		"letters, digits":             {Parts: []notify.Part{{Name: "a.b", Type: notify.PartText, Label: label}}},
		"1 to 100":                    {Parts: []notify.Part{{Name: strings.Repeat("a", 101), Type: notify.PartText, Label: label}}},
		"is there twice": {Parts: []notify.Part{
			{Name: "host", Type: notify.PartText, Label: label}, {Name: "host", Type: notify.PartURL, Label: label}}},
		"part host of a form has a type": {Parts: []notify.Part{{Name: "host", Type: "colour", Label: label}}},
		"no English label":               {Parts: []notify.Part{{Name: "host", Type: notify.PartText, Label: notify.Words{"ko": "서버"}}}},
		"choice of nothing":              {Parts: []notify.Part{{Name: "host", Type: notify.PartChoice, Label: label}}},
		"recipients of a type":           {To: "pigeon"},
	} {
		err := f.Check()
		require.ErrorIs(t, err, errs.Invalid, says)
		require.ErrorContains(t, err, says)
	}
	require.NoError(t, notify.Form{To: notify.PartMail, Parts: []notify.Part{
		{Name: "key", Type: notify.PartText, Label: label}, {Name: "key", Type: notify.PartSecret, Label: label}}}.Check(),
		"a setting and a secret may have one name")
	require.NoError(t, notify.Form{}.Check(), "a target may be made of nothing")
}

func TestWordsAreInTheReadersLanguage(t *testing.T) {
	w := notify.Words{"en": "Server", "ko": "서버", "pt-BR": "Servidor"}
	for language, want := range map[string]string{"ko": "서버", "ko-KR": "서버", "pt-BR": "Servidor", "pt": "Server", "ja": "Server",
		"": "Server"} {
		require.Equal(t, want, w.In(language), language)
	}
	require.Empty(t, notify.Words(nil).In("en"))
}
