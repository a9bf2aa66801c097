package console

import "github.com/sangdam/sangdam/trigger"

// linted is what the lint says of a trigger in the reader's language, by the
// problem, with the titles of the triggers that it is about.
func (l *language) linted(f trigger.Finding, title func(trigger.ID) string) string {
	others := ""
	for i, id := range f.Others {
		if i > 0 {
			others += ", "
		}
		others += title(id)
	}
	switch f.Problem {
	case trigger.NeverTrue:
		return l.t("lint.never_true", title(f.Trigger), f.Field)
	case trigger.Fight:
		return l.t("lint.fight", title(f.Trigger), others, f.Field)
	case trigger.Unreachable:
		return l.t("lint.unreachable", title(f.Trigger), others, f.Field)
	case trigger.Circle:
		if others == "" {
			return l.t("lint.circle_alone", title(f.Trigger))
		}
		return l.t("lint.circle", title(f.Trigger), others)
	}
	return f.Text
}
