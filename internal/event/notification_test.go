package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/watchbill/watchbill/internal/fault"
)

const webhooks = "../../testdata/webhooks"

func decode(t testing.TB, body string) *Notification {
	t.Helper()
	n, err := DecodeNotification([]byte(body))
	if err != nil {
		t.Fatalf("decode %.300s: %v", body, err)
	}
	return n
}

func decodeFile(t testing.TB, name string) *Notification {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(webhooks, name))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, string(b))
}

// one wraps an alert object into a body.
func one(alerts ...string) string {
	return `{"version":"4","alerts":[` + strings.Join(alerts, ",") + `]}`
}

const good = `{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-11-21T06:40:14.123Z"}`

func TestEveryCapturedBodyIsRead(t *testing.T) {
	var files []string
	err := filepath.WalkDir(webhooks, func(path string, d os.DirEntry, err error) error {
		if filepath.Ext(path) == ".json" && !strings.Contains(path, "custom-payload") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		n := decode(t, string(b))
		var plain struct {
			Receiver, GroupKey, ExternalURL string
			TruncatedAlerts                 uint64
			Alerts                          []struct {
				Status, GeneratorURL, Fingerprint string
				Labels, Annotations               map[string]string
				StartsAt, EndsAt                  time.Time
			}
		}
		if err := json.Unmarshal(b, &plain); err != nil {
			t.Fatal(err)
		}
		if n.GroupKey != plain.GroupKey || n.ExternalURL != plain.ExternalURL || n.Receiver != plain.Receiver || n.Truncated != plain.TruncatedAlerts || n.Received() != len(plain.Alerts) || len(n.Invalid) > 0 {
			t.Errorf("%s: %+v", f, n)
		}
		for i, a := range n.Alerts {
			p := plain.Alerts[i]
			if string(a.Status) != p.Status || !reflect.DeepEqual(a.Labels.Map(), p.Labels) || !reflect.DeepEqual(a.Annotations.Map(), p.Annotations) || !a.StartsAt.Equal(p.StartsAt) || a.GeneratorURL != p.GeneratorURL || a.Fingerprint != p.Fingerprint {
				t.Errorf("%s: alert %d:\n got %+v\nwant %+v", f, i, a, p)
			}
			if a.Status == Firing != a.EndsAt.IsZero() || a.Status == Resolved && !a.EndsAt.Equal(p.EndsAt) {
				t.Errorf("%s: a %s alert ends at %v", f, a.Status, a.EndsAt)
			}
			// Alertmanager's own fingerprints prove ours.
			if own := a.Labels.Fingerprint(); own != p.Fingerprint {
				t.Errorf("%s: fingerprint of %v is %s, Alertmanager says %s", f, a.Labels, own, p.Fingerprint)
			}
		}
	}
}

func TestAlertsHaveTheirOwnStatus(t *testing.T) {
	n := decodeFile(t, "v0.34.2-mixed.json")
	if n.Alerts[0].Status != Resolved || n.Alerts[1].Status != Firing {
		t.Errorf("the root's status leaked into the alerts: %s, %s", n.Alerts[0].Status, n.Alerts[1].Status)
	}
	if got := n.Alerts[0].EndsAt; !got.Equal(time.Date(2026, 11, 21, 6, 46, 3, 0, time.UTC)) {
		t.Errorf("resolved at %v", got)
	}
	if n := decodeFile(t, "v0.34.2-truncated.json"); n.Truncated != 3 || n.Received() != 2 {
		t.Errorf("truncated: %d cut, %d received", n.Truncated, n.Received())
	}
	if n := decodeFile(t, "v0.34.2-new-alerts-added.json"); n.Alerts[0].StartsAt.Nanosecond() != 534013344 {
		t.Errorf("startsAt lost its fraction: %v", n.Alerts[0].StartsAt)
	}
}

func TestUselessBodies(t *testing.T) {
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	many := "[" + strings.Repeat("0,", MaxAlerts) + "0]"
	custom, err := os.ReadFile(filepath.Join(webhooks, "v0.34.2-custom-payload.json"))
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		"":                                      "the body is empty",
		" \n\t ":                                "the body is empty",
		"null":                                  "want a JSON object as Alertmanager's webhook sends it, got a JSON null",
		"[]":                                    "want a JSON object as Alertmanager's webhook sends it, got a JSON array",
		"true":                                  "want a JSON object as Alertmanager's webhook sends it, got a JSON boolean",
		"4":                                     "want a JSON object as Alertmanager's webhook sends it, got a JSON number",
		`"4"`:                                   "want a JSON object as Alertmanager's webhook sends it, got a JSON string",
		"<html>":                                "the body is not readable JSON at byte 0: want a value",
		"{":                                     "the body is not readable JSON at byte 1: it ends in the middle",
		`{"version":"4","alerts":[{`:            "the body is not readable JSON at byte 26: it ends in the middle",
		`{"version":"4","alerts":[` + good[:60]: "the body is not readable JSON at byte 85: it ends in the middle",
		`{"version":"4","al`:                    "the body is not readable JSON at byte 18: it ends in the middle",
		`{"version":"4",}`:                      "the body is not readable JSON at byte 15: a comma stands before the end",
		`{"version":"4" "alerts":[]}`:           "the body is not readable JSON at byte 15: want a comma or '}'",
		`{version:"4"}`:                         "the body is not readable JSON at byte 1: want a name in double quotes",
		`{"version""4"}`:                        "the body is not readable JSON at byte 10: want a colon after a name",
		"{\"version\":\"4\n\"}":                 "the body is not readable JSON at byte 13: a control character stands in a string",
		`{"version":"\x"}`:                      "the body is not readable JSON at byte 13: an escape in a string is none of JSON's",
		`{"version":"\u12g4"}`:                  `the body is not readable JSON at byte 16: want four hexadecimal digits after \u`,
		`{"x":01}`:                              "the body is not readable JSON at byte 6: want a comma or '}'",
		`{"x":nope}`:                            "the body is not readable JSON at byte 5: want a value",
		`{"x":1.}`:                              "the body is not readable JSON at byte 7: want a digit",
		`{"x":` + deep + `}`:                    "the body is not readable JSON at byte 10004: it nests deeper than 10000",
		one(good) + "{}":                        "there is more after the JSON object, at byte " + fmt.Sprint(len(one(good))),
		one(good) + "x":                         "there is more after the JSON object, at byte " + fmt.Sprint(len(one(good))),
		`{}`:                                    `alerts: missing, and version too: want the webhook body of Alertmanager ("4") or Grafana ("1"); a receiver with a custom payload: cannot be read`,
		string(custom):                          `alerts: missing, and version too: want the webhook body of Alertmanager ("4") or Grafana ("1"); a receiver with a custom payload: cannot be read`,
		`{"version":"5","alerts":[]}`:           `version: want "4" as Alertmanager's webhook says, or "1" as Grafana's does, got "5"`,
		`{"version":[4],"alerts":[]}`:           "version: want a string, got a JSON array",
		`{"version":"4"}`:                       "alerts: missing: want the list of the group's alerts",
		`{"version":"4","alerts":{}}`:           "alerts: want an array, got a JSON object",
		`{"version":"4","alerts":[],"alerts":[]}`:              "alerts: the field stands twice",
		`{"version":"4","alerts":[],"receiver":[1]}`:           "receiver: want a string, got a JSON array",
		`{"version":"4","alerts":[],"truncatedAlerts":-1}`:     "truncatedAlerts: want a whole number of alerts, got -1",
		`{"version":"4","alerts":[],"truncatedAlerts":1.5}`:    "truncatedAlerts: want a whole number of alerts, got 1.5",
		`{"version":"4","alerts":[],"truncatedAlerts":"3"}`:    "truncatedAlerts: want a whole number of alerts, got a JSON string",
		`{"version":"4","alerts":` + many + `}`:                "alerts: more than 50000 in one body: set max_alerts in the receiver",
		`{"version":"` + strings.Repeat("9", 500) + `"}`:       `version: want "4" as Alertmanager's webhook says, or "1" as Grafana's does, got "` + strings.Repeat("9", 40) + `"`,
		`{"version":"4","alerts":[{"labels":{"a":"b\u00"}}]}`:  `the body is not readable JSON at byte 46: want four hexadecimal digits after \u`,
		`{"version":"4","alerts":[{"status":"firing",}]}`:      "the body is not readable JSON at byte 44: a comma stands before the end",
		`{"version":"4","alerts":[{"labels":{"a":nonsense}}]}`: "the body is not readable JSON at byte 40: want a value",
		`{"version":"4","alerts":[{"status":["firing"}]}`:      "the body is not readable JSON at byte 44: want a comma or ']'",
	} {
		n, err := DecodeNotification([]byte(body))
		if n != nil || err == nil || err.Error() != want || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%.80q:\n got %v (%v)\nwant %s", body, err, fault.KindOf(err), want)
		}
	}
}

