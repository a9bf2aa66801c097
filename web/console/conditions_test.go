package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// is is a clause that compares a field with a text.
func is(field, value string) condition.Clause {
	return condition.Clause{Field: field, Op: condition.Is, Value: value}
}

// A view of tickets with groups in groups is written by an agent with the
// keyboard alone, lists what it says, and is for its owner.
func TestGroupsOfConditionsWithTheKeyboardAlone(t *testing.T) {
	w := newWorld(t)
	for _, title := range []string{"A broken lamp", "A broken chair", "A lost parcel", "A question"} {
		_, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Desk: "support", Title: title})
		require.NoError(t, err)
	}
	p := w.open(browsertest.Open(t), "ara")
	p.openPage("/ticket-views/new")
	press := func(selector string) { t.Helper(); p.tabTo(selector); p.do(chromedp.KeyEvent("\r")) }
	write := func(selector, text string) { t.Helper(); p.tabTo(selector); p.do(chromedp.KeyEvent(text)) }
	row := func(path, op, value string) {
		t.Helper()
		write(`[name="`+path+`field"]`, "Title")
		write(`[name="`+path+`op"]`, op)
		write(`[name="`+path+`value"]`, value)
	}
	write("[name=name]", "Broken or lost")
	press(`[data-block=any] > .buttons [data-clause=group]`)
	row("any.1.in.0.", "contains", "broken")
	press(`[data-path="any.1.in."] > .buttons [data-clause=group]`)
	row("any.1.in.1.in.0.", "contains", "lamp")
	press(`[data-path="any.1.in.1.in."] > .buttons [data-clause=add]`)
	row("any.1.in.1.in.1.", "contains", "sofa")
	p.tabTo(`[name="any.1.group"]`)
	p.do(chromedp.KeyEvent("All"))
	press(`[data-block=any] > .buttons [data-clause=group]`) // one that is taken away again
	press(`[data-path="any.2.in."] > .group-head [data-clause=remove]`)
	require.True(t, eval[bool](p, `document.activeElement.matches("[data-block=any] > .buttons [data-clause=add]")`),
		"the focus stays near")
	press(`[data-block=any] > .buttons [data-clause=add]`)
	row("any.2.", "contains", "parcel")
	p.shot("groups")
	press(".form-end .primary")
	p.shows("table", "A broken lamp")
	p.shows("table", "A lost parcel")
	require.NotContains(t, p.text("table"), "chair")
	require.NotContains(t, p.text("table"), "question")
	contains := func(value string) condition.Clause {
		return condition.Clause{Field: "title", Op: condition.Contains, Value: value}
	}
	mine, err := w.eng.TicketViews(t.Context(), w.as("ara"))
	require.NoError(t, err)
	require.Equal(t, condition.Condition{Any: []condition.Clause{
		{All: []condition.Clause{contains("broken"), {Any: []condition.Clause{contains("lamp"), contains("sofa")}}}}, contains("parcel")}},
		mine[0].When)
	others, err := w.eng.TicketViews(t.Context(), w.as("bo"))
	require.NoError(t, err)
	require.Empty(t, others, "it is its owner's")

	p.click("#edit-view")
	p.until(`document.querySelector('[name="any.0.in.1.in.1.value"]').value === "sofa"`)
	p.click(".form-end .danger")
	p.until(`location.pathname === "/desk/tickets"`)
	mine, err = w.eng.TicketViews(t.Context(), w.as("ara"))
	require.NoError(t, err)
	require.Empty(t, mine)
}

// Whatever groups a condition has, the page that shows it saves what it was;
// only what nests deeper in rows than a condition may is shown as JSON.
func TestAConditionIsSavedAsItWasShown(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	a, b, c, d := is("title", "a"), is("title", "b"), is("body", "c, d"), is("language", "ko")
	number := condition.Clause{Field: "priority", Op: condition.Between, Value: []float64{0, 2}}
	group := func(all, any []condition.Clause) condition.Clause { return condition.Clause{All: all, Any: any} }
	of := func(list ...condition.Clause) []condition.Clause { return list }
	for name, when := range map[string]struct{ is, saved condition.Condition }{
		"none":  {},
		"plain": {is: condition.Condition{All: of(a, number), Any: of(b, c)}},
		"deep":  {is: condition.Condition{All: of(a, group(nil, of(b, group(of(c, group(nil, of(d, a))), nil))))}},
		"both sorts in a group": {is: condition.Condition{Any: of(group(of(a), of(b, c)))},
			saved: condition.Condition{Any: of(group(of(a, group(nil, of(b, c))), nil))}},
		"too deep for rows": {is: condition.Condition{All: of(group(of(group(of(group(of(a), of(b))), nil)), nil))}},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := w.eng.SaveTicketView(t.Context(), w.host, sangdam.SaveTicketView{View: ticket.View{Name: name, When: when.is}})
			require.NoError(t, err)
			p.openPage("/ticket-views/" + made.ID)
			require.Equal(t, name == "too deep for rows",
				eval[bool](p, `document.querySelector('[name="condition.mode"][value=json]').checked`))
			p.click(".form-end .primary")
			p.until(`location.pathname === "/desk/tickets"`)
			views, err := w.eng.TicketViews(t.Context(), w.host)
			require.NoError(t, err)
			for _, v := range views {
				if v.ID == made.ID {
					require.Equal(t, made.Version+1, v.Version)
					want := when.saved
					if want.IsZero() {
						want = when.is
					}
					require.Equal(t, want, v.When)
				}
			}
		})
	}
}

// A group is no deeper than conditions may be: the page offers no deeper one.
func TestNoGroupIsOfferedTooDeep(t *testing.T) {
	w := newWorld(t)
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/triggers/new?subject=ticket")
	for _, path := range []string{"all.", "all.1.in.", "all.1.in.1.in."} {
		p.click(`[data-path="` + path + `"] > .buttons [data-clause=group]`)
	}
	p.until(`document.querySelector('[data-path="all.1.in.1.in.1.in."]')`)
	require.False(t, eval[bool](p, `!!document.querySelector('[data-path="all.1.in.1.in.1.in."] [data-clause=group]')`))
}
