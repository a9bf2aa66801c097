package condition_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/trigger/condition"
)

func one(field string, op condition.Op, value any) condition.Condition {
	return condition.Condition{All: []condition.Clause{{Field: field, Op: op, Value: value}}}
}

func compile(t testing.TB, c condition.Condition) *condition.Program {
	p, err := c.Compile(schema(t))
	require.NoError(t, err)
	return p
}

func TestBadConditions(t *testing.T) {
	many := func(n int) []condition.Clause {
		return slices.Repeat([]condition.Clause{{Field: "vip", Op: condition.Is, Value: true}}, n)
	}
	deep := many(1)
	for range condition.MaxDepth {
		deep = []condition.Clause{{Any: deep}}
	}
	for name, tc := range map[string]struct {
		c    condition.Condition
		says string
	}{
		"unknown field":      {one("name; DROP TABLE x", condition.Is, "a"), "all[0].field: unknown field"},
		"no field":           {one("", condition.Is, "a"), "all[0].field"},
		"unknown operator":   {one("text", "$ne", "a"), `all[0].op: operator "$ne" does not suit field "text" of type text: use one of is`},
		"operator of others": {one("vip", condition.Gt, 1), "all[0].op"},
		"object":             {one("text", condition.Is, map[string]any{"$ne": ""}), "all[0].value: a Go value of type map"},
		"number for text":    {one("text", condition.Is, 5), "all[0].value: not a string"},
		"text for number":    {one("messages", condition.Is, "5"), "not a number"},
		"text for bool":      {one("vip", condition.Is, "true"), "not true or false"},
		"bool for id":        {one("queue", condition.Is, true), "not a string"},
		"nothing":            {one("text", condition.Is, nil), "needs a value"},
		"empty text":         {one("text", condition.Is, ""), "use present or absent"},
		"empty list":         {one("queue", condition.In, []string{}), "at least one value"},
		"list for is":        {one("text", condition.Is, []string{"a", "b"}), "takes one value, not 2"},
		"value for present":  {one("text", condition.Present, "a"), "takes no value"},
		"one bound":          {one("messages", condition.Between, 5), "takes two values"},
		"bounds reversed":    {one("messages", condition.Between, []int{5, 4}), "swap them"},
		"times reversed":     {one("opened_at", condition.Between, []string{"2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"}), "swap them"},
		"not a time":         {one("opened_at", condition.Gt, "yesterday"), "RFC 3339"},
		"not a duration":     {one("opened_at", condition.OlderThan, "three days"), `"3d"`},
		"negative duration":  {one("opened_at", condition.OlderThan, -time.Hour), "not negative"},
		"infinite":           {one("messages", condition.Gt, math.Inf(1)), "not finite"},
		"not a number":       {one("messages", condition.In, []float64{math.NaN()}), "not finite"},
		"beyond 2^53":        {one("messages", condition.Is, int64(1)<<60), "2^53"},
		"not in the enum": {one("channel", condition.Is, "fax"),
			`"fax" is not a value of field "channel": use one of line, kakao, webchat`},
		"not UTF-8":         {one("text", condition.Is, "\xff"), "not UTF-8"},
		"not UTF-8 in list": {one("queue", condition.In, []string{"a", "\xff"}), "not UTF-8"},
		"long value":        {one("text", condition.Is, strings.Repeat("a", 513)), "at most 512"},
		"long pattern":      {one("text", condition.Matches, strings.Repeat("a", 513)), "at most 512"},
		"not a pattern":     {one("text", condition.Matches, "("), "missing closing )"},
		"look-ahead":        {one("text", condition.Matches, "(?=a)"), "RE2"},
		"back reference":    {one("text", condition.Matches, `(a)\1`), "RE2"},
		"repeats 101":       {one("text", condition.Matches, "a{101}"), "at most 100 times"},
		"repeats repeats":   {one("text", condition.Matches, "((a{50}){50}){50}"), "pattern"},
		"large program":     {one("text", condition.Matches, strings.Repeat("(a{9}){9}", 50)), "too large"},
		"11 patterns": {condition.Condition{All: slices.Repeat([]condition.Clause{{Field: "text", Op: condition.Matches, Value: "a"}},
			11)}, "all[10].value: more than 10 patterns"},
		"two patterns": {one("text", condition.Matches, []string{"a", "b"}), "takes one value"},
		"51 clauses":   {condition.Condition{All: many(25), Any: many(26)}, "any[25]: more than 50"},
		"1001 values": {condition.Condition{All: []condition.Clause{{Field: "queue", Op: condition.In,
			Value: slices.Repeat([]string{"a"}, 600)}, {Field: "queue", Op: condition.In, Value: slices.Repeat([]string{"a"}, 401)}}},
			"all[1].value: more than 1000 values"},
		"1001 in one": {one("queue", condition.In, slices.Repeat([]string{"a"}, 1001)), "keep at most 1000"},
		"too deep":    {condition.Condition{All: deep}, "nested more than 4 deep"},
		"group and field": {condition.Condition{Any: []condition.Clause{{Field: "vip", Op: condition.Is, Value: true, All: many(1)}}},
			"any[0]: a clause with field and all or any"},
		"inside a group": {condition.Condition{Any: []condition.Clause{{All: append(many(1), condition.Clause{Field: "x"})}}},
			"any[0].all[1].field"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.c.Validate(schema(t))
			require.ErrorIs(t, err, condition.ErrInvalid)
			require.ErrorContains(t, err, tc.says)
		})
	}
	require.ErrorIs(t, condition.Condition{}.Validate(nil), condition.ErrInvalid)
}

