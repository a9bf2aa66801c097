package linetest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/emukit"
)

// Choice is something that a message on the phone lets the customer press.
type Choice struct {
	MessageID string `json:"message_id"`
	Label     string `json:"label"`
	// Type is LINE's name of the action: message, postback, datetimepicker, ….
	Type string `json:"type"`
	// Quick says that it stands under the chat and goes with the next message.
	Quick  bool `json:"quick"`
	action pressable
}

// pressable is a LINE action as the phone reads it.
type pressable struct {
	Type, Label, Text, Data, DisplayText, URI, ClipboardText string
	Mode, Initial, Min, Max                                  string
}

// picker is what a datetimepicker asks for.
func (a pressable) picker() channel.Picker {
	return channel.Picker{Mode: channel.PickerMode(a.Mode), Initial: a.Initial, Min: a.Min, Max: a.Max}
}

// Answer is what the customer does where a pressed choice asks for something.
// The zero Answer is what comes to hand: the picker's initial value, the town
// hall, a small picture.
type Answer struct {
	// Picked is the value of a date picker.
	Picked string
	// Sends is the place or the picture that is sent.
	Sends Message
}

// actionsOf reads the choices of a message in the order in which they show.
func actionsOf(raw json.RawMessage) (fixed, quick []pressable) {
	type holder struct {
		Action  *pressable
		Actions []pressable
	}
	var m struct {
		QuickReply struct{ Items []holder }
		Template   struct {
			holder
			Columns []holder
		}
		Contents any
	}
	if json.Unmarshal(raw, &m) != nil {
		return nil, nil
	}
	for _, h := range append([]holder{m.Template.holder}, m.Template.Columns...) {
		fixed = append(fixed, h.Actions...)
		if h.Action != nil {
			fixed = append(fixed, *h.Action)
		}
	}
	fixed = append(fixed, flexActions(m.Contents)...)
	for _, h := range m.QuickReply.Items {
		if h.Action != nil {
			quick = append(quick, *h.Action)
		}
	}
	return fixed, quick
}

// flexActions finds the actions of a flex message, from top to bottom.
func flexActions(part any) (found []pressable) {
	switch v := part.(type) {
	case []any:
		for _, one := range v {
			found = append(found, flexActions(one)...)
		}
	case map[string]any:
		if a, has := v["action"]; has {
			raw, err := json.Marshal(a)
			var act pressable
			if err == nil && json.Unmarshal(raw, &act) == nil {
				found = append(found, act)
			}
		}
		for _, key := range []string{"header", "hero", "body", "footer", "contents"} {
			found = append(found, flexActions(v[key])...)
		}
	}
	return found
}

// Choices returns what the phone shows to press in the one-to-one chat: those
// of the messages, oldest first, and those under the newest one as long as
// nothing came after it.
func (u *User) Choices() []Choice {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.choices()
}

// choices is Choices; the lock is held.
func (u *User) choices() (all []Choice) {
	received := u.phone.All()
	for i, d := range received {
		if d.ChatID != u.Chat.id {
			continue
		}
		fixed, quick := actionsOf(d.Message)
		for _, a := range fixed {
			all = append(all, Choice{d.MessageID, a.Label, a.Type, false, a})
		}
		if i < len(received)-1 || len(u.sent) > 0 && u.sent[len(u.sent)-1].Order > d.Order {
			continue
		}
		for _, a := range quick {
			all = append(all, Choice{d.MessageID, a.Label, a.Type, true, a})
		}
	}
	return all
}

// Press lets the customer press the newest choice with that label. What is said
// by it, picked or sent reaches the account; what is opened or copied does not.
// An error says that there is none, that the customer has blocked the account,
// or that nobody can pick the value.
func (u *User) Press(label string, with Answer) (Posted, error) {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	all := u.choices()
	slices.Reverse(all)
	i := slices.IndexFunc(all, func(c Choice) bool { return c.Label == label })
	if i < 0 {
		return Posted{}, fmt.Errorf("linetest: the phone shows nothing to press with the label %q", label)
	}
	return u.press(all[i], with)
}

// pressAt is Press by the message and the place of the choice in it.
func (u *User) pressAt(messageID string, n int, with Answer) (Posted, error) {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	for _, c := range u.choices() {
		if c.MessageID != messageID {
			continue
		}
		if n == 0 {
			return u.press(c, with)
		}
		n--
	}
	return Posted{}, emukit.ErrMissing
}