func TestOneBadAlertIsSetAsideAndItsSiblingsKept(t *testing.T) {
	label := func(l string) string {
		return `{"status":"firing","startsAt":"2026-11-21T06:40:14Z","labels":{"alertname":"A",` + l + `}}`
	}
	field := func(f string) string {
		return `{"status":"firing","startsAt":"2026-11-21T06:40:14Z","labels":{"alertname":"A"},` + f + `}`
	}
	var manyLabels []string
	for i := range MaxLabels {
		manyLabels = append(manyLabels, fmt.Sprintf(`"l%d":"v"`, i))
	}
	for bad, want := range map[string]string{
		`null`:   "alert: want an object, got a JSON null",
		`0`:      "alert: want an object, got a JSON number",
		`"x"`:    "alert: want an object, got a JSON string",
		`[[{}]]`: "alert: want an object, got a JSON array",
		`{}`:     `status: want "firing" or "resolved", got ""`,
		`{"status":"pending","labels":{"a":"b"}}`:                                       `status: want "firing" or "resolved", got "pending"`,
		`{"status":{"a":[1,2,{"b":null}]},"labels":{}}`:                                 "status: want a string, got a JSON object",
		`{"status":"firing","startsAt":"2026-11-21T06:40:14Z"}`:                         "labels: missing or empty: an alert is known by its labels",
		`{"status":"firing","startsAt":"2026-11-21T06:40:14Z","labels":null}`:           "labels: missing or empty: an alert is known by its labels",
		`{"status":"firing","startsAt":"2026-11-21T06:40:14Z","labels":{"a":""}}`:       "labels: missing or empty: an alert is known by its labels",
		`{"status":"firing","startsAt":"2026-11-21T06:40:14Z","labels":["a"]}`:          "labels: want an object of strings, got a JSON array",
		`{"status":"firing","labels":{"a":"b"}}`:                                        "startsAt: missing: an alert must say when it began",
		`{"status":"firing","startsAt":"0001-01-01T00:00:00Z","labels":{"a":"b"}}`:      "startsAt: missing: an alert must say when it began",
		`{"status":"firing","startsAt":"0001-06-01T00:00:00+01:00","labels":{"a":"b"}}`: "startsAt: missing: an alert must say when it began",
		`{"status":"firing","startsAt":"yesterday","labels":{"a":"b"}}`:                 `startsAt: want an RFC 3339 time, got "yesterday"`,
		`{"status":"firing","startsAt":"2026-02-30T06:40:14Z","labels":{"a":"b"}}`:      `startsAt: want an RFC 3339 time, got "2026-02-30T06:40:14Z"`,
		`{"status":"firing","startsAt":1763707214,"labels":{"a":"b"}}`:                  "startsAt: want a string, got a JSON number",
		label(`"n":5`):                                               "labels.n: want a string, got a JSON number",
		label(`"n":null`):                                            "labels.n: want a string, got a JSON null",
		label(`"n":{"deep":[[[["x"]]]]}`):                            "labels.n: want a string, got a JSON object",
		label(`"alertname":"B"`):                                     "labels.alertname: the name stands twice",
		label(`"b":"1","a":"1","b":"2"`):                             "labels.b: the name stands twice",
		label("\"x\xff\":\"1\",\"x\xfe\":\"2\""):                     "labels.x\uFFFD: the name stands twice",
		label(strings.Join(manyLabels, ",")):                         "labels: more than 256 names",
		label(`"huge":"` + strings.Repeat("x", MaxLabelBytes) + `"`): "labels: larger than 65536 bytes together",
		field(`"endsAt":"never"`):                                    `endsAt: want an RFC 3339 time, got "never"`,
		field(`"generatorURL":false`):                                "generatorURL: want a string, got a JSON boolean",
		field(`"fingerprint":"` + strings.Repeat("a", 65) + `"`):     "fingerprint: longer than 64 bytes",
		field(`"fingerprint":"a\u0000b"`):                            `fingerprint: want printable ASCII, as Alertmanager's 16 hexadecimal digits, got "a\x00b"`,
		field(`"status":"resolved"`):                                 "status: the field stands twice",
		field(`"labels":{"alertname":"B"}`):                          "labels: the field stands twice",
	} {
		n := decode(t, `{"version":"4","alerts":[`+good+","+bad+" ,"+good+`],"receiver":"after"}`)
		if len(n.Alerts) != 2 || n.Alerts[0].Labels.Get("alertname") != "A" || n.Alerts[1].Labels.Get("alertname") != "A" || n.Receiver != "after" {
			t.Fatalf("%.80s: siblings were lost: %+v", bad, n.Alerts)
		}
		if len(n.Invalid) != 1 || n.Invalid[0].Index != 1 || n.Invalid[0].Reason != want || string(n.Invalid[0].Raw) != bad {
			t.Errorf("%.80s: got %+v\nwant reason %s", bad, n.Invalid, want)
		}
		if n.Received() != 3 {
			t.Errorf("%.80s: received %d of 3", bad, n.Received())
		}
	}
}

