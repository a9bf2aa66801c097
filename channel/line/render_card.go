package line

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/kit"
)

// Lengths of template messages, in graphemes unless said otherwise.
const (
	maxAltUnits     = 1500 // UTF-16 units
	maxTitle        = 40
	maxButtonsText  = 160
	maxIllustrated  = 60 // text of a buttons template or column with title or picture
	maxConfirmText  = 240
	maxColumnText   = 120
	maxLabel        = 20
	maxActions      = 4
	maxColumnAction = 3
	maxActionUnits  = 300 // data and message text
	maxURI          = 1000
	maxClipboard    = 1000
)

type template struct {
	Type              string   `json:"type"`
	ThumbnailImageURL string   `json:"thumbnailImageUrl,omitempty"`
	Title             string   `json:"title,omitempty"`
	Text              string   `json:"text,omitempty"`
	Actions           []action `json:"actions,omitempty"`
	Columns           []column `json:"columns,omitempty"`
}

type column struct {
	ThumbnailImageURL string   `json:"thumbnailImageUrl,omitempty"`
	Title             string   `json:"title,omitempty"`
	Text              string   `json:"text"`
	Actions           []action `json:"actions"`
}

// renderCards makes a confirm or buttons template of one card and a carousel of
// several; cards that LINE's templates cannot hold become text.
func renderCards(c channel.Content) ([]message, error) {
	if len(c.Cards) == 0 || len(c.Cards) > MaxCards {
		return nil, kit.Permanent(channel.ReasonContent, "a card message has 1 to 10 cards")
	}
	t, ok := single(c.Cards[0])
	if len(c.Cards) > 1 {
		t, ok = carousel(c.Cards)
	}
	if !ok {
		return cardText(c)
	}
	alt := firstOf(c.Text, c.Cards[0].Title, c.Cards[0].Text)
	return []message{{Type: "template", AltText: kit.Shorten(alt, maxAltUnits, kit.UTF16), Template: t}}, nil
}

func single(card channel.Card) (*template, bool) {
	actions, ok := templateActions(card.Choices, maxActions)
	if !ok {
		return nil, false
	}
	if len(actions) == 2 && card.Title == "" && card.Image == "" && fits(card.Text, maxConfirmText) {
		return &template{Type: "confirm", Text: card.Text, Actions: actions}, true
	}
	limit := maxButtonsText
	if card.Title != "" || card.Image != "" {
		limit = maxIllustrated
	}
	image, ok := picture(card.Image)
	if !ok || !fits(card.Text, limit) || kit.Graphemes(card.Title) > maxTitle {
		return nil, false
	}
	return &template{Type: "buttons", ThumbnailImageURL: image, Title: card.Title, Text: card.Text, Actions: actions}, true
}

// carousel needs columns of one shape: all or none with picture, all or none
// with title, the same number of choices.
func carousel(cards []channel.Card) (*template, bool) {
	t := &template{Type: "carousel"}
	for _, card := range cards {
		first := cards[0]
		if (card.Image == "") != (first.Image == "") || (card.Title == "") != (first.Title == "") ||
			len(card.Choices) != len(first.Choices) {
			return nil, false
		}
		limit := maxColumnText
		if card.Title != "" || card.Image != "" {
			limit = maxIllustrated
		}
		actions, okActions := templateActions(card.Choices, maxColumnAction)
		image, okImage := picture(card.Image)
		if !okActions || !okImage || !fits(card.Text, limit) || kit.Graphemes(card.Title) > maxTitle {
			return nil, false
		}
		t.Columns = append(t.Columns, column{ThumbnailImageURL: image, Title: card.Title, Text: card.Text, Actions: actions})
	}
	return t, true
}

func fits(text string, limit int) bool {
	return strings.TrimSpace(text) != "" && kit.Graphemes(text) <= limit
}

func picture(address string) (string, bool) {
	if address == "" {
		return "", true
	}
	return secureURL(address, 2000)
}

func templateActions(choices []channel.Choice, limit int) ([]action, bool) {
	if len(choices) == 0 || len(choices) > limit {
		return nil, false
	}
	var all []action
	for _, c := range choices {
		act, ok := renderAction(c)
		if !ok || slices.Contains(quickOnly, c.Kind) {
			return nil, false
		}
		all = append(all, act)
	}
	return all, true
}

// quickOnly are the kinds that LINE has under a message and not in templates.
var quickOnly = []channel.ChoiceKind{channel.ChoiceLocation, channel.ChoiceCamera, channel.ChoiceCameraRoll}

