package line

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

// samples have every field that is read, so that bending them reaches it.
var samples = []string{
	`{"type":"message","mode":"active","timestamp":1700000000000,"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC301",` +
		`"deliveryContext":{"isRedelivery":false},"source":{"type":"user","userId":"U8189cf6745fc0d808977bdb0b9f22995"},` +
		`"replyToken":"38ef843bde154d9b91c21320ffd17a0f","message":{"id":"468789577898262530","type":"text","quoteToken":"q3Plxr4AgKd",` +
		`"markAsReadToken":"30yhdy232","quotedMessageId":"468789532432007169","text":"😀 (hello) @Bot 안녕","emojis":[{"index":3,"length":7,` +
		`"productId":"5ac1bfd5040ab15980c9b435","emojiId":"001"}],"mention":{"mentionees":[{"index":11,"length":4,"type":"user",` +
		`"userId":"U8e742f61d673b39c7fff3cecb7536ef0","isSelf":true},{"index":0,"length":2,"type":"all"}]}}}`,
	`{"type":"message","mode":"standby","timestamp":1700000000000,"deliveryContext":{"isRedelivery":true},"source":{"type":"group",` +
		`"groupId":"Ca56f94637c0e1d2c3b4a596877061524","userId":"U8189cf6745fc0d808977bdb0b9f22995"},"message":{"id":"7","type":"image",` +
		`"quoteToken":"q7","contentProvider":{"type":"external","originalContentUrl":"https://example.com/o.jpg",` +
		`"previewImageUrl":"https://example.com/p.jpg"},"imageSet":{"id":"E005","index":1,"total":2}}}`,
	`{"type":"message","timestamp":1700000000000,"webhookEventId":"x2","source":{"type":"room",` +
		`"roomId":"Ra8dbf4673c0e1d2c3b4a596877061524"},"message":{"id":9,"type":"video","duration":60000,` +
		`"contentProvider":{"type":"line"}}}`,
	`{"type":"message","timestamp":1700000000000,"webhookEventId":"x3","source":{"type":"user","userId":"u1"},"message":{"id":"11",` +
		`"type":"file","fileName":"../../etc/\u202epasswd\u0000.txt","fileSize":4294967296}}`,
	`{"type":"message","timestamp":"1700000000000","webhookEventId":"x4","source":{"type":"user","userId":7},"message":{"id":"12",` +
		`"type":"location","title":"my location","address":"Yotsuya","latitude":35,"longitude":139.730367}}`,
	`{"type":"message","timestamp":1.7e12,"webhookEventId":"x5","source":{"type":"user","userId":"u1"},"message":{"id":"13",` +
		`"type":"sticker","packageId":"11537","stickerId":"52002734","stickerResourceType":"HOLOGRAM","keywords":["cony",7,null,"sad"],` +
		`"text":"Let's go"}}`,
	`{"type":"messageEdited","timestamp":1700000000000,"webhookEventId":"x6","source":{"type":"group","groupId":"C1"},"replyToken":"r",` +
		`"message":{"type":"text","id":"3","quoteToken":"q2","text":"edited"}}`,
	`{"type":"unsend","timestamp":1700000000000,"webhookEventId":"x7","source":{"type":"user","userId":"u1"},` +
		`"unsend":{"messageId":"325708"}}`,
	`{"type":"follow","timestamp":1700000000000,"webhookEventId":"x8","source":{"type":"user","userId":"u1"},"replyToken":"r",` +
		`"follow":{"isUnblocked":true}}`,
	`{"type":"memberJoined","timestamp":1700000000000,"webhookEventId":"x9","source":{"type":"group","groupId":"C1"},` +
		`"joined":{"members":[{"type":"user","userId":"u1"},{"type":"user","userId":2},7]}}`,
	`{"type":"postback","timestamp":1700000000000,"webhookEventId":"y1","source":{"type":"user","userId":"u1"},"replyToken":"r",` +
		`"postback":{"data":"storeId=12345","params":{"datetime":"2017-12-25T01:00","odd":7}}}`,
	`{"type":"accountLink","timestamp":1700000000000,"webhookEventId":"y2","link":{"result":"failed","nonce":"jh2k3j4h2k3j4"}}`,
	`{"type":"beacon","timestamp":1700000000000,"webhookEventId":"y3","source":{"type":"user","userId":"u1"},` +
		`"beacon":{"hwid":"d41d8cd98f","type":"enter","dm":"6b697468"}}`,
	`{"type":"membership","timestamp":1700000000000,"webhookEventId":"y4","source":{"type":"user","userId":"u1"},` +
		`"membership":{"type":"joined","membershipId":3189}}`,
	`{"type":"activated","timestamp":1700000000000,"webhookEventId":"y5","source":{"type":"user","userId":"u1"},` +
		`"chatControl":{"expireAt":1700000600000}}`,
	`{"type":"ofTheFuture","timestamp":1700000000000,"webhookEventId":"y6","source":{"type":"planet","planetId":"P1"},"ofTheFuture":[1,2]}`,
}

