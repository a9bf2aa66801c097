package trigger

import (
	"html"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
)

// Limits of a template: what fits into one notice beside its record.
const (
	MaxTemplate     = 64 << 10 // bytes
	maxPlaceholders = 200
)

// Template is a text with placeholders, #{name}. Names come from a flat list
// that the caller allows; there are no expressions, methods or formats. A pair
// of Korean particles right after a placeholder, such as 은/는 or 이(가), becomes
// the one that suits the value. It is immutable and safe for concurrent use.
type Template struct {
	parts []templatePart
}

// templatePart is plain text, or a placeholder with the particles after it.
type templatePart struct {
	text      string
	name      string
	particles *particles
}

// ParseTemplate reads a template. allowed lists the names that placeholders may have.
// Another name, a placeholder that does not end, more than MaxTemplate bytes and more
// than 200 placeholders are ErrInvalid.
func ParseTemplate(text string, allowed []string) (*Template, error) {
	if len(text) > MaxTemplate {
		return nil, errs.New(errs.Invalid, "trigger: a template of %d bytes; use at most %d", len(text), MaxTemplate)
	}
	t := &Template{}
	for count := 0; text != ""; {
		before, rest, found := strings.Cut(text, "#{")
		if before != "" {
			t.parts = append(t.parts, templatePart{text: before})
		}
		if !found {
			break
		}
		name, after, ended := strings.Cut(rest, "}")
		switch {
		case !ended:
			return nil, errs.New(errs.Invalid, "trigger: a placeholder begins with #{ and does not end with }")
		case !slices.Contains(allowed, name):
			return nil, errs.New(errs.Invalid, "trigger: there is no placeholder #{%s}: use one of %s", cut(name, 64),
				strings.Join(allowed, ", "))
		}
		if count++; count > maxPlaceholders {
			return nil, errs.New(errs.Invalid, "trigger: more than %d placeholders in a template", maxPlaceholders)
		}
		part := templatePart{name: name}
		for i := range particlePairs {
			if written, ok := particlePairs[i].at(after); ok {
				part.particles, after = &particlePairs[i], after[len(written):]
				break
			}
		}
		t.parts = append(t.parts, part)
		text = after
	}
	return t, nil
}

// Names lists the placeholders, each once, in order.
func (t *Template) Names() []string {
	var out []string
	for _, p := range t.parts {
		if p.name != "" && !slices.Contains(out, p.name) {
			out = append(out, p.name)
		}
	}
	return out
}

// Render fills the placeholders; one without a value becomes empty.
func (t *Template) Render(values map[string]string) string {
	return t.render(values, func(s string) string { return s })
}

// RenderHTML is Render for a template that is HTML: values are escaped, the
// template's own text is not.
func (t *Template) RenderHTML(values map[string]string) string {
	return t.render(values, html.EscapeString)
}

// RenderLine is Render for a subject or header: line breaks and other control
// characters in values become spaces.
func (t *Template) RenderLine(values map[string]string) string {
	return t.render(values, func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7F || r == 0x85 || r == 0x2028 || r == 0x2029 {
				return ' '
			}
			return r
		}, s)
	})
}

func (t *Template) render(values map[string]string, show func(string) string) string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.name == "" {
			b.WriteString(p.text)
			continue
		}
		v := values[p.name]
		b.WriteString(show(v))
		if p.particles != nil {
			b.WriteString(p.particles.after(v))
		}
	}
	return b.String()
}
