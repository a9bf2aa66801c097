package privacy_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation/privacy"
)

func TestSafeName(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"ordinary":          {"사진 1.png", "사진 1.png"},
		"empty":             {"", "file"},
		"only dots":         {"..", "file"},
		"path":              {"../../etc/passwd", "passwd"},
		"windows path":      {`C:\Users\x\..\boot.ini`, "boot.ini"},
		"ends in slash":     {"a/b/", "b"},
		"only slashes":      {"///", "file"},
		"NUL":               {"a.png\x00.exe", "a.png.exe"},
		"CRLF":              {"a\r\nSet-Cookie: x=1.txt", "aSet-Cookie_ x=1.txt"},
		"right to left":     {"photo\u202egnp.exe", "photognp.exe"},
		"isolates":          {"a\u2066b\u2069.txt", "ab.txt"},
		"zero width":        {"in\u200bvoice\ufeff.pdf", "invoice.pdf"},
		"hidden":            {".htaccess", "htaccess"},
		"option":            {"-rf", "rf"},
		"trailing dot":      {"a.exe. . ", "a.exe"},
		"device":            {"CON", "_CON"},
		"device, extension": {"nul.tar.gz", "_nul.tar.gz"},
		"device, blank":     {"aux .txt", "_aux .txt"},
		"port":              {"com1.txt", "_com1.txt"},
		"superscript port":  {"LPT²", "_LPT²"},
		"no device":         {"console.txt", "console.txt"},
		"reserved":          {`a<b>c:d"e|f?g*h.txt`, "a_b_c_d_e_f_g_h.txt"},
		"stream":            {"a.txt:evil.exe", "a.txt_evil.exe"},
		"look-alike slash":  {"a／b∕c⁄d.txt", "a_b_c_d.txt"},
		"decomposed":        {"\u1112\u1161\u11ab.txt", "한.txt"},
		"invalid UTF-8":     {"a\xff\xfe.txt", "a.txt"},
		"ideographic space": {"写真　一.png", "写真 一.png"},
		"private use":       {"a\ue000.txt", "a.txt"},
		"header":            {`a"; filename=b.exe`, "a__ filename=b.exe"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, privacy.SafeName(tc.in)) })
	}
}

func TestSafeNameOf4kB(t *testing.T) {
	got := privacy.SafeName(strings.Repeat("가", 1400) + ".jpeg")
	require.LessOrEqual(t, len(got), privacy.MaxFileName)
	require.True(t, strings.HasSuffix(got, "가.jpeg"))
	got = privacy.SafeName("a." + strings.Repeat("x", 4096))
	require.Len(t, got, privacy.MaxFileName)
	require.Equal(t, "file", privacy.SafeName(strings.Repeat(".", 5000)+strings.Repeat("/", 5000)))
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"../a", "CON", "a\u202eb", strings.Repeat("가", 100) + ".x", "a.\u0301", " .\u200b.-x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := privacy.SafeName(name)
		require.NotEmpty(t, got)
		require.LessOrEqual(t, len(got), privacy.MaxFileName)
		require.True(t, utf8.ValidString(got))
		require.False(t, strings.ContainsAny(got, "/\\\x00\r\n\"<>:|?*;"), "%q", got)
		require.False(t, strings.HasPrefix(got, ".") || strings.HasPrefix(got, "-") || strings.HasSuffix(got, ".") || strings.HasSuffix(got,
			" "), "%q", got)
		for _, r := range got {
			require.False(t, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co), "%q", got)
		}
		require.Equal(t, got, privacy.SafeName(got), "from %q", name)
	})
}