// compare holds Receive's and Parse's reading against the plain one.
func compare(t *testing.T, body []byte) {
	t.Helper()
	given := bytes.Clone(body)
	events, err := openBody(body, "U8e742f61d673b39c7fff3cecb7536ef0")
	wantEvents, wantErr := refOpenBody(body, "U8e742f61d673b39c7fff3cecb7536ef0")
	require.Equal(t, wantErr, err)
	require.Equal(t, wantEvents, events)
	if json.Valid(body) { // Receive never cuts anything else
		events = append(events, body)
	}
	for _, raw := range events {
		env := envelope("acct", raw)
		require.Equal(t, refEnvelope("acct", raw), env)
		compareParse(t, env.Raw)
	}
	compareParse(t, body)
	require.Equal(t, given, body, "the body was written into")
}

func compareParse(t *testing.T, raw []byte) {
	t.Helper()
	env := adapter.Envelope{Raw: raw, ReceivedAt: time.UnixMilli(1700000001000)}
	got, err := (*Adapter)(nil).Parse(channel.Account{}, env)
	want, wantErr := refParse(channel.Account{}, env)
	require.Equal(t, wantErr, err)
	require.Equal(t, want, got)
}

// TestReadingIsTheSame bends events in all the ways that readers of JSON differ
// in. The seed is printed with a failure.
func TestReadingIsTheSame(t *testing.T) {
	for seed := range uint64(4000) {
		compareBent(t, seed)
	}
}

func compareBent(t *testing.T, seed uint64) {
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	rng := rand.New(rand.NewPCG(seed, 0))
	var events []string
	for range rng.IntN(3) {
		events = append(events, bend(rng, samples[rng.IntN(len(samples))]))
	}
	body := []byte(bend(rng, `{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[`+strings.Join(events, ",")+`]}`))
	if rng.IntN(3) == 0 {
		body = damage(rng, body)
	}
	compare(t, body)
	raw := []byte(bend(rng, samples[rng.IntN(len(samples))]))
	if rng.IntN(2) == 0 {
		raw = damage(rng, raw)
	}
	compare(t, raw)
}

func TestReadingTheSamplesIsTheSame(t *testing.T) {
	for _, s := range append(samples, ``, ` `, `null`, `7`, `"x"`, `[]`, ` { } `, `{"events":null}`, `{"events":{}}`, `{"events":[]}`,
		`{"events":[null,7,"x",[],{}]}`, "{\"events\":[]}\xff", `{"ev\u0065nts":[],"events ":7}`, `{"events":[],"events":[{}]}`,
		"{\"type\":\"follow\",\"t\xffype\":1,\"\\u0074ype\":\"unfollow\",\"source\":{\"type\":\"user\",\"userId\":\"\\ud800\xff\"}}") {
		compare(t, []byte(s))
	}
}

func FuzzReadingIsTheSame(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s))
		f.Add([]byte(`{"destination":"x","events":[` + s + `]}`))
	}
	f.Fuzz(compare)
}

