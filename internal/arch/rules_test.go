package arch

// A package rule says what one package, or with "/..." a package and all below
// it, may import besides the standard library, internal/errs, internal/id and internal/jsondoc.
// The most exact rule counts.
type packageRule struct {
	path string
	// may are packages of this module.
	may []string
	// modules are packages of others, each with what is below it.
	modules []string
	// pure packages decide and do no I/O; purity names the rest of their rules.
	pure bool
	// stdToo lists packages of the standard library that purity would forbid.
	stdToo []string
	// planned says that the package may not exist yet.
	planned bool
	why     string
}

const (
	whyPure = "a domain package decides and does no I/O, so that its decisions can be tested, replayed and explained; the root " +
		"package loads and writes"
	whyAdapter = "an adapter knows one provider and the contract of channel, so that it can be replaced, and tested with channeltest alone"
	whyCarrier = "a carrier knows one way out and the contract of notify, so that a host pays only for those it uses"
	whyStore   = "a backend is used through store and knows the domain's types; its driver module stays behind it"
	whyTool    = "a tool of the tests uses what it tests, and nothing but tests uses the tool"
	whyEdge    = "what a host mounts composes the root and the domain; nothing inside depends on it"
)

var domain = []string{
	"channel", "channel/adapter", "channel/visitor", "conversation", "conversation/automated", "conversation/backup",
	"conversation/draft", "conversation/privacy", "conversation/bot",
	"conversation/storm",
	"routing", "routing/hours", "routing/classify", "routing/board", "routing/transition", "routing/validate", "routing/journal",
	"ticket", "trigger", "trigger/action", "trigger/lint", "trigger/trial", "trigger/condition",
	"notify",
}