func TestBadJSON(t *testing.T) {
	clause := func(s string) string { return `{"version":1,"all":[` + s + `]}` }
	for name, tc := range map[string]struct{ data, says string }{
		"no version":         {`{"all":[]}`, "version"},
		"later version":      {`{"version":2}`, "this program reads version 1"},
		"version as text":    {`{"version":"1"}`, "not a whole number"},
		"unknown key":        {`{"version":1,"none":[]}`, `unknown key "none"`},
		"other case":         {`{"version":1,"ALL":[]}`, `unknown key "ALL"`},
		"repeated key":       {`{"version":1,"all":[],"all":[]}`, "stands twice"},
		"list":               {`[]`, "not a JSON object"},
		"null":               {`null`, "not a JSON object"},
		"cut off":            {`{"version":1`, "not a JSON object"},
		"two values":         {`{"version":1}{}`, "more than one JSON value"},
		"all as object":      {`{"version":1,"all":{}}`, "all: not a list of clauses"},
		"all null":           {`{"version":1,"all":null}`, "all: not a list"},
		"clause as text":     {clause(`"channel"`), "all[0]: not a JSON object"},
		"unknown clause key": {clause(`{"field":"text","op":"is","value":"a","or":1}`), `all[0]: unknown key "or"`},
		"field as object":    {clause(`{"field":{"$ne":""},"op":"is","value":"a"}`), "all[0].field: not a string"},
		"field as list":      {clause(`{"field":["text"],"op":"is","value":"a"}`), "all[0].field: not a string"},
		"op as number":       {clause(`{"field":"text","op":1,"value":"a"}`), "all[0].op: not a string"},
		"value as operator":  {clause(`{"field":"text","op":"is","value":{"$ne":""}}`), "all[0].value: an object"},
		"mixed list":         {clause(`{"field":"queue","op":"in","value":["a",1]}`), "all[0].value: a list that is not all"},
		"null in list":       {clause(`{"field":"queue","op":"in","value":["a",null]}`), "all[0].value: a list that is not all"},
		"list in list":       {clause(`{"field":"queue","op":"in","value":[["a"]]}`), "all[0].value: a list that is not all"},
		"number too large":   {clause(`{"field":"messages","op":"is","value":1e999}`), "all[0].value"},
		"in a group":         {clause(`{"any":[{"field":"text"},{"value":{}}]}`), "all[0].any[1].value: an object"},
		"too deep":           {clause(strings.Repeat(`{"all":[`, 6) + strings.Repeat(`]}`, 6)), "nested more than 4"},
		"very deep":          {strings.Repeat("[", 1_000_000), "not a JSON object"},
		"very deep value":    {clause(`{"field":"text","op":"is","value":` + strings.Repeat("[", 500_000)), "not a JSON object"},
		"too large": {clause(`{"field":"text","op":"is","value":"` + strings.Repeat("a", condition.MaxJSON) + `"}`),
			"keep at most"},
		"51 clauses": {clause(strings.Repeat(`{},`, 50) + `{}`), "keep at most 50"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := condition.Parse([]byte(tc.data))
			require.ErrorIs(t, err, condition.ErrInvalid)
			require.ErrorContains(t, err, tc.says)
			require.Zero(t, c)
			require.Less(t, len(err.Error()), 300)
		})
	}
	var holder struct{ When condition.Condition }
	err := json.Unmarshal([]byte(`{"When":{"version":1,"all":[{"field":"text","op":"is","value":{"$ne":""}}]}}`), &holder)
	require.ErrorIs(t, err, condition.ErrInvalid, "strict inside other structures too")
}

