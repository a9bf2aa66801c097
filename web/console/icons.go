package console

import (
	"fmt"
	"html/template"
)

// icons are the console's own drawings on a grid of 24, lines of 1.75.
var icons = map[string]string{
	"chat":   `<path d="M4 5h16v11H10l-4.5 4v-4H4z"/><path d="M8 9.5h8M8 12.5h5"/>`,
	"queue":  `<path d="M4 6h16M4 12h11M4 18h7"/><path d="m17 15 3 3-3 3"/>`,
	"search": `<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.5"/>`,
	"settings": `<circle cx="12" cy="12" r="3"/><path d="M12 3.5v3M12 17.5v3M3.5 12h3M17.5 12h3M6 6l2.1 2.1M15.9 15.9 18 18M18 6l-2.1 ` +
		`2.1M8.1 15.9 6 18"/>`,
	"ticket": `<path d="M4 7h16v3.5a1.5 1.5 0 0 0 0 3V17H4v-3.5a1.5 1.5 0 0 0 0-3z"/><path d="M14 7.5v9" stroke-dasharray="2 2"/>`,
	"bolt":   `<path d="M13 3 5 13.5h6L10.5 21 19 10.5h-6z"/>`,
	"person": `<circle cx="12" cy="8" r="3.5"/><path d="M5 20c.7-4 3.5-6 7-6s6.3 2 7 6"/>`,
	"people": `<circle cx="9" cy="9" r="3"/><path d="M3.5 19c.5-3.5 2.7-5 5.5-5s5 1.5 5.5 5"/><circle cx="17" cy="9.5" r="2.3"/><path ` +
		`d="M16.5 14.5c2.3 0 3.7 1.5 4 4"/>`,
	"send":     `<path d="M4 12 20 4.5 15.5 20l-3.6-6.3z"/><path d="M20 4.5 11.9 13.7"/>`,
	"note":     `<path d="M5 4h14v11l-5 5H5z"/><path d="M14 20v-5h5M8.5 8.5h7M8.5 12h5"/>`,
	"clock":    `<circle cx="12" cy="12" r="8"/><path d="M12 7.5V12l3 2"/>`,
	"check":    `<path d="m5 12.5 4.5 4.5L19 7.5"/>`,
	"checks":   `<path d="m2.5 12.5 4.5 4.5L16.5 7.5M11.5 16.5l.5.5L21.5 7.5"/>`,
	"alert":    `<path d="M12 4 2.8 19.5h18.4z"/><path d="M12 10v4.5M12 17v.2"/>`,
	"question": `<circle cx="12" cy="12" r="8.5"/><path d="M9.5 9.5a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.1.9-1.1 1.7M12 16.5v.2"/>`,
	"pause":    `<path d="M9 6v12M15 6v12"/>`,
	"stop":     `<path d="M6 6h12v12H6z"/>`,
	"arrow":    `<path d="M4 12h15M13 6l6 6-6 6"/>`,
	"back":     `<path d="M20 12H5M11 6l-6 6 6 6"/>`,
	"down":     `<path d="m6 9.5 6 6 6-6"/>`,
	"plus":     `<path d="M12 5v14M5 12h14"/>`,
	"close":    `<path d="m6 6 12 12M18 6 6 18"/>`,
	"file":     `<path d="M6 3.5h8l4 4v13H6z"/><path d="M14 3.5v4h4"/>`,
	"image":    `<path d="M4 5h16v14H4z"/><circle cx="9" cy="10" r="1.7"/><path d="m5 18 5-4.5 3 2.5 3-3 4 4"/>`,
	"pin":      `<path d="M12 21s-6.5-6-6.5-11a6.5 6.5 0 0 1 13 0c0 5-6.5 11-6.5 11z"/><circle cx="12" cy="10" r="2.3"/>`,
	"smile":    `<circle cx="12" cy="12" r="8.5"/><path d="M8.5 14a4 4 0 0 0 7 0M9 9.5v.5M15 9.5v.5"/>`,
	"bell":     `<path d="M6.5 16.5V11a5.5 5.5 0 0 1 11 0v5.5L19 18H5z"/><path d="M10 20.5h4"/>`,
	"out":      `<path d="M14 4h6v16h-6M4 12h11M11 8l4 4-4 4"/>`,
	"hand": `<path d="M7 12V6.5a1.5 1.5 0 0 1 3 0V11 4.5a1.5 1.5 0 0 1 3 0V11 6a1.5 1.5 0 0 1 3 0v8c0 4-2 6.5-5.5 6.5S6 18.5 4.5 ` +
		`14.5c-.5-1.5 1-2.3 2-1.3z"/>`,
	"line": `<path d="M12 4c5 0 8.5 3 8.5 7 0 4.5-5 7.5-8.5 9.5.4-1.7.3-2.5-.5-2.5C7 18 3.5 15 3.5 11S7 4 12 4z"/>`,
	"globe": `<circle cx="12" cy="12" r="8.5"/><path d="M3.5 12h17M12 3.5c2.5 2.5 3.5 5.5 3.5 8.5s-1 6-3.5 ` +
		`8.5c-2.5-2.5-3.5-5.5-3.5-8.5s1-6 3.5-8.5z"/>`,
	"link":    `<path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1"/>`,
	"keys":    `<path d="M3.5 6.5h17v11h-17zM7 10v.2M10.3 10v.2M13.7 10v.2M17 10v.2M8 14h8"/>`,
	"refresh": `<path d="M19 12a7 7 0 1 1-2-5l2 2M19 4v5h-5"/>`,
	"mask":    `<path d="M4 12h2M9 12h2M14 12h2M19 12h1"/><path d="M4 7h16M4 17h16"/>`,
	"eye": `<path d="M2.5 12C5 7.5 8.3 5.5 12 5.5s7 2 9.5 6.5c-2.500 4.500-5.800 6.500-9.500 6.500S5 16.500 2.500 12z"/><circle ` +
		`cx="12" cy="12" r="3"/>`,
	"undo":  `<path d="M8 5 4 9l4 4"/><path d="M4 9h9a6 6 0 0 1 0 12h-3"/>`,
	"star":  `<path d="m12 4 2.5 5.2 5.6.8-4 4 .9 5.7-5-2.7-5 2.7.9-5.7-4-4 5.6-.8z"/>`,
	"trash": `<path d="M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13"/>`,
	"clip":  `<path d="m19 11-7 7a4.2 4.2 0 0 1-6-6l7.5-7.5a2.8 2.8 0 0 1 4 4L10 16a1.4 1.4 0 0 1-2-2l6.5-6.5"/>`,
	"mail":  `<path d="M3.5 6h17v12h-17z"/><path d="m4 7 8 6.5 8-6.5"/>`,
	"up":    `<path d="m6 14.5 6-6 6 6"/>`,
	"tag":   `<path d="M4 4h8l8 8-8 8-8-8z"/><path d="M8.5 8.5v.2"/>`,
}

// icon is a drawing; it says nothing by itself, so the text stands beside it or
// in the label of its button.
func icon(name string) (template.HTML, error) {
	d, ok := icons[name]
	if !ok {
		return "", fmt.Errorf("console: there is no icon %q", name)
	}
	//nolint:gosec // the text is from the table above
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">` + d + `</svg>`), nil
}
