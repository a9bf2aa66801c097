package linetest

import (
	"bytes"
	"encoding/json"
	"time"
)

// fields is a JSON object in a fixed order, so that a redelivered event is
// byte-equal but for the flag.
type fields []field

type field struct {
	key   string
	value any
}

// MarshalJSON keeps the order.
func (f fields) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, one := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(one.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(one.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// event is a webhook event before it is sent.
type event struct {
	kind      string
	chat      *Chat // nil: no source
	by        *User
	replyable bool
	fields    fields
	raw       json.RawMessage // replaces everything: events unknown to the emulator

	id      string
	at      time.Time
	token   string
	standby bool
}

// Posted says what an action of a customer became.
type Posted struct {
	EventID   string `json:"event_id"`
	MessageID string `json:"message_id,omitempty"`
}

// emit gives the event its id, time and reply token and queues it. The lock is
// held.
func (s *Server) emit(e event) Posted {
	e.at = s.now()
	e.id = s.ulid(e.at)
	if e.chat != nil {
		e.standby = e.chat.standby
	}
	if e.replyable && !e.standby && (e.chat == nil || !e.chat.mute) {
		e.token = s.hex(32)
		s.replies.Put(e.token, &replyRef{chat: e.chat})
	}
	s.sender.Queue(&e)
	return Posted{EventID: e.id}
}

// encode writes the event as LINE would.
func (e *event) encode(redelivery bool) (json.RawMessage, error) {
	if e.raw != nil {
		return e.raw, nil
	}
	mode := "active"
	if e.standby {
		mode = "standby"
	}
	f := fields{{"type", e.kind}}
	f = append(f, e.fields...)
	f = append(f,
		field{"webhookEventId", e.id},
		field{"deliveryContext", map[string]bool{"isRedelivery": redelivery}},
		field{"timestamp", e.at.UnixMilli()},
	)
	if e.chat != nil {
		f = append(f, field{"source", e.chat.source(e.by)})
	}
	if e.token != "" {
		f = append(f, field{"replyToken", e.token})
	}
	return json.Marshal(append(f, field{"mode", mode}))
}

// SendRaw queues an event exactly as given: event types that LINE may invent,
// old payloads, broken ones. It must be JSON.
func (s *Server) SendRaw(raw json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sender.Queue(&event{raw: raw, at: s.now()})
}

// SendUnknown queues an event of a type that does not exist, from the user.
func (u *User) SendUnknown(kind string) Posted {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.srv.emit(event{kind: kind, chat: u.Chat, by: u, replyable: true, fields: fields{{kind, map[string]string{"novelty": "yes"}}}})
}

// PressPostback sends what a pressed choice carries; params may be nil.
func (u *User) PressPostback(data string, params map[string]string) Posted {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.postback(data, params)
}

// postback is PressPostback; the lock is held.
func (u *User) postback(data string, params map[string]string) Posted {
	f := fields{{"data", data}}
	if params != nil {
		f = append(f, field{"params", params})
	}
	return u.srv.emit(event{kind: "postback", chat: u.Chat, by: u, replyable: true, fields: fields{{"postback", f}}})
}

// EnterBeacon walks past a beacon; kind is enter, banner or stay.
func (u *User) EnterBeacon(hwid, kind string) Posted {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.srv.emit(event{kind: "beacon", chat: u.Chat, by: u, replyable: true,
		fields: fields{{"beacon", fields{{"hwid", hwid}, {"type", kind}}}}})
}

// JoinMembership joins, leaves or renews (kind) a paid membership.
func (u *User) JoinMembership(kind string, id int) Posted {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.srv.emit(event{kind: "membership", chat: u.Chat, by: u, replyable: true,
		fields: fields{{"membership", fields{{"type", kind}, {"membershipId", id}}}}})
}

// FinishVideo tells that a video with a tracking id was watched to the end.
func (u *User) FinishVideo(trackingID string) Posted {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.srv.emit(event{kind: "videoPlayComplete", chat: u.Chat, by: u, replyable: true,
		fields: fields{{"videoPlayComplete", map[string]string{"trackingId": trackingID}}}})
}