func TestBadSchemas(t *testing.T) {
	for name, fields := range map[string][]condition.Field{
		"no name":        {{Type: condition.TypeText}},
		"quote in name":  {{Name: `a"b`, Type: condition.TypeText}},
		"long name":      {{Name: strings.Repeat("a", 101), Type: condition.TypeText}},
		"no type":        {{Name: "a"}},
		"unknown type":   {{Name: "a", Type: "json"}},
		"twice":          {{Name: "a", Type: condition.TypeText}, {Name: "a", Type: condition.TypeBool}},
		"enum of none":   {{Name: "a", Type: condition.TypeEnum}},
		"text of values": {{Name: "a", Type: condition.TypeText, Values: []string{"x"}}},
		"empty value":    {{Name: "a", Type: condition.TypeEnum, Values: []string{""}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := condition.NewSchema(fields...)
			require.ErrorIs(t, err, condition.ErrInvalid)
		})
	}
}

func TestOperatorsOnAbsentFacts(t *testing.T) {
	opposite := []condition.Op{condition.IsNot, condition.NotContains, condition.NotIn, condition.HasNone, condition.Absent}
	values := map[condition.Type]any{
		condition.TypeText: "a", condition.TypeNumber: 1, condition.TypeBool: true, condition.TypeTime: now,
		condition.TypeEnum: "line", condition.TypeSet: "a", condition.TypeDuration: time.Hour, condition.TypeID: "a",
	}
	nothing := condition.Map{"text": condition.Text(""), "tags": condition.Set(nil), "opened_at": condition.Time(time.Time{}),
		"messages": condition.Number(math.NaN())}
	wrong := condition.Map{}
	for _, f := range schema(t).Fields() {
		wrong[f.Name] = condition.Bool(true)
		if f.Type == condition.TypeBool {
			wrong[f.Name] = condition.Text("true")
		}
	}
	for _, f := range schema(t).Fields() {
		for _, op := range condition.Operators(f.Type) {
			value := values[f.Type]
			switch op {
			case condition.Present, condition.Absent:
				value = nil
			case condition.OlderThan, condition.NewerThan:
				value = time.Hour
			case condition.Between:
				value = map[condition.Type]any{condition.TypeNumber: []int{1, 2}, condition.TypeTime: []string{"2026-01-01T00:00:00Z",
					"2026-01-02T00:00:00Z"}, condition.TypeDuration: []string{"1h", "2h"}}[f.Type]
			}
			p := compile(t, one(f.Name, op, value))
			want := slices.Contains(opposite, op)
			for facts, known := range map[string]condition.Known{"nothing": condition.FactAbsent, "wrong": condition.FactWrongType} {
				m := nothing
				if facts == "wrong" {
					m = wrong
				}
				r := p.Eval(now, m)
				require.Equal(t, want, r.Match, "%s %s %s", facts, f.Name, op)
				require.Equal(t, known, r.Why[0].Fact)
			}
		}
	}
}

