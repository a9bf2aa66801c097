package console_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/placetest"
	"github.com/sangdam/sangdam/web/console"
)

// A finding that is said in another language is one that an adapter still makes,
// with as many places.
func TestEveryTranslatedFindingIsMade(t *testing.T) {
	var all strings.Builder
	for _, dir := range []string{"../../channel/line", "../../channel/email", "../../internal/smtpout"} {
		files, err := filepath.Glob(dir + "/*.go")
		require.NoError(t, err)
		for _, f := range files {
			raw, err := os.ReadFile(f)
			require.NoError(t, err)
			all.Write(raw)
		}
	}
	said := map[string]map[string]string{"en": {}}
	for _, tag := range []string{"ko", "ja"} {
		raw, err := os.ReadFile("findings/" + tag + ".json")
		require.NoError(t, err)
		texts := map[string]string{}
		require.NoError(t, json.Unmarshal(raw, &texts))
		said[tag] = texts
	}
	source := severalLines.ReplaceAllString(all.String(), "")
	require.Greater(t, len(said["ko"]), 50)
	for sentence := range said["ko"] {
		said["en"][sentence] = sentence
		for part := range strings.SplitSeq(sentence, "%s") {
			require.True(t, strings.Contains(source, strings.ReplaceAll(part, `"`, `\"`)), "nobody says %q any more", part)
		}
	}
	placetest.Same(t, said)
}

func TestAFindingIsSaidInTheReadersLanguage(t *testing.T) {
	require.Equal(t, "도메인이 smtp.shop.test를 보낼 수 있는 서버로 적고 있습니다",
		console.Found("ko", "the domain names smtp.shop.test among those who may send for it"))
	require.Equal(t, "ドメインはsmtp.shop.testを、送信できるサーバーとして挙げています",
		console.Found("ja", "the domain names smtp.shop.test among those who may send for it"))
	require.Equal(t, "the IMAP server refuses user or password", console.Found("en", "email: the IMAP server refuses user or password"))
	require.Equal(t, "something new", console.Found("ko", "something new"))
	w := newWorld(t)
	for tag, words := range map[string][]string{"ko": {"LINE이 액세스 토큰을 받아들였습니다.", "다른 도구의 주소일 수 있고"},
		"ja": {"LINEがアクセストークンを受け付けました。", "別のツールのものかもしれません"}} {
		c := w.client("admin")
		c.header = http.Header{"Accept-Language": {tag}}
		body := bodyOf(t, c.do(http.MethodGet, "/setup/accounts/shop/check", ""))
		for _, said := range words {
			require.Contains(t, body, said)
		}
		require.NotContains(t, body, "LINE accepts")
	}
}