// renderAction shortens the label; everything else is sent whole or not at all.
func renderAction(c channel.Choice) (action, bool) {
	label := kit.Shorten(strings.TrimSpace(c.Label), maxLabel, kit.Graphemes)
	if c.Valid() != nil || label == "" {
		return action{}, false
	}
	act := action{Type: string(c.Kind), Label: label}
	switch c.Kind {
	case channel.ChoiceMessage:
		act.Text = firstOf(c.Text, c.Label)
		return act, kit.Graphemes(act.Text) <= maxActionUnits
	case channel.ChoicePostback:
		act.Data, act.DisplayText = c.Data, firstOf(c.Text, c.Label)
		return act, kit.UTF16(c.Data) <= maxActionUnits && kit.Graphemes(act.DisplayText) <= maxActionUnits
	case channel.ChoiceURI:
		act.URI = c.URI
		return act, validURI(c.URI)
	case channel.ChoiceLocation, channel.ChoiceCamera:
		return act, true
	case channel.ChoiceCameraRoll:
		act.Type = "cameraRoll"
		return act, true
	case channel.ChoiceDate:
		act.Type, act.Data = "datetimepicker", c.Data
		act.Mode, act.Initial, act.Min, act.Max = string(c.Picker.Mode), c.Picker.Initial, c.Picker.Min, c.Picker.Max
		return act, kit.UTF16(c.Data) <= maxActionUnits && pickable(*c.Picker)
	case channel.ChoiceClipboard:
		act.ClipboardText = c.Text
		return act, kit.UTF16(c.Text) <= maxClipboard
	}
	return action{}, false
}

// pickable: LINE's calendar goes from 1900 to 2100.
func pickable(p channel.Picker) bool {
	for _, v := range []string{p.Initial, p.Min, p.Max} {
		if v != "" && p.Mode != channel.PickTime && (v < "1900" || v >= "2101") {
			return false
		}
	}
	return true
}

func validURI(s string) bool {
	u, err := url.Parse(s)
	if err != nil || kit.UTF16(s) > maxURI {
		return false
	}
	switch u.Scheme {
	case "http", "https", "line":
		return u.Host != ""
	case "tel":
		return u.Opaque != ""
	}
	return false
}

func renderChoices(choices []channel.Choice) (*quickReply, error) {
	if len(choices) == 0 {
		return nil, nil
	}
	if len(choices) > MaxChoices {
		return nil, kit.Permanent(channel.ReasonContent, "LINE shows at most 13 choices under a message")
	}
	q := &quickReply{}
	for _, c := range choices {
		if !slices.Contains(channel.ChoiceKinds(), c.Kind) {
			return nil, kit.Permanent(channel.ReasonUnsupported, "LINE has no choice of this kind")
		}
		act, ok := renderAction(c)
		if !ok {
			return nil, kit.Permanent(channel.ReasonContent, "a choice has no label, or LINE does not take what it carries: "+
				"a text or data of at most 300 characters, an address or text to copy of at most 1,000, "+
				"a picker of dates from 1900 to 2100")
		}
		q.Items = append(q.Items, quickReplyItem{Type: "action", Action: act})
	}
	return q, nil
}

// cardText is the poorer form: the words of each card, its addresses, and what
// can be pressed as quick replies if the message has none of its own.
func cardText(c channel.Content) ([]message, error) {
	var b strings.Builder
	var pressable []channel.Choice
	for i, card := range c.Cards {
		if i > 0 {
			b.WriteString("\n\n")
		}
		lines := []string{card.Title, card.Text, card.Image}
		for _, choice := range card.Choices {
			if choice.Kind == channel.ChoiceURI {
				lines = append(lines, choice.Label+": "+choice.URI)
				continue
			}
			pressable = append(pressable, choice)
		}
		b.WriteString(strings.Join(nonBlank(lines), "\n"))
	}
	messages, err := renderText(b.String(), nil, channel.ChatUser)
	if err != nil || len(pressable) == 0 {
		return messages, err
	}
	if len(c.Choices) > 0 {
		return nil, kit.Permanent(channel.ReasonContent,
			"the cards are too large for LINE's templates, and their choices have no room besides the message's own")
	}
	q, err := renderChoices(pressable)
	messages[len(messages)-1].QuickReply = q
	return messages, err
}

func nonBlank(lines []string) []string {
	var kept []string
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			kept = append(kept, l)
		}
	}
	return kept
}
