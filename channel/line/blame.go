package line

import (
	"github.com/sangdam/sangdam/channel/kit"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// blamesToken decides whether a refused reply failed for its token. LINE names
// the fields of bad content, so a refusal that names none is the token's: taken
// for content it would be final, taken for the token it is merely pushed.
func (ans answer) blamesToken(hint string) bool {
	named := ans.properties()
	return strings.Contains(hint, "reply token") || strings.Contains(named, "replyToken") || named == "" && !insideForm.MatchString(hint)
}

var propertyForm = regexp.MustCompile(`^[A-Za-z0-9_.\[\]/-]{1,80}$`)

// properties names the fields that LINE found fault with; the texts, which may
// repeat what was written, stay out.
func (ans answer) properties() string {
	body, _ := kit.ParseObject(ans.Body)
	var names []string
	for _, raw := range body.List("details") {
		if p := kit.ReadObject(raw).Str("property"); propertyForm.MatchString(p) && len(names) < 5 {
			names = append(names, p)
		}
	}
	if names == nil {
		return ""
	}
	return " because of " + strings.Join(names, ", ")
}

var (
	messageForm = regexp.MustCompile(`^messages\[([0-9]{1,2})\]`)
	insideForm  = regexp.MustCompile(`\bmessages\[([0-9]{1,2})\]`)
)

// guilty names the rows whose messages LINE found fault with, as indexes into
// counts, which has the number of LINE messages of each row. It is nil when
// anything but single messages is blamed, or nothing: then the refusal is
// everybody's. LINE names a message as the property "messages[2].text", or in
// its text, with properties that are paths inside that message ("/body/...").
func (ans answer) guilty(counts []int) []int {
	body, _ := kit.ParseObject(ans.Body)
	var blamed []int
	blame := func(found []string) bool {
		if found == nil {
			return false
		}
		n, err := strconv.Atoi(found[1])
		row := rowOf(n, counts)
		if err != nil || row < 0 {
			return false
		}
		blamed = append(blamed, row)
		return true
	}
	inText := blame(insideForm.FindStringSubmatch(clip(body.Str("message"), 500)))
	for _, raw := range body.List("details") {
		property := kit.ReadObject(raw).Str("property")
		if inside := inText && (property == "" || strings.HasPrefix(property, "/")); !inside &&
			!blame(messageForm.FindStringSubmatch(property)) {
			return nil
		}
	}
	slices.Sort(blamed)
	return slices.Compact(blamed)
}

// rowOf finds the row that LINE's message n came from, or -1.
func rowOf(n int, counts []int) int {
	for row, c := range counts {
		if n < c {
			return row
		}
		n -= c
	}
	return -1
}