// press does what pressing does. The lock is held.
func (u *User) press(c Choice, with Answer) (Posted, error) {
	if u.standing != Friend && u.standing != Stranger {
		return Posted{}, errBlocked
	}
	a := c.action
	switch a.Type {
	case "message":
		return u.Chat.send(u, Text(a.Text)), nil
	case "postback":
		u.wroteDown(cmp.Or(a.DisplayText, a.Text), "pressed "+a.Label)
		return u.postback(a.Data, nil), nil
	case "datetimepicker":
		value, err := u.pick(a, with.Picked)
		if err != nil {
			return Posted{}, err
		}
		u.wroteDown("", a.Label+": "+value)
		return u.postback(a.Data, map[string]string{a.Mode: value}), nil
	case "location":
		if with.Sends.kind == "" {
			with.Sends = Location("Seoul City Hall", "110 Sejong-daero, Jung-gu, Seoul", 37.566295, 126.977945)
		}
		return u.Chat.send(u, with.Sends), nil
	case "camera", "cameraRoll":
		if with.Sends.kind == "" {
			with.Sends = smallPicture()
		}
		return u.Chat.send(u, with.Sends), nil
	case "clipboard":
		u.clipboard = a.ClipboardText
		u.wroteDown("", "copied "+a.ClipboardText)
	case "uri":
		u.wroteDown("", "opened "+a.URI)
	default:
		return Posted{}, fmt.Errorf("linetest: the phone does not know the action %q", a.Type)
	}
	return Posted{}, nil
}

// pick is the value that the customer picks: the given one, or the one that the
// picker stands at.
func (u *User) pick(a pressable, value string) (string, error) {
	p := a.picker()
	if value == "" {
		value = cmp.Or(p.Initial, p.Min)
	}
	if value == "" {
		forms := map[channel.PickerMode]string{channel.PickDate: "2006-01-02", channel.PickTime: "15:04",
			channel.PickDateTime: "2006-01-02T15:04"}
		if value = u.srv.now().Format(forms[p.Mode]); p.Max != "" && value > p.Max {
			value = p.Max
		}
	}
	if !p.Accepts(value) {
		return "", fmt.Errorf("linetest: %q cannot be picked: the mode is %s, from %q to %q", value, a.Mode, a.Min, a.Max)
	}
	return value, nil
}

// wroteDown keeps what the chat shows of a press: what the customer is seen to
// say, or else a note of the emulator's own. The lock is held.
func (u *User) wroteDown(said, note string) {
	if said != "" {
		u.keepSent(controlSentMessage{Kind: "postback", Text: said})
		return
	}
	u.keepSent(controlSentMessage{Kind: "note", Text: note})
}

// keepSent puts an entry on the customer's side of the chat. The lock is held.
func (u *User) keepSent(e controlSentMessage) {
	s := u.srv
	s.entries++
	e.At, e.Order = s.now(), s.entries
	u.sent = append(u.sent, e)
	if limit := s.opt.KeepReceived; limit > 0 && len(u.sent) > limit {
		u.sent = slices.Delete(u.sent, 0, len(u.sent)-limit)
	}
	s.changes.Touch()
}

// Clipboard is what the customer copied last by a choice.
func (u *User) Clipboard() string {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.clipboard
}

// smallPicture is what a camera gives that nobody pointed at anything.
func smallPicture() Message {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))) // a buffer takes it
	return Image("image/png", b.Bytes())
}

// CompleteDelivery tells the account that a notification message has reached
// its recipient. LINE sends such messages by telephone number for contracted
// partners; data is their delivery tag, or the hashed number without one.
func (s *Server) CompleteDelivery(data string) Posted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.emit(event{kind: "delivery", fields: fields{{"delivery", map[string]string{"data": data}}}})
}

// WatchVideos lets the customer watch every video on the phone to its end that
// has a tracking id, and returns the ids.
func (u *User) WatchVideos() (ids []string) {
	for _, d := range u.Received() {
		var m struct{ Type, TrackingID string }
		if json.Unmarshal(d.Message, &m) == nil && m.Type == "video" && m.TrackingID != "" {
			u.FinishVideo(m.TrackingID)
			ids = append(ids, m.TrackingID)
		}
	}
	return ids
}

type controlPress struct {
	MessageID string          `json:"message_id"`
	Choice    int             `json:"choice"`
	Picked    string          `json:"picked"`
	Sends     *ControlMessage `json:"sends"`
}

func (u *User) controlPress(in controlPress) (any, error) {
	with := Answer{Picked: in.Picked}
	if in.Sends != nil {
		var err error
		if with.Sends, err = in.Sends.message(); err != nil {
			return nil, err
		}
	}
	return u.pressAt(in.MessageID, in.Choice, with)
}