func with(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var packageRules = []packageRule{
	{path: "channel", pure: true, may: []string{"routing/hours"}, why: whyPure},
	{path: "channel/adapter", pure: true, may: []string{"channel"}, stdToo: []string{"net/http"}, why: whyPure},
	{path: "channel/visitor", pure: true, may: []string{"channel"}, why: whyPure},
	{path: "conversation", pure: true, may: []string{"channel", "conversation/privacy", "routing/hours"}, why: whyPure},
	{path: "conversation/automated", pure: true, may: []string{}, why: whyPure},
	{path: "conversation/backup", pure: true, may: []string{"channel", "conversation"}, why: whyPure},
	{path: "conversation/draft", pure: true, may: []string{"channel", "conversation", "conversation/privacy"}, why: whyPure},
	{path: "conversation/privacy", pure: true, may: []string{"internal/fold"}, modules: []string{"golang.org/x/text/"}, why: whyPure},
	{path: "conversation/bot", pure: true, may: []string{"channel", "conversation", "trigger/condition"}, why: whyPure},
	{path: "conversation/storm", pure: true, may: []string{"channel/adapter"}, why: whyPure},
	{path: "channel/email/message", pure: true, modules: []string{"github.com/emersion/go-msgauth/", "github.com/microcosm-cc/bluemonday",
		"golang.org/x/net/", "golang.org/x/text/"},
		why: whyPure},
	{path: "channel/email/thread", pure: true, why: whyPure},
	{path: "routing", pure: true, may: []string{"routing/hours", "trigger/condition"}, why: whyPure},
	{path: "routing/classify", pure: true, may: []string{"routing", "trigger/condition", "internal/chance"}, why: whyPure},
	{path: "routing/board", pure: true, may: []string{"routing", "routing/hours", "internal/chance"}, why: whyPure},
	{path: "routing/validate", pure: true, may: []string{"routing", "routing/hours"}, why: whyPure},
	{path: "routing/hours", pure: true, why: whyPure},
	{path: "ticket", pure: true, modules: []string{"golang.org/x/text/"}, why: whyPure,
		may: []string{"conversation", "conversation/privacy", "routing/hours", "trigger/condition", "internal/fold"}},
	{path: "trigger", pure: true, may: []string{"trigger/condition"}, why: whyPure},
	{path: "trigger/action", pure: true, may: []string{"routing", "trigger"}, why: whyPure},
	{path: "trigger/lint", pure: true, may: []string{"trigger", "trigger/condition"}, why: whyPure},
	{path: "trigger/trial", pure: true, may: []string{"trigger", "trigger/condition"}, why: whyPure},
	{path: "routing/transition", pure: true, may: []string{"routing"}, why: whyPure},
	{path: "routing/journal", pure: true, may: []string{"routing", "routing/board", "routing/hours"}, why: whyPure},
	{path: "trigger/condition", pure: true, may: []string{"internal/fold"}, why: whyPure},

	{path: "channel/kit", may: []string{"channel", "channel/adapter", "internal/errs"}, why: "what all adapters share knows none of them",
		modules: []string{"github.com/rivo/uniseg", "golang.org/x/time/rate"}},
	{path: "channel/emukit", why: "what all emulators share knows none of their providers"},
	{path: "channel/...", may: []string{"channel", "channel/adapter", "channel/kit", "channel/emukit", "internal/..."},
		modules: []string{"golang.org/x/", "github.com/"}, planned: true, why: whyAdapter},
	{path: "channel/line/...", may: []string{"channel", "channel/adapter", "channel/kit", "channel/emukit", "internal/..."},
		why: whyAdapter, modules: []string{
			"github.com/line/line-bot-sdk-go/v8/", "github.com/golang-jwt/jwt/v5", "github.com/rivo/uniseg", "github.com/skip2/go-qrcode",
			"golang.org/x/sync/", "golang.org/x/time/rate",
		}},
	{path: "channel/webchat/...", may: []string{"channel", "channel/adapter", "channel/kit", "channel/visitor", "channel/webchat/...",
		"internal/..."},
		why: whyAdapter,
		modules: []string{
			"github.com/golang-jwt/jwt/v5", "golang.org/x/time/rate",
		}},
	{path: "channel/channeltest", may: []string{"channel", "channel/adapter"},
		modules: []string{"github.com/rivo/uniseg", "github.com/stretchr/testify/",
			"pgregory.net/rapid"}, why: "a conformance suite knows only the contract that it tests"},

	{path: "notify", pure: true, may: []string{"channel", "channel/adapter", "internal/plaintext"}, why: whyPure},
	{path: "notify/webhook/...", may: []string{"channel", "channel/adapter", "notify", "notify/webhook/...", "internal/safehttp",
		"channel/emukit"}, why: whyCarrier},
	{path: "notify/mail/...", may: []string{"channel", "channel/adapter", "notify", "notify/mail/...", "internal/safehttp",
		"internal/plaintext", "internal/smtpout", "channel/emukit"},
		why: whyCarrier, modules: []string{
			"github.com/wneessen/go-mail", "github.com/emersion/go-smtp", "github.com/emersion/go-sasl",
		}},
	{path: "notify/dooray/...", may: []string{"channel", "channel/adapter", "notify", "notify/dooray/...", "internal/safehttp",
		"channel/emukit"},
		why:     whyCarrier,
		modules: []string{"golang.org/x/net"}},

	{path: "store", may: with(domain, []string{"store/driver", "internal/fold"}),
		why: "store wraps any backend; it must build without the drivers of all of them"},
	{path: "store/driver", may: domain, why: "the contract for authors of stores names the domain's types and nothing else"},
	{path: "store/memory", may: with(domain, []string{"store", "store/driver"}),
		modules: []string{"github.com/google/uuid"}, why: whyStore},
	{path: "store/sqlite/...", may: with(domain, []string{"store", "store/driver", "store/sqlite/...", "internal/..."}), why: whyStore,
		modules: []string{
			"modernc.org/", "github.com/pressly/goose/v3", "github.com/google/uuid", "golang.org/x/sys/", "golang.org/x/sync/",
			"golang.org/x/text/",
		}},
	{path: "store/postgres/...", may: with(domain, []string{"store", "store/driver", "store/blob", "store/postgres/...", "internal/..."}),
		why: whyStore, modules: []string{
			"github.com/jackc/pgx/v5", "github.com/pressly/goose/v3", "github.com/google/uuid", "golang.org/x/sync/", "golang.org/x/text/",
		}},
	{path: "store/blob", why: "every store and the root use it, so it brings nothing along"},
	{path: "store/blob/blobtest", may: []string{"store/blob"}, why: "a conformance suite knows only the contract that it tests"},
	{path: "store/seal", why: "the root uses it, so the keys' own module stays behind seal/tinkseal"},
	{path: "store/seal/tinkseal", may: []string{"store/seal"}, modules: []string{"github.com/tink-crypto/tink-go/v2/"},
		why: "the one package that knows how keys are kept"},
	{path: "store/storetest", may: with(domain, []string{"store", "store/driver", "store/memory"}),
		why: "a conformance suite knows only the contract, and the memory store as the model to compare with", modules: []string{
			"github.com/stretchr/testify/", "go.uber.org/goleak", "golang.org/x/text/", "pgregory.net/rapid",
			"github.com/anishathalye/porcupine",
		}},

	{path: ".", may: with(domain, []string{"store", "store/driver", "store/blob", "store/seal", "internal/..."}),
		why: "a host that embeds the library pays for no adapter, no driver and no page that it does not use", modules: []string{
			"golang.org/x/sync/", "golang.org/x/text/", "github.com/google/uuid",
		}},
	{path: "web/...", may: with(domain, []string{".", "store", "store/blob", "web/...", "internal/...", "channel/email/message"}),
		modules: []string{"github.com/", "golang.org/x/"}, planned: true, why: whyEdge},
	{path: "internal/...", may: []string{"internal/..."}, modules: []string{"github.com/", "golang.org/x/"},
		why: "what every package may use must not lead back to them"},
	{path: "sangdamtest", may: []string{"..."}, why: "a whole desk for hosts' tests composes what a host composes"},
	{path: "internal/crash/...", may: []string{"..."}, modules: []string{""}, why: whyTool},
	{path: "internal/bench/...", may: []string{"..."}, modules: []string{""}, why: whyTool},
	{path: "internal/storefault", may: with(domain, []string{"store", "store/driver"}), why: whyTool},
	{path: "internal/pgtest", modules: []string{"github.com/jackc/pgx/v5"}, why: whyTool},
	{path: "internal/errs", why: "every package uses it"},
	{path: "internal/jsondoc", modules: []string{"github.com/go-json-experiment/json"}, why: "it reads bytes, whatever is in them"},
	{path: "internal/chance", pure: true, why: "one way to draw by lot, for classification and the Board"},
	{path: "internal/fold", pure: true, modules: []string{"golang.org/x/text/"},
		why: "one rule of what counts as the same text, for domain packages and stores alike"},
	{path: "internal/plaintext", pure: true,
		why: "one rule of what HTML says in plain text, for the layouts of notify and of channel/email"},
	{path: "internal/id", why: "every package uses it"},
	{path: "internal/smtpout", may: []string{"channel", "channel/adapter", "internal/errs"},
		modules: []string{"github.com/wneessen/go-mail"},
		why:     "mail as a channel and notices by mail both send by it"},
	{path: "internal/safehttp", why: "the root and the adapters use it, so it brings nothing along"},
	{path: "examples/...", may: []string{"...", "internal/..."}, modules: []string{""}, planned: true, why: "examples only compose"},
}

// always may be imported by every package.
var always = []string{"internal/errs", "internal/id", "internal/jsondoc"}

// impureStd are packages of the standard library that a pure package must not
// import.
var impureStd = map[string]string{
	"database/sql": "rows are loaded by the stores", "net": "the network belongs to adapters",
	"net/http": "HTTP belongs to adapters and to web",
	"os":       "files and the environment belong to the host", "os/exec": "programs belong to the host",
	"os/signal": "signals belong to the host",
	"io/ioutil": "files belong to the host", "path/filepath": "files belong to the host", "syscall": "the system belongs to the host",
	"log": "it writes to a global; take a *slog.Logger", "crypto/rand": "randomness is an argument", "unsafe": "nothing here is worth it",
	"testing/synctest": "the clock is an argument",
}

// impureCalls are names of packages that a pure package must not use.
var impureCalls = map[string]map[string]string{
	"time": reasons("now is an argument, and deadlines are columns that the root scans",
		"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"),
	"context": reasons("it reads the clock; the caller bounds the work", "WithTimeout", "WithDeadline", "WithTimeoutCause",
		"WithDeadlineCause"),
	"log/slog": reasons("it writes to a global; take a *slog.Logger",
		"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "LogAttrs", "DebugContext", "InfoContext", "WarnContext",
		"ErrorContext"),
}

// seededRandom are the names of math/rand and math/rand/v2 that do not draw
// from the global source.
var seededRandom = map[string]bool{
	"New": true, "NewPCG": true, "NewChaCha8": true, "NewSource": true, "NewZipf": true,
	"Rand": true, "Source": true, "Source64": true, "PCG": true, "ChaCha8": true, "Zipf": true,
}

// byHand are methods of repositories that the root calls at the end of a unit
// only, which writes each record once; and whence.
var byHand = map[string]string{
	"SaveIdentity":     "unit_contacts.go",
	"SaveConversation": "unit_conversations.go", "SaveMessage": "unit_conversations.go", "AppendEvents": "unit_conversations.go",
}

func reasons(why string, names ...string) map[string]string {
	m := make(map[string]string)
	for _, n := range names {
		m[n] = why
	}
	return m
}

// depsRules bound what a package brings along, all of it.
var depsRules = []struct {
	path    string
	modules []string
	why     string
}{
	{".", []string{"golang.org/x/image/", "golang.org/x/sync/", "golang.org/x/text/", "github.com/google/uuid",
		"github.com/go-json-experiment/json"}, // which is the standard library of Go 1.27, and becomes that there
		"a host that embeds the library takes its dependencies too"},
	{"store/blob", nil, "it is part of the root's promise to stay small"},
	{"store/seal", nil, "it is part of the root's promise to stay small"},
	{"internal/safehttp", nil, "it is the guard of every outbound request and must be readable as a whole"},
}

// testSupport are the packages whose other files than tests may import testing
// and what belongs to it: conformance suites, emulators, tools of the tests.
// Emulators, channel/x/xtest, are such by their name.
var testSupport = []string{
	"channel/channeltest", "channel/emukit", "sangdamtest", "store/blob/blobtest", "store/storetest",
	"internal/crash/...", "internal/bench/...", "internal/storefault", "internal/browsertest", "internal/pgtest", "internal/placetest",
	"notify/webhook/webhooktest/...", "notify/mail/mailtest/...", "notify/dooray/dooraytest/...",
}

// testOnly are packages that nothing outside tests and testSupport imports.
var testOnly = []string{
	"testing", "net/http/httptest", "github.com/stretchr/testify", "pgregory.net/rapid", "go.uber.org/goleak",
	"github.com/anishathalye/porcupine", "github.com/cockroachdb/datadriven", "github.com/chromedp/chromedp",
	module + "/store/storetest", module + "/store/blob/blobtest", module + "/channel/channeltest", module + "/channel/emukit",
	module + "/internal/crash", module + "/internal/storefault", module + "/internal/pgtest", module + "/internal/placetest",
	module + "/notify/webhook/webhooktest", module + "/notify/mail/mailtest", module + "/notify/dooray/dooraytest",
}

// topLevel is what may stand at the top of the module besides the Go files of
// the root package. Those that end in "/" are folders; required ones must be
// there.
var topLevel = map[string]bool{
	"channel/": true, "conversation/": true, "routing/": true, "ticket/": true, "trigger/": true, "notify/": true, "store/": true,
	"internal/": true, "sangdamtest/": true,
	"web/": false, "examples/": false, "docs/": false, ".ci/": false, ".git/": false, "testdata/": false,
	".git": false, ".gitignore": false, ".gitattributes": false, ".golangci.yml": true, "go.mod": true, "go.sum": true,
	"LICENSE": false, "NOTICE": false, "README.md": false, "README.ko.md": false, "CHANGELOG.md": false, "CONTRIBUTING.md": false,
	"SECURITY.md": false,
}

// macPackages are where signatures of others are verified.
var macPackages = []string{"channel", "notify", "web", "."}

// plainMethods need no comment: everybody knows what they do.
var plainMethods = map[string]bool{
	"Error": true, "String": true, "GoString": true, "Unwrap": true, "Is": true, "Len": true, "Less": true, "Swap": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true, "LogValue": true,
}
