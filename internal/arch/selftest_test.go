package arch

import (
	"strings"
	"testing"
)

// These tests break each rule once: a check that finds nothing is worth nothing.

type breach struct {
	name, file, text string
	want             string // part of the report; empty when nothing may be reported
}

func run(t *testing.T, check func(source) []string, cases []breach) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := parse(c.file, c.text)
			if err != nil {
				t.Fatal(err)
			}
			found := strings.Join(check(s), "\n")
			if (c.want == "") != (found == "") || !strings.Contains(found, c.want) {
				t.Errorf("reported %q, want %q", found, c.want)
			}
		})
	}
}

func importing(p string) string { return "package p\nimport _ " + `"` + p + `"` }

func TestSavesByHandAreCaught(t *testing.T) {
	const save = "package sangdam\nfunc (u *unit) f() { u.tx.Conversations().SaveConversation(u.ctx, c) }"
	run(t, checkByHand, []breach{
		{"a flow saves", "answer.go", save, "end of a unit"},
		{"the end of a unit saves", "unit_conversations.go", save, ""},
		{"a store saves", "store/contacts.go", save, ""},
		{"a test saves", "answer_test.go", save, ""},
	})
}

func TestImportsAreCaught(t *testing.T) {
	run(t, checkImports, []breach{
		{"domain imports store", "ticket/a.go", importing(module + "/store"), "no I/O"},
		{"domain imports a sibling", "routing/a.go", importing(module + "/conversation"), "may import [routing/hours"},
		{"domain imports the root", "trigger/a.go", importing(module), "may import"},
		{"domain imports SQL", "conversation/a.go", importing("database/sql"), "rows"},
		{"domain imports files", "routing/hours/a.go", importing("os"), "host"},
		{"domain imports HTTP", "ticket/a.go", importing("net/http"), "HTTP"},
		{"the contract of adapters may import HTTP", "channel/adapter/a.go", importing("net/http"), ""},
		{"domain imports a module", "ticket/a.go", importing("github.com/google/uuid"), "other modules"},
		{"privacy may import text", "conversation/privacy/a.go", importing("golang.org/x/text/width"), ""},
		{"everybody may import errors", "trigger/condition/a.go", importing(module + "/internal/errs"), ""},
		{"domain imports internal", "ticket/a.go", importing(module + "/internal/safehttp"), "may import"},
		{"adapter imports conversation", "channel/mail/a.go", importing(module + "/conversation"), "one provider"},
		{"adapter imports another adapter", "channel/webchat/a.go", importing(module + "/channel/line"), "one provider"},
		{"adapter imports its own", "channel/line/linetest/cmd/x/a.go", importing(module + "/channel/line"), ""},
		{"line imports a foreign module", "channel/line/a.go", importing("github.com/jackc/pgx/v5"), "other modules"},
		{"root imports an adapter", "a.go", importing(module + "/channel/line"), "adapter"},
		{"root imports a backend", "a.go", importing(module + "/store/sqlite"), "pays"},
		{"root imports web", "a.go", importing(module + "/web/api"), "pays"},
		{"root imports a driver", "a.go", importing("modernc.org/sqlite"), "pays"},
		{"root imports a keyset", "a.go", importing(module + "/store/seal/tinkseal"), "pays"},
		{"root imports a longer name", "a.go", importing("github.com/google/uuidx/y"), "pays"},
		{"seal imports a keyset", "store/seal/a.go", importing("github.com/tink-crypto/tink-go/v2/aead"), "tinkseal"},
		{"blob imports a backend", "store/blob/a.go", importing(module + "/store/sqlite"), "brings nothing"},
		{"internal imports the domain", "internal/x/a.go", importing(module + "/routing"), "lead back"},
		{"a model imports internal", "channel/postcard/a.go", importing(module + "/internal/errs"), "hosts copy"},
		{"an example imports internal", "examples/x/a.go", importing(module + "/internal/pgtest"), "hosts copy"},
		{"test may import", "ticket/a_test.go", importing(module + "/store"), ""},
	})
}

func TestImpurityIsCaught(t *testing.T) {
	body := func(imports, stmt string) string {
		return "package p\nimport (" + imports + ")\nfunc f() {" + stmt + "}"
	}
	run(t, checkPurity, []breach{
		{"goroutine", "routing/a.go", body("", "go f()"), "goroutine"},
		{"now", "ticket/a.go", body(`"time"`, "_ = time.Now()"), "time.Now"},
		{"now by another name", "ticket/a.go", body(`clock "time"`, "_ = clock.Now()"), "time.Now"},
		{"now as a value", "ticket/a.go", body(`"time"`, "g := time.Now; _ = g"), "time.Now"},
		{"since", "trigger/a.go", body(`"time"`, "_ = time.Since(time.Time{})"), "time.Since"},
		{"sleep", "channel/a.go", body(`"time"`, "time.Sleep(1)"), "time.Sleep"},
		{"timer", "conversation/bot/a.go", body(`"time"`, "time.AfterFunc(1, f)"), "time.AfterFunc"},
		{"context with a clock", "conversation/a.go", body(`"context"`, "context.WithTimeout(nil, 1)"), "WithTimeout"},
		{"global random", "routing/a.go", body(`"math/rand/v2"`, "_ = rand.IntN(3)"), "math/rand/v2.IntN"},
		{"old global random", "routing/a.go", body(`"math/rand"`, "_ = rand.Intn(3)"), "math/rand.Intn"},
		{"seeded random", "routing/a.go", body(`"math/rand/v2"`, "_ = rand.New(rand.NewPCG(1, 2)).IntN(3)"), ""},
		{"global logger", "routing/a.go", body(`"log/slog"`, `slog.Info("x")`), "slog.Info"},
		{"import without a name", "routing/a.go", body(`. "time"`, "_ = Now()"), "without a name"},
		{"variable called time", "routing/a.go", body(`"time"`, "time := x{}; time.Now()"), ""},
		{"method called Now", "routing/a.go", body("", "tx.Now()"), ""},
		{"the root may", "a.go", body(`"time"`, "go f(); _ = time.Now()"), ""},
		{"a backend may", "store/sqlite/a.go", body(`"time"`, "go f(); _ = time.Now()"), ""},
		{"a test may", "routing/a_test.go", body(`"time"`, "go f(); _ = time.Now()"), ""},
	})
}

