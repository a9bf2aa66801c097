package dooray_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/dooray"
	"github.com/sangdam/sangdam/notify/dooray/dooraytest"
)

// project is a target whose agent a1 has a key of its own.
func project() notify.Target {
	return notify.Target{ID: "p", Kind: dooray.KindTask, Settings: json.RawMessage(`{"project":"4000","to":["55"]}`),
		Secrets: map[string]channel.Secret{
			dooray.SecretKey: channel.NewSecret("all"), dooray.SecretKeyOf + "a1": channel.NewSecret("own"),
			notify.SecretHook: channel.NewSecret(strings.Repeat("h", 20))}}
}

// TestATaskIsMadeInTheAgentsName where its key is known, else in the
// representative's; what a customer wrote is text there.
func TestATaskIsMadeInTheAgentsName(t *testing.T) {
	d := dooraytest.New()
	d.Key("all", "boss")
	d.Key("own", "kim")
	c, tg := dooray.NewTasks(dooray.Options{Transport: d.Transport()}), project()
	require.NoError(t, c.Validate(tg))
	send := func(agent string) (notify.Receipt, error) {
		data, err := json.Marshal(dooray.HandOver{Agent: agent})
		require.NoError(t, err)
		request, err := c.Plan(tg, notify.Notice{ID: "1", Event: "e", Title: "환불", Text: "<img src=x>\nbye",
			Link: "https://desk.example.com/?a=1&b=2", Data: data}, time.Now())
		require.NoError(t, err)
		require.NotContains(t, string(request), `"own"`, "keys are not in what is stored")
		return c.Send(t.Context(), tg, request)
	}
	for agent, by := range map[string]string{"a1": "kim", "a2": "boss", "": "boss"} {
		receipt, err := send(agent)
		require.NoError(t, err)
		tasks := d.Tasks()
		made := tasks[len(tasks)-1]
		require.Equal(t, []any{receipt.ID, by, "4000", "환불"}, []any{made.ID, made.By, made.Project, made.Subject})
		require.Equal(t, "&lt;img src=x&gt;<br>\nbye<br>\n<a "+
			"href=\"https://desk.example.com/?a=1&amp;b=2\">https://desk.example.com/?a=1&amp;b=2</a>", made.Body.Content)
		require.Equal(t, "55", made.Users.To[0].Member.ID)
	}
	for _, tc := range []struct {
		f    dooraytest.Fault
		want adapter.Disposition
	}{{dooraytest.Fault{Status: 401}, adapter.Permanent}, {dooraytest.Fault{Status: 404}, adapter.Permanent},
		{dooraytest.Fault{Status: 429}, adapter.RateLimited},
		{dooraytest.Fault{Status: 500}, adapter.Retry}, {dooraytest.Fault{Lost: true}, adapter.Ambiguous}} {
		d.Fail(tc.f)
		_, err := send("a1")
		se, ok := errors.AsType[*adapter.SendError](err)
		require.True(t, ok, "%+v", tc.f)
		require.Equal(t, tc.want, se.Disposition, "%+v", tc.f)
	}
}

func TestProjectsThatAreRefused(t *testing.T) {
	c := dooray.NewTasks(dooray.Options{})
	for name, spoil := range map[string]func(*notify.Target){
		"no project":     func(tg *notify.Target) { tg.Settings = json.RawMessage(`{}`) },
		"a path":         func(tg *notify.Target) { tg.Settings = json.RawMessage(`{"project":"1/../2"}`) },
		"a strange host": func(tg *notify.Target) { tg.Settings = json.RawMessage(`{"project":"1","host":"a/b"}`) },
		"no member":      func(tg *notify.Target) { tg.Settings = json.RawMessage(`{"project":"1","to":["kim"]}`) },
		"no key":         func(tg *notify.Target) { delete(tg.Secrets, dooray.SecretKey) },
		"a short hook":   func(tg *notify.Target) { tg.Secrets[notify.SecretHook] = channel.NewSecret("abc") },
	} {
		tg := project()
		spoil(&tg)
		require.ErrorIs(t, c.Validate(tg), notify.ErrInvalid, name)
	}
}

// TestWhatAProjectReports: states by their class and comments; the rest is
// nothing.
func TestWhatAProjectReports(t *testing.T) {
	c := dooray.NewTasks(dooray.Options{})
	for _, tc := range []struct {
		raw  []byte
		want []notify.Report
	}{
		{dooraytest.Moved("77", "closed"), []notify.Report{{Task: "77", State: notify.Done}}},
		{dooraytest.Moved("77", "registered"), []notify.Report{{Task: "77", State: notify.Working}}},
		{dooraytest.Commented("77", "9", "Lee", "<p>done &amp; dusted</p><script>x</script><br>now"),
			[]notify.Report{{ID: "9", Task: "77", Comment: "done & dusted\nnow", By: "Lee"}}},
		{[]byte(`{"hookEventType":"postTagChanged","post":{"id":"77"}}`), nil},
		{[]byte(`{"hookEventType":"postWorkflowChanged","post":{"id":"../1"}}`), nil},
	} {
		got, err := c.Reports(project(), tc.raw)
		require.NoError(t, err)
		require.Equal(t, tc.want, got)
	}
	for _, bad := range []string{"", "[]", "{}", "{"} {
		_, err := c.Reports(project(), []byte(bad))
		require.ErrorIs(t, err, notify.ErrInvalid, bad)
	}
}

func FuzzReports(f *testing.F) {
	f.Add(dooraytest.Moved("1", "closed"))
	f.Add(dooraytest.Commented("1", "2", "x", "<p>a</p>"))
	c := dooray.NewTasks(dooray.Options{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := c.Reports(project(), raw)
		if err == nil && len(list) > 0 && list[0].Task == "" {
			t.Error("a report about nothing")
		}
	})
}