// values take the place of others.
var values = []string{`null`, `true`, `false`, `0`, `-1`, `7`, `1.5`, `1e3`, `1700000000000`, `99999999999999999999`, `""`, `"x"`, `"7"`,
	`"1.5"`,
	`"\ud83d\ude00\ud800"`, "\"\xff\xfe\"", `"a\"b\\"`, `[]`, `[null]`, `["x",7]`, `{}`, `{"type":"user"}`, `{"id":null}`, `"message"`,
	`"text"`, `"standby"`}

// bend writes JSON anew with some names and values changed, doubled, escaped or
// gone, and with blanks between.
func bend(rng *rand.Rand, text string) string {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var b strings.Builder
	if err := bendValue(rng, dec, &b); err != nil {
		panic(fmt.Sprintf("%v in %s", err, text)) // the samples are JSON
	}
	return b.String()
}

func bendValue(rng *rand.Rand, dec *json.Decoder, out *strings.Builder) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	var own strings.Builder
	switch delim, nested := token.(json.Delim); {
	case nested && delim == '{':
		err = bendObject(rng, dec, &own)
	case nested:
		err = bendArray(rng, dec, &own)
	default:
		raw, encErr := json.Marshal(token)
		own.Write(raw)
		err = encErr
	}
	if rng.IntN(40) == 0 {
		own.Reset()
		own.WriteString(values[rng.IntN(len(values))])
	}
	blank(rng, out)
	out.WriteString(own.String())
	blank(rng, out)
	return err
}

func bendArray(rng *rand.Rand, dec *json.Decoder, out *strings.Builder) error {
	var items []string
	for dec.More() {
		var b strings.Builder
		if err := bendValue(rng, dec, &b); err != nil {
			return err
		}
		items = append(items, b.String())
	}
	out.WriteString("[" + strings.Join(items, ",") + "]")
	_, err := dec.Token()
	return err
}

func bendObject(rng *rand.Rand, dec *json.Decoder, out *strings.Builder) error {
	var fields []string
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		key, ok := name.(string)
		if !ok {
			return errors.New("a name that is none")
		}
		var b strings.Builder
		if err := bendValue(rng, dec, &b); err != nil {
			return err
		}
		field := bentName(rng, key) + ":" + b.String()
		switch rng.IntN(40) {
		case 0: // gone
		case 1:
			fields = append(fields, field, bentName(rng, key)+":"+values[rng.IntN(len(values))])
		case 2:
			fields = append(fields, bentName(rng, key)+":"+values[rng.IntN(len(values))], field)
		default:
			fields = append(fields, field)
		}
	}
	if rng.IntN(4) == 0 {
		rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	}
	out.WriteString("{" + strings.Join(fields, ",") + "}")
	_, err := dec.Token()
	return err
}

func bentName(rng *rand.Rand, key string) string {
	switch i := rng.IntN(len(key)); rng.IntN(40) {
	case 0:
		return fmt.Sprintf("%q", strings.ToUpper(key[:1])+key[1:])
	case 1:
		return fmt.Sprintf(`"%s\u%04x%s"`, key[:i], key[i], key[i+1:])
	case 2:
		return `"` + key[:i] + "\xff" + key[i:] + `"`
	}
	return ` "` + key + `" `
}

func blank(rng *rand.Rand, out *strings.Builder) {
	if rng.IntN(8) == 0 {
		out.WriteString([]string{" ", "\n", "\t", "\r\n  "}[rng.IntN(4)])
	}
}

// damage cuts, flips and doubles bytes.
func damage(rng *rand.Rand, raw []byte) []byte {
	for range 1 + rng.IntN(3) {
		if len(raw) == 0 {
			break
		}
		i := rng.IntN(len(raw))
		switch rng.IntN(4) {
		case 0:
			raw = raw[:i]
		case 1:
			raw[i] ^= byte(1 << rng.IntN(8))
		case 2:
			raw = append(raw[:i], raw[min(i+rng.IntN(9), len(raw)):]...)
		default:
			raw = append(raw[:i:i], bytes.Repeat(raw[i:], 2)...)
		}
	}
	return raw
}
