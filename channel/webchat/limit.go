package webchat

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sangdam/sangdam/channel/visitor"
)

// Limits bound what one visitor and one address may do, at one process. A field
// of 0 or below means its default; behind one address there may be a whole office. An address
// of IPv6 stands for its network of 64 bits. Of what is allowed in a minute half may
// come at once.
type Limits struct {
	// AddressRequests is how many requests a minute one address may make; 0: 1200.
	AddressRequests int
	// NewSessions is how many visitors a minute may begin at one address; 0: 30.
	NewSessions int
	// VisitorRequests is how many requests a minute one visitor may make; 0: 300.
	VisitorRequests int
	// Messages is how many messages and files together one visitor may send in a
	// minute; 0: 30.
	Messages int
	// AddressFiles is how many files a minute one address may send; 0: 120.
	AddressFiles int
	// StreamsPerAddress and StreamsPerVisitor are connections at once; 0: 500
	// and 5.
	StreamsPerAddress, StreamsPerVisitor int
}

// typingEvery is how often a visitor's writing is told; more is dropped.
const typingEvery = 3 * time.Second

type limiter struct {
	limits Limits

	mu      sync.Mutex
	buckets generations
	streams map[string]int
}

func newLimiter(l Limits) *limiter {
	for limit, usual := range map[*int]int{&l.AddressRequests: 1200, &l.NewSessions: 30, &l.VisitorRequests: 300, &l.Messages: 30,
		&l.AddressFiles:      120,
		&l.StreamsPerAddress: 500, &l.StreamsPerVisitor: 5} {
		if *limit <= 0 { // a rate below 0 would bound nothing
			*limit = usual
		}
	}
	return &limiter{limits: l, streams: map[string]int{}}
}

// network is what one customer has of the address space: an IPv6 line has a
// whole network of 64 bits.
func network(ip netip.Addr) string {
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

func visitorKey(v visitor.Ref) string { return string(v.Account) + "/" + string(v.User) }

func (l *limiter) address(ip netip.Addr, now time.Time) bool {
	return l.allow("a/"+network(ip), l.limits.AddressRequests, now)
}

func (l *limiter) newSession(ip netip.Addr, now time.Time) bool {
	return l.allow("s/"+network(ip), l.limits.NewSessions, now)
}

func (l *limiter) visitor(v visitor.Ref, now time.Time) bool {
	return l.allow("v/"+visitorKey(v), l.limits.VisitorRequests, now)
}

func (l *limiter) message(v visitor.Ref, now time.Time) bool {
	return l.allow("m/"+visitorKey(v), l.limits.Messages, now)
}

func (l *limiter) file(ip netip.Addr, now time.Time) bool {
	return l.allow("f/"+network(ip), l.limits.AddressFiles, now)
}

func (l *limiter) typing(v visitor.Ref, now time.Time) bool {
	return l.allowEvery("t/"+visitorKey(v), rate.Every(typingEvery), 1, now)
}

func (l *limiter) allow(key string, perMinute int, now time.Time) bool {
	return l.allowEvery(key, rate.Every(time.Minute/time.Duration(perMinute)), max(perMinute/2, 1), now)
}

func (l *limiter) allowEvery(key string, every rate.Limit, burst int, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets.get(key)
	if b == nil {
		b = rate.NewLimiter(every, burst)
		l.buckets.put(key, b)
	}
	return b.AllowN(now, 1)
}

// stream takes a place for a connection; free gives it back.
func (l *limiter) stream(ip netip.Addr, v visitor.Ref) (free func(), ok bool) {
	keys := map[string]int{"a/" + network(ip): l.limits.StreamsPerAddress}
	if v.User != "" {
		keys["v/"+visitorKey(v)] = l.limits.StreamsPerVisitor
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, limit := range keys {
		if l.streams[k] >= limit {
			return nil, false
		}
	}
	for k := range keys {
		l.streams[k]++
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for k := range keys {
			if l.streams[k]--; l.streams[k] == 0 {
				delete(l.streams, k)
			}
		}
	}, true
}

// maxBuckets bounds each of the two generations of buckets.
const maxBuckets = 50_000

// generations keep what was used lately, in bounded memory: when the young one
// is full it becomes the old one, and what was in that is forgotten.
type generations struct{ young, old map[string]*rate.Limiter }

func (g *generations) get(key string) *rate.Limiter {
	if b := g.young[key]; b != nil {
		return b
	}
	b := g.old[key]
	if b != nil {
		g.put(key, b)
	}
	return b
}

func (g *generations) put(key string, b *rate.Limiter) {
	if g.young == nil || len(g.young) >= maxBuckets {
		g.old, g.young = g.young, map[string]*rate.Limiter{}
	}
	g.young[key] = b
}
