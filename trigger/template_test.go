package trigger_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/trigger"
)

func TestParticlesSuitTheWordBefore(t *testing.T) {
	for template, cases := range map[string]map[string]string{
		"#{n}은/는": {"김민수": "김민수는", "박서준": "박서준은", "물": "물은", "12": "12는", "10": "10은", "LINE": "LINE는", "URL": "URL은", "Kim": "Kim은",
			"(주)한강": "(주)한강은", "'나'": "'나'는", "日本": "日本은(는)", "": "은(는)"},
		"#{n}이(가)":   {"민수": "민수가", "서준": "서준이", "7": "7이", "2": "2가"},
		"#{n}을(를)":   {"환불": "환불을", "문의": "문의를", "facebook": "facebook을", "song": "song을"},
		"#{n}(으)로":   {"서울": "서울로", "부산": "부산으로", "제주": "제주로", "1": "1로", "3": "3으로", "email": "email로"},
		"#{n}으로/로 감": {"서울": "서울로 감"},
		"#{n}와/과":    {"고객": "고객과", "문의": "문의와"},
		"#{n}야/아":    {"민수": "민수야", "서준": "서준아"},
	} {
		parsed, err := trigger.ParseTemplate(template, []string{"n"})
		require.NoError(t, err)
		for value, want := range cases {
			require.Equal(t, want, parsed.Render(map[string]string{"n": value}), "%s with %q", template, value)
		}
	}
}

func TestTemplatesTakeListedNamesOnly(t *testing.T) {
	allowed := []string{"ticket.title", "customer.name"}
	tpl, err := trigger.ParseTemplate("[#{ticket.title}] #{customer.name}님, #{ticket.title} }#", allowed)
	require.NoError(t, err)
	require.Equal(t, allowed, tpl.Names())
	values := map[string]string{"ticket.title": "<b>\r\nBcc: x", "customer.name": "#{ticket.title}"}
	require.Equal(t, "[<b>\r\nBcc: x] #{ticket.title}님, <b>\r\nBcc: x }#", tpl.Render(values), "values are not templates")
	require.Contains(t, tpl.RenderHTML(values), "[&lt;b&gt;")
	require.NotContains(t, tpl.RenderLine(values), "\n")
	require.NotContains(t, tpl.RenderLine(map[string]string{"ticket.title": "a\u2028b"}), "\u2028")
	for _, bad := range []string{"#{nobody}", "#{}", "#{ticket.title", "#{.}", "#{printf \"%9999999d\"}", "#{customer.name.Len}",
		"#{ customer.name }",
		strings.Repeat("#{customer.name}", 10000), strings.Repeat("x", trigger.MaxTemplate+1)} {
		_, err := trigger.ParseTemplate(bad, allowed)
		require.ErrorIs(t, err, trigger.ErrInvalid, "%.20s", bad)
	}
}

func FuzzParseTemplate(f *testing.F) {
	f.Add("#{n}은/는 x", "값")
	f.Add("#{", "")
	f.Add("#{n}#{n}(으)로", "서울")
	f.Fuzz(func(t *testing.T, text, value string) {
		tpl, err := trigger.ParseTemplate(text, []string{"n"})
		if err != nil {
			return
		}
		if out := tpl.Render(map[string]string{"n": ""}); strings.Contains(out, "#{n}") &&
			!strings.Contains(strings.ReplaceAll(text, "#{n}",
				""), "n}") {
			t.Errorf("a placeholder was left in %q", out)
		}
		tpl.RenderHTML(map[string]string{"n": value})
	})
}
