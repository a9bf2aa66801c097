package console

import (
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/lint"
)

// linted is what the lint says of a trigger in the reader's language, by the
// problem, with the titles of the triggers that it is about.
func (l *language) linted(f lint.Finding, title func(trigger.ID) string) string {
	others := ""
	for i, id := range f.Others {
		if i > 0 {
			others += ", "
		}
		others += title(id)
	}
	switch f.Problem {
	case lint.NeverTrue:
		return l.t("lint.never_true", title(f.Trigger), f.Field)
	case lint.Fight:
		return l.t("lint.fight", title(f.Trigger), others, f.Field)
	case lint.Unreachable:
		return l.t("lint.unreachable", title(f.Trigger), others, f.Field)
	case lint.Circle:
		if others == "" {
			return l.t("lint.circle_alone", title(f.Trigger))
		}
		return l.t("lint.circle", title(f.Trigger), others)
	}
	return f.Text
}
