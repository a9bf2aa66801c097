package console_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
	raw, err := os.ReadFile("findings/ko.json")
	require.NoError(t, err)
	said := map[string]string{}
	require.NoError(t, json.Unmarshal(raw, &said))
	require.Greater(t, len(said), 50)
	source := severalLines.ReplaceAllString(all.String(), "")
	for sentence, ko := range said {
		require.Equal(t, strings.Count(sentence, "%s"), strings.Count(ko, "%s"), sentence)
		for part := range strings.SplitSeq(sentence, "%s") {
			require.True(t, strings.Contains(source, strings.ReplaceAll(part, `"`, `\"`)), "nobody says %q any more", part)
		}
	}
}

func TestAFindingIsSaidInTheReadersLanguage(t *testing.T) {
	require.Equal(t, "도메인이 smtp.shop.test를 보낼 수 있는 서버로 적고 있습니다",
		console.Found("ko", "the domain names smtp.shop.test among those who may send for it"))
	require.Equal(t, "the IMAP server refuses user or password", console.Found("en", "email: the IMAP server refuses user or password"))
	require.Equal(t, "something new", console.Found("ko", "something new"))
	w := newWorld(t)
	c := w.client("admin")
	c.header = http.Header{"Accept-Language": {"ko"}}
	body, err := io.ReadAll(c.do(http.MethodGet, "/setup/accounts/shop/check", "").Body)
	require.NoError(t, err)
	require.Contains(t, string(body), "LINE이 액세스 토큰을 받아들였습니다.")
	require.Contains(t, string(body), "다른 도구의 주소일 수 있고")
	require.NotContains(t, string(body), "LINE accepts")
}