func TestReasonsTellNoText(t *testing.T) {
	const secret = "901010-1234567"
	p := compile(t, condition.Condition{
		All: []condition.Clause{{Field: "text", Op: condition.Contains, Value: secret}, {Field: "queue", Op: condition.Is, Value: secret}},
		Any: []condition.Clause{{All: []condition.Clause{{Field: "vip", Op: condition.Is, Value: true}}},
			{Field: "messages", Op: condition.Gt, Value: 3}},
	})
	r := p.Eval(now, condition.Map{"text": condition.Text(secret), "vip": condition.Bool(true)})
	require.False(t, r.Match)
	require.NotContains(t, fmt.Sprint(r), secret)
	require.Equal(t, []string{
		"all[0] text contains: held",
		"all[1] queue is: missed (absent)",
		"any[0].all[0] vip is: held",
		"any[1] messages gt: missed (absent)",
	}, []string{r.Why[0].String(), r.Why[1].String(), r.Why[2].String(), r.Why[3].String()})
}

func TestOlderThanHoldsAtTheDeadline(t *testing.T) {
	p := compile(t, condition.Condition{Any: []condition.Clause{
		{Field: "opened_at", Op: condition.OlderThan, Value: "3d"},
		{Field: "opened_at", Op: condition.OlderThan, Value: "90m"},
		{Field: "opened_at", Op: condition.NewerThan, Value: "1ns"},
	}})
	facts := condition.Map{"opened_at": condition.Time(now)}
	next, ok := p.NextChange(now, facts)
	require.True(t, ok)
	require.True(t, next.Equal(now.Add(time.Microsecond)), "rounded up, never early")
	next, ok = p.NextChange(next, facts)
	require.True(t, ok)
	require.True(t, next.Equal(now.Add(90*time.Minute)))
	require.False(t, p.Match(next.Add(-time.Microsecond), facts))
	require.True(t, p.Match(next, facts))
	next, ok = p.NextChange(next, facts)
	require.True(t, ok)
	require.True(t, next.Equal(now.Add(72*time.Hour)))
	_, ok = p.NextChange(next, facts)
	require.False(t, ok)
	_, ok = p.NextChange(now, condition.Map{})
	require.False(t, ok)
}

func TestOnlyTheFirst64KiBOfText(t *testing.T) {
	p := compile(t, one("text", condition.Contains, "끝"))
	body := strings.Repeat("가", condition.MaxText/3-1)
	require.True(t, p.Match(now, condition.Map{"text": condition.Text(body + "끝")}))
	require.False(t, p.Match(now, condition.Map{"text": condition.Text(body + "가끝")}))
	pattern := compile(t, one("text", condition.Matches, "끝$"))
	require.False(t, pattern.Match(now, condition.Map{"text": condition.Text(body + "가끝")}))
}

func TestRequired(t *testing.T) {
	channel := func(op condition.Op, v any) condition.Clause {
		return condition.Clause{Field: "channel", Op: op, Value: v}
	}
	other := condition.Clause{Field: "vip", Op: condition.Is, Value: true}
	for name, tc := range map[string]struct {
		c    condition.Condition
		want []string
		ok   bool
	}{
		"nothing": {condition.Condition{}, nil, false},
		"is":      {condition.Condition{All: []condition.Clause{other, channel(condition.Is, "line")}}, []string{"line"}, true},
		"in": {condition.Condition{All: []condition.Clause{channel(condition.In, []string{"webchat", "line"})}},
			[]string{"line", "webchat"}, true},
		"both": {condition.Condition{All: []condition.Clause{channel(condition.In, []string{"webchat", "line"}),
			channel(condition.Is, "line")}}, []string{"line"}, true},
		"never": {condition.Condition{All: []condition.Clause{channel(condition.Is, "kakao"), channel(condition.Is, "line")}}, nil, true},
		"any of them": {condition.Condition{Any: []condition.Clause{channel(condition.Is, "kakao"), channel(condition.Is, "line")}},
			[]string{"kakao", "line"}, true},
		"any or others": {condition.Condition{Any: []condition.Clause{channel(condition.Is, "kakao"), other}}, nil, false},
		"negated":       {condition.Condition{All: []condition.Clause{channel(condition.IsNot, "kakao")}}, nil, false},
		"all and any": {condition.Condition{All: []condition.Clause{channel(condition.In, []string{"line", "kakao"})},
			Any: []condition.Clause{channel(condition.Is, "kakao"), channel(condition.Is, "webchat")}}, []string{"kakao"}, true},
		"in a group": {condition.Condition{All: []condition.Clause{{Any: []condition.Clause{channel(condition.Is, "kakao")}}}},
			[]string{"kakao"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := compile(t, tc.c).Required("channel")
			require.Equal(t, tc.ok, ok)
			require.ElementsMatch(t, tc.want, got)
		})
	}
	_, ok := compile(t, one("text", condition.Is, "a")).Required("text")
	require.False(t, ok, "text ignores case and cannot be indexed")
}

