package console

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/classify"
	"github.com/sangdam/sangdam/trigger/condition"
)

// rulesForm are the rules of classification of a work stream as rows, in their
// order.
type rulesForm struct {
	Rows  []ruleForm
	New   ruleForm // what is copied for another
	Lists []fieldList
}

// ruleForm is one rule.
type ruleForm struct {
	N                           string
	Name, Priority, Skills, Set string
	Split                       string // lines of queue and percentage
	When                        conditionForm
	Queues                      []choice
	Stop                        bool
}

// ruleFields are what conditions of rules may ask about, with the operators by
// type. Attributes have names that nobody knows beforehand: those that a rule
// asks about or sets are offered, and a row can name another.
func ruleFields(rules []routing.Rule) ([]condition.Field, map[condition.Type][]condition.Op) {
	fields := append(classify.Fields(), condition.Field{Name: classify.FieldQueue, Type: condition.TypeID},
		condition.Field{Name: classify.FieldPriority, Type: condition.TypeNumber},
		condition.Field{Name: classify.FieldSkills, Type: condition.TypeSet}, condition.Field{Name: anyAttribute, Type: condition.TypeText})
	known := typed(fields)
	named := func(field string) {
		if _, is := known[field]; !is && field != "" {
			known[field] = condition.Field{Name: field, Type: condition.TypeText}
			fields = append(fields, known[field])
		}
	}
	var asked func([]condition.Clause)
	asked = func(clauses []condition.Clause) {
		for _, c := range clauses {
			named(c.Field)
			asked(slices.Concat(c.All, c.Any))
		}
	}
	for _, r := range rules {
		asked(slices.Concat(r.When.All, r.When.Any))
		for _, attribute := range sortedKeys(r.Set) {
			named("attribute." + attribute)
		}
	}
	return fields, operatorsOf(fields)
}

func (q *request) rulesForm(rules []routing.Rule) (rulesForm, error) {
	d, err := q.directory()
	if err != nil {
		return rulesForm{}, err
	}
	fields, ops := ruleFields(rules)
	one := func(n string, r routing.Rule) ruleForm {
		f := ruleForm{N: n, Name: r.Name, Stop: r.Stop, Skills: skillLines(r.Skills),
			When: q.conditionForm("rule."+n+".", r.When, fields, ops)}
		if r.Priority != nil {
			f.Priority = strconv.Itoa(*r.Priority)
		}
		for _, name := range sortedKeys(r.Set) {
			f.Set += name + " = " + r.Set[name] + "\n"
		}
		for _, s := range r.Split {
			f.Split += string(s.Queue) + " " + strconv.Itoa(s.Percent) + "\n"
		}
		f.Queues = q.queueChoices(d, func(id routing.QueueID) bool { return id == r.Queue })
		return f
	}
	f := rulesForm{New: one(newRow, routing.Rule{})}
	if f.Lists, err = q.fieldLists(fields); err != nil {
		return f, err
	}
	for i, r := range rules {
		f.Rows = append(f.Rows, one(strconv.Itoa(i), r))
	}
	return f, nil
}

// typedRules are the rows as they were sent: also what cannot be read stays.
func (q *request) typedRules(rules []routing.Rule) (rulesForm, error) {
	f, err := q.rulesForm(rules)
	for i, n := range q.r.PostForm["rule.row"] {
		if i >= len(f.Rows) {
			break
		}
		p, row := "rule."+n+".", &f.Rows[i]
		if row.Priority, row.Split = q.value(p+"priority"), q.r.PostFormValue(p+"split"); q.value(p+"condition.mode") == "json" {
			row.When.JSON, row.When.Expert = q.r.PostFormValue(p+"when"), true
		}
	}
	return f, err
}

// readRules reads the rows, in their order. Rules are complete also when
// something is wrong with them, so that what was typed stays.
func (q *request) readRules(before []routing.Rule) (out []routing.Rule, err error) {
	fields, _ := ruleFields(before)
	for _, n := range q.r.PostForm["rule.row"] {
		r, wrong := q.readRule("rule."+n+".", fields)
		out = append(out, r)
		err = cmp.Or(err, wrong)
	}
	return out, err
}

func (q *request) readRule(p string, fields []condition.Field) (r routing.Rule, err error) {
	r = routing.Rule{Name: q.value(p + "name"), Queue: routing.QueueID(q.value(p + "queue")), Stop: q.checked(p + "stop"),
		Skills: skillsOf(q.r.PostFormValue(p + "skills"))}
	r.When, err = q.readCondition(p, fields)
	if text := q.value(p + "priority"); text != "" {
		n, wrong := q.whole(p + "priority")
		r.Priority, err = &n, cmp.Or(err, wrong)
	}
	set, wrong := q.readSet(p)
	r.Set, err = set, cmp.Or(err, wrong)
	for line := range strings.Lines(q.r.PostFormValue(p + "split")) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		percent, wrong := strconv.Atoi(strings.TrimSuffix(words[len(words)-1], "%"))
		if wrong != nil || len(words) != 2 {
			err = cmp.Or(err, errs.New(errs.Invalid, "console: %s", q.lang.t("rule.split_wrong", strings.TrimSpace(line))))
			continue
		}
		r.Split = append(r.Split, routing.Share{Queue: routing.QueueID(words[0]), Percent: percent})
	}
	return r, err
}

// readSet reads what a rule sets, a name and a value on each line.
func (q *request) readSet(p string) (set map[string]string, err error) {
	for line := range strings.Lines(q.r.PostFormValue(p + "set")) {
		name, value, is := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); name == "" && strings.TrimSpace(value) == "" {
			continue
		}
		if !is || name == "" {
			err = cmp.Or(err, errs.New(errs.Invalid, "console: %s", q.lang.t("rule.set_wrong", strings.TrimSpace(line))))
		}
		if set == nil {
			set = map[string]string{}
		}
		set[name] = strings.TrimSpace(value)
	}
	return set, err
}

// skillLines are skills as people write them, one a line: name and level.
func skillLines(list []routing.Skill) (text string) {
	for _, s := range list {
		text += s.Name + " " + strconv.Itoa(s.Level) + "\n"
	}
	return text
}

// skillsOf reads such lines; a skill without a level has the first.
func skillsOf(text string) (out []routing.Skill) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		level, err := strconv.Atoi(words[len(words)-1])
		if err != nil || len(words) == 1 {
			level = 1
		} else {
			words = words[:len(words)-1]
		}
		out = append(out, routing.Skill{Name: strings.Join(words, " "), Level: level})
	}
	return out
}

// members splits a JSON object into its members; none for what is no object.
func members(raw json.RawMessage) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	_ = json.Unmarshal(raw, &out) // what is no object has none
	return out
}