func TestOddButGood(t *testing.T) {
	first := func(alert string) Alert {
		t.Helper()
		n := decode(t, one(alert))
		if len(n.Invalid) != 0 || len(n.Alerts) != 1 {
			t.Fatalf("%.200s was set aside: %+v", alert, n.Invalid)
		}
		return n.Alerts[0]
	}
	a := first(`{"unknown":{"deep":[1,-2.5e+3,true,null,{"x":{}}]},"status":"firing","labels":{"b":"2","a":"1","empty":"","é":"\u00e9\ud83d\ude00\n\"\\\/\b\f\r\t"},"startsAt":"2026-11-21T07:40:14.5+01:00","annotations":null,"endsAt":null,"generatorURL":null,"fingerprint":null}`)
	if got := fmt.Sprint(a.Labels); got != "[{a 1} {b 2} {é é😀\n\"\\/\b\f\r\t}]" {
		t.Errorf("labels %q: want them sorted, unescaped and without the empty one", got)
	}
	if !a.StartsAt.Equal(time.Date(2026, 11, 21, 6, 40, 14, 5e8, time.UTC)) || a.StartsAt.Location() != time.UTC {
		t.Errorf("startsAt %v: want it in UTC", a.StartsAt)
	}
	if a.Fingerprint != a.Labels.Fingerprint() || len(a.Fingerprint) != 16 {
		t.Errorf("an absent fingerprint became %q", a.Fingerprint)
	}
	if a := first("{\"status\":\"firing\",\"labels\":{\"n\":\"a\xff\xfeb\",\"s\":\"\\ud800\",\"t\":\"\\ud800\\u0041\"},\"startsAt\":\"2026-11-21T06:40:14Z\"}"); fmt.Sprint(a.Labels) != "[{n a\uFFFD\uFFFDb} {s \uFFFD} {t \uFFFDA}]" {
		t.Errorf("bytes that are no UTF-8 became %q", a.Labels)
	}
	if a := first(`{"st\u0061tus":"firing","labels":{"a":"b"},"startsAt":"2026-11-21T06:40:14Z"}`); a.Status != Firing {
		t.Errorf("an escaped name is another name: %+v", a)
	}
	if a := first(`{"status":"firing","labels":{"a":"b"},"startsAt":"2026-11-21T06:40:14Z","endsAt":"2026-11-21T06:44:14Z"}`); !a.EndsAt.IsZero() {
		t.Errorf("a firing alert has an end: %v; it is a lease, not an end", a.EndsAt)
	}
	if a := first(`{"status":"resolved","labels":{"a":"b"},"startsAt":"2026-11-21T06:40:14Z","endsAt":"0001-01-01T00:00:00Z"}`); !a.EndsAt.IsZero() {
		t.Errorf("year 1 is an end: %v", a.EndsAt)
	}
	big := strings.Repeat("v", MaxLabelBytes-100)
	if a := first(`{"status":"firing","labels":{"a":"` + big + `"},"startsAt":"2026-11-21T06:40:14Z"}`); a.Labels.Get("a") != big {
		t.Error("a long label value was changed")
	}
	for _, body := range []string{`{"version":"4","alerts":[]}`, `{"version":"4","alerts":null}`, " {\n\"version\" : \"4\" ,\r\n\t\"alerts\" : [ ] } \n"} {
		if n := decode(t, body); n.Received() != 0 {
			t.Errorf("%s: received %d", body, n.Received())
		}
	}
}