func TestTestingOutsideTestsIsCaught(t *testing.T) {
	run(t, checkTestOnly, []breach{
		{"testing", "store/memory/a.go", importing("testing"), "outside of tests"},
		{"below testing", "a.go", importing("testing/iotest"), "outside of tests"},
		{"testify", "routing/a.go", importing("github.com/stretchr/testify/require"), "outside of tests"},
		{"emulator", "channel/line/a.go", importing(module + "/channel/line/linetest"), "outside of tests"},
		{"fault injector", "router.go", importing(module + "/internal/storefault"), "outside of tests"},
		{"emulator of a new channel", "a.go", importing(module + "/channel/pigeon/pigeontest"), "hosts get no emulators"},
		{"an example may start an emulator", "examples/simulate/a.go", importing(module + "/channel/line/linetest"), ""},
		{"an example tests nothing", "examples/simulate/a.go", importing("testing"), "outside of tests"},
		{"a suite may", "store/storetest/a.go", importing("testing"), ""},
		{"a test may", "routing/a_test.go", importing("testing"), ""},
	})
}

func TestSignatureComparisonsAreCaught(t *testing.T) {
	cond := func(e string) string { return "package p\nfunc f() bool { return " + e + " }" }
	run(t, checkMACs, []breach{
		{"equal sign", "channel/line/a.go", cond("sig == want"), "=="},
		{"unequal", "channel/line/a.go", cond("r.Signature != x"), "!="},
		{"bytes", "channel/line/a.go", cond("bytes.Equal(mac.Sum(nil), wantMAC)"), "bytes.Equal"},
		{"converted", "channel/x/a.go", cond("string(hmacSum) == header"), "=="},
		{"folded", "web/api/a.go", cond("strings.EqualFold(gotSig, y)"), "EqualFold"},
		{"slices", "webhook.go", cond("slices.Equal(x, signature[:])"), "slices.Equal"},
		{"in constant time", "channel/line/a.go", cond("hmac.Equal(mac, sig)"), ""},
		{"is there one", "channel/line/a.go", cond(`sig == "" || mac == nil`), ""},
		{"its length", "channel/line/a.go", cond("len(sig) != size"), ""},
		{"other words", "channel/line/a.go", cond("assigned == signal && machine == design"), ""},
	})
}

func TestMissingCommentsAreCaught(t *testing.T) {
	run(t, checkComments, []breach{
		{"function", "ticket/a.go", "package p\nfunc F() {}", "F has no comment"},
		{"method", "ticket/a.go", "package p\n// T is.\ntype T struct{}\nfunc (*T) M() {}", "M has no comment"},
		{"generic method", "ticket/a.go", "package p\n// T is.\ntype T[A any] struct{}\nfunc (*T[A]) M() {}", "M has no comment"},
		{"type", "ticket/a.go", "package p\ntype T int", "T has no comment"},
		{"variable", "ticket/a.go", "package p\nvar V = 1", "V has no comment"},
		{"constant", "ticket/a.go", "package p\nconst C = 1", "C has no comment"},
		{"directive only", "ticket/a.go", "package p\n//go:noinline\nfunc F() {}", "F has no comment"},
		{"values of a type", "ticket/a.go", "package p\n// T is.\ntype T int\nconst (\n A T = iota\n B\n)", ""},
		{"plain method", "ticket/a.go", "package p\n// T is.\ntype T int\nfunc (T) Error() string { return \"\" }", ""},
		{"hidden type", "ticket/a.go", "package p\ntype t int\nfunc (t) M() {}", ""},
		{"internal", "internal/x/a.go", "package p\nfunc F() {}", ""},
		{"command", "examples/x/a.go", "package main\nfunc F() {}", ""},
	})
}

func TestLeftoversAreCaught(t *testing.T) {
	for text, want := range map[string]bool{
		"// TO" + "DO: later": true, "FIX" + "ME": true, "<<<<" + "<<< HEAD": true, "/ho" + "me/kim/src": true, `"/Us` + `ers/kim"`: true,
		"in /build/box/checkout/x":        true,
		"https://example.com/ho" + "me/x": false, "mas" + "TODON": false, "/build/box": false, "====": false, "a/build/box/checkout": false,
	} {
		found := checkLeftovers("a.md", []byte("first\n"+text), []string{"/build/box/checkout"})
		if want != (len(found) > 0) {
			t.Errorf("%q: reported %v", text, found)
		}
		if want && !strings.HasPrefix(found[0], "a.md:2: ") {
			t.Errorf("%q: reported %v, without its place", text, found)
		}
	}
	if found := checkLeftovers("a.png", []byte("\x00 TO"+"DO"), nil); len(found) > 0 {
		t.Errorf("a file that is no text: %v", found)
	}
}

func TestEveryPackageRuleHasAReason(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range packageRules {
		if r.why == "" || seen[r.path] {
			t.Errorf("the rule of %s has no reason, or is there twice", r.path)
		}
		seen[r.path] = true
	}
	for _, p := range domain {
		if r, ok := ruleOf(p); !ok || !r.pure || r.path != p {
			t.Errorf("the domain package %s has no pure rule of its own", p)
		}
	}
}