func TestEvalAllocatesOnlyReasons(t *testing.T) {
	p := compile(t, condition.Condition{All: []condition.Clause{
		{Field: "text", Op: condition.Contains, Value: "Refund"},
		{Field: "text", Op: condition.Matches, Value: "(?i)refund"},
		{Field: "channel", Op: condition.Is, Value: "line"},
		{Field: "tags", Op: condition.HasAny, Value: []string{"a", "vip"}},
	}})
	var facts condition.Facts = condition.Map{"text": condition.Text("please refund"), "channel": condition.Text("line"),
		"tags": condition.Set([]string{"vip"})}
	require.True(t, p.Match(now, facts))
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Match(now, facts) }))
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { p.Eval(now, facts) }), 1.0)
}

func FuzzCondition(f *testing.F) {
	f.Add(`{"version":1,"all":[{"field":"channel","op":"in","value":["line"]},{"field":"opened_at","op":"older_than","value":"3d"}]}`, "환불")
	f.Add(`{"version":1,"any":[{"field":"text","op":"matches","value":"(?i)re.{2,4}d"},{"all":[{"field":"tags","op":"has_none",`+
		`"value":["a"]}]}]}`, "Refund")
	f.Add(`{"version":1,"all":[{"field":"text","op":"is","value":{"$ne":""}}]}`, "")
	f.Add(`{"version":1,"all":[{"field":"messages","op":"between","value":[1,2.5]},{"field":"vip","op":"absent","value":null}]}`, "x")
	s := schema(f)
	f.Fuzz(func(t *testing.T, data, text string) {
		c, err := condition.Parse([]byte(data))
		if err != nil {
			require.ErrorIs(t, err, condition.ErrInvalid)
			return
		}
		first, err := json.Marshal(c)
		require.NoError(t, err)
		back, err := condition.Parse(first)
		require.NoError(t, err)
		second, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
		p, err := c.Compile(s)
		if err != nil {
			require.ErrorIs(t, err, condition.ErrInvalid)
			return
		}
		facts := condition.Map{"text": condition.Text(text), "channel": condition.Text(text), "opened_at": condition.Time(now),
			"messages": condition.Number(2)}
		require.Equal(t, p.Match(now, facts), p.Eval(now, facts).Match)
	})
}

func BenchmarkMatch(b *testing.B) {
	var facts condition.Facts = condition.Map{
		"channel": condition.Text("line"), "text": condition.Text("안녕하세요, 주문한 상품을 환불하고 싶어요. Order 1234"), "queue": condition.Text("q-17"),
	}
	for name, c := range map[string]condition.Condition{
		"is":              one("channel", condition.Is, "line"),
		"text is":         one("text", condition.Is, "안녕하세요, 다른 글"),
		"in 100":          one("queue", condition.In, ids(100)),
		"contains hangul": one("text", condition.Contains, "환불"),
		"contains latin":  one("text", condition.Contains, "order"),
		"matches":         one("text", condition.Matches, "(환불|취소).*(싶|해)"),
	} {
		p := compile(b, c)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Match(now, facts)
			}
		})
	}
}

// BenchmarkWorstPattern is the slowest that the bounds on patterns and text
// let through, for the figure in the manual.
func BenchmarkWorstPattern(b *testing.B) {
	text := condition.Map{"text": condition.Text(strings.Repeat("a", condition.MaxText))}
	p := compile(b, one("text", condition.Matches, `(?:a?){100}(?:a?){25}b`))
	for b.Loop() {
		p.Match(now, text)
	}
}

func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("q-%d", i)
	}
	return list
}