func TestReceiverIsUnescaped(t *testing.T) {
	// As Alertmanager's template.Data writes them: regexp.QuoteMeta of the name.
	for quoted, want := range map[string]string{
		`hook`: "hook", `web\.hook`: "web.hook", `a\\b`: `a\b`, `\(x\)\|\[y\]\{z\}\^\$\*\+\?`: "(x)|[y]{z}^$*+?", `no\escape`: `no\escape`, `end\`: `end\`,
	} {
		b, _ := json.Marshal(quoted)
		if n := decode(t, `{"version":"4","alerts":[],"receiver":`+string(b)+`}`); n.Receiver != want {
			t.Errorf("%s became %q, want %q", quoted, n.Receiver, want)
		}
	}
}

func TestFingerprintEqualsAlertmanagers(t *testing.T) {
	// Values of prometheus/common's model.LabelSet.Fingerprint for these sets.
	if got := (Labels{}).Fingerprint(); got != "cbf29ce484222325" {
		t.Errorf("of no labels: %s", got)
	}
	a, b := Labels{{"a", "bc"}}, Labels{{"ab", "c"}}
	if a.Fingerprint() == b.Fingerprint() {
		t.Error("names and values run into each other")
	}
}

// A word that is kept for reuse must never stand for another.
func TestWordsAreNotMixedUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w words
		for _, s := range rapid.SliceOfN(rapid.StringN(0, 3, 90), 1, 200).Draw(t, "words") {
			if got := w.get([]byte(s)); got != s {
				t.Fatalf("%q came back as %q", s, got)
			}
		}
	})
	b := []byte(one(good))
	n := decode(t, string(b))
	m, err := DecodeNotification(b)
	if err != nil {
		t.Fatal(err)
	}
	copy(b, bytes.Repeat([]byte("x"), len(b))) // nothing but Raw may lie in the body
	if n.Alerts[0].Labels.Get("alertname") != "A" || m.Alerts[0].Labels.Get("alertname") != "A" || m.Alerts[0].Status != Firing {
		t.Errorf("labels lie in the body: %+v", m.Alerts[0])
	}
}

// plainBody is an independent reading of a body, for the properties below.
func plainBody(b []byte) (alerts int, ok bool) {
	var root struct {
		Alerts []json.RawMessage `json:"alerts"`
	}
	err := json.Unmarshal(b, &root)
	return len(root.Alerts), err == nil
}

// checkDecode holds for every input whatever.
func checkDecode(t interface {
	Fatalf(string, ...any)
	Helper()
}, body []byte) {
	t.Helper()
	kept := bytes.Clone(body)
	n, err := DecodeNotification(body)
	if !bytes.Equal(kept, body) {
		t.Fatalf("the body was changed")
	}
	if err != nil {
		if fault.KindOf(err) != fault.Invalid {
			t.Fatalf("error %v is not Invalid", err)
		}
		if strings.Contains(err.Error(), "not readable JSON") && json.Valid(body) {
			t.Fatalf("valid JSON is called unreadable: %v", err)
		}
		return
	}
	if !json.Valid(body) {
		t.Fatalf("what is no JSON was taken")
	}
	again, err := DecodeNotification(n.Raw)
	if err != nil || !reflect.DeepEqual(n, again) {
		t.Fatalf("decoding again gives %+v, %v, not %+v", again, err, n)
	}
	for _, a := range n.Alerts {
		if a.Fingerprint == "" || len(a.Labels) == 0 || a.StartsAt.Year() < 2 || a.Status != Firing && a.Status != Resolved {
			t.Fatalf("an alert that says too little was taken: %+v", a)
		}
		b, err := json.Marshal(a.Labels)
		var back Labels
		if err != nil || json.Unmarshal(b, &back) != nil || !back.Equal(a.Labels) {
			t.Fatalf("labels %q do not survive JSON: %s %v", a.Labels, b, err)
		}
	}
	for _, bad := range n.Invalid {
		if bad.Reason == "" || !json.Valid(bad.Raw) || bad.Index >= n.Received() {
			t.Fatalf("quarantined without reason or bytes: %+v", bad)
		}
	}
	// encoding/json takes names in any case, so count only where that cannot matter.
	if alerts, ok := plainBody(body); ok && bytes.Count(bytes.ToLower(body), []byte("\"alerts\"")) == 1 && !bytes.Contains(body, []byte(`\u`)) && alerts != n.Received() {
		t.Fatalf("received %d of %d alert objects", n.Received(), alerts)
	}
	// The line of a recording gives the same alerts, byte for byte.
	var e Event
	in := NewNotification("src", n)
	in.At = time.Unix(1, 0)
	line := in.AppendLine(nil)
	if bytes.ContainsAny(line, "\n\r") {
		t.Fatalf("the recording's line breaks: %q", line)
	}
	if err := json.Unmarshal(line, &e); err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	p, err := e.Payload()
	if err != nil {
		t.Fatalf("payload of the recording's line: %v", err)
	}
	if m := p.(*Notification); !reflect.DeepEqual(m.Alerts, n.Alerts) || !reflect.DeepEqual(m.Invalid, n.Invalid) || m.Truncated != n.Truncated {
		t.Fatalf("the recording gives %+v, not %+v", m, n)
	}
}

func FuzzDecodeNotification(f *testing.F) {
	err := filepath.WalkDir(webhooks, func(path string, d os.DirEntry, err error) error {
		if filepath.Ext(path) == ".json" {
			b, err := os.ReadFile(path)
			f.Add(b)
			return err
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) { checkDecode(t, body) })
}

// TestDecodeProperties damages good bodies in the ways in which senders do.
func TestDecodeProperties(t *testing.T) {
	base := benchBody(3)
	pieces := []string{`{`, `}`, `[`, `]`, `,`, `:`, `"`, `\`, `null`, `0`, `""`, "\xff", "\n", `{"a":1}`, `"alerts":[]`, good, "\u2028", "<>&"}
	rapid.Check(t, func(rt *rapid.T) {
		b := bytes.Clone(base)
		for range rapid.IntRange(0, 4).Draw(rt, "edits") {
			at := rapid.IntRange(0, len(b)).Draw(rt, "at")
			end := min(len(b), at+rapid.IntRange(0, 20).Draw(rt, "cut"))
			b = append(append(bytes.Clone(b[:at]), rapid.SampledFrom(pieces).Draw(rt, "piece")...), b[end:]...)
		}
		checkDecode(rt, b)
	})
}

// Text for people never costs the alert that it stands beside.
func TestAnnotationsAreCutAndTheAlertIsKept(t *testing.T) {
	one := func(annotations string) Alert {
		n := decode(t, `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A"},"annotations":`+annotations+`,"startsAt":"2026-11-21T06:40:14Z"}]}`)
		if len(n.Alerts) != 1 || len(n.Invalid) != 0 {
			t.Fatalf("%.80s: %d alerts, %d invalid: %v", annotations, len(n.Alerts), len(n.Invalid), n.Invalid)
		}
		return n.Alerts[0]
	}
	long := strings.Repeat("é", 150_000)
	a := one(`{"description":"` + long + `","summary":"short"}`)
	d := a.Annotations.Get("description")
	if len(d) > maxAnnotation || !strings.HasPrefix(d, "éééé") || !strings.HasSuffix(d, "é… (cut: 300000 bytes)") || !utf8.ValidString(d) || a.Annotations.Get("summary") != "short" {
		t.Errorf("%d bytes, ends %q, summary %q", len(d), d[len(d)-40:], a.Annotations.Get("summary"))
	}
	var many strings.Builder
	for n := range 300 {
		fmt.Fprintf(&many, `"a%03d":"%s",`, n, strings.Repeat("x", 5000))
	}
	size := 0
	for _, x := range one(`{` + many.String() + `"z":"z"}`).Annotations {
		size += len(x.Name) + len(x.Value)
	}
	if size > maxAnnotations || size < maxAnnotations-6000 {
		t.Errorf("%d bytes of annotations were kept", size)
	}
	for given, want := range map[string]string{
		`{"a":1.5}`: "1.5", `{"a":true}`: "true", `{"a":null}`: "", `{"a":{"b":[1]}}`: `{"b":[1]}`, `{"a":"x","a":"y"}`: "x", `[]`: "", `5`: "", `null`: "",
	} {
		if got := one(given).Annotations.Get("a"); got != want {
			t.Errorf("%s: a is %q, want %q", given, got, want)
		}
	}
}

// Grafana's own alerting sends the same body with fields of its own and version "1";
// scripts that copy it leave the version out, or write a number.
func TestOtherSendersOfTheSameBody(t *testing.T) {
	alert := `{"status":"firing","labels":{"alertname":"High memory","grafana_folder":"ops"},"annotations":{},"startsAt":"2026-11-30T20:00:00.123+02:00","endsAt":"0001-01-01T00:00:00Z",
		"generatorURL":"http://g/alerting/grafana/x/view?orgId=1","fingerprint":"c6eadffa33fcdf37","silenceURL":"http://g/s","dashboardURL":"","panelURL":"","values":{"B":14.2,"C":null},"valueString":"[ var='B' value=14.2 ]","imageURL":null}`
	for _, head := range []string{
		`"version":"1","orgId":1,"title":"[FIRING:1]","state":"alerting","message":"**Firing**","appVersion":"11.2.0",`,
		`"version":"4","notification_reason":"x","routeLabels":{"a":"b"},`, `"version":4,`, `"version":1,`, `"version":null,`, `"version":"",`, ``,
	} {
		n := decode(t, `{`+head+`"receiver":"watchbill","status":"firing","alerts":[`+alert+`],"groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://g/","groupKey":"{}:{}","truncatedAlerts":0}`)
		if len(n.Alerts) != 1 || n.Alerts[0].Fingerprint != "c6eadffa33fcdf37" || !n.Alerts[0].StartsAt.Equal(time.Date(2026, 11, 30, 18, 0, 0, 123e6, time.UTC)) {
			t.Errorf("%s: %+v", head, n)
		}
	}
}

// Counters that strangers add to must not run over.
func TestTruncatedAlertsAreBounded(t *testing.T) {
	n, err := DecodeNotification([]byte(`{"version":"4","alerts":[],"truncatedAlerts":18446744073709551615}`))
	if err != nil || n.Truncated != maxTruncated {
		t.Errorf("%d, %v", n.Truncated, err)
	}
}
