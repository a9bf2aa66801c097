package storefault

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

func (b *backend) System() driver.System { return &system{y: b.Backend.System(), f: b.f} }

// system counts and breaks every method. It embeds nothing, so that a method
// that System gains cannot be forgotten here.
type system struct {
	y driver.System
	f *Fault
}

func (s *system) CreateWorkspace(ctx context.Context, ws driver.WorkspaceID, name string) error {
	return run(ctx, s.f, "System.CreateWorkspace", false, func(ctx context.Context) error { return s.y.CreateWorkspace(ctx, ws, name) })
}

func (s *system) Workspaces(ctx context.Context, having driver.Having) ([]driver.WorkspaceID, error) {
	return call(ctx, s.f, "System.Workspaces", true, func(ctx context.Context) ([]driver.WorkspaceID, error) {
		return s.y.Workspaces(ctx, having)
	})
}

// owner is what Resolve returns.
type owner struct {
	ws driver.WorkspaceID
	id string
}

func (s *system) Resolve(ctx context.Context, kind string, global []byte) (driver.WorkspaceID, string, error) {
	o, err := call(ctx, s.f, "System.Resolve", true, func(ctx context.Context) (owner, error) {
		ws, id, err := s.y.Resolve(ctx, kind, global)
		return owner{ws, id}, err
	})
	return o.ws, o.id, err
}

func (s *system) ClaimInbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]driver.InboxLane, error) {
	return call(ctx, s.f, "System.ClaimInbox", false, func(ctx context.Context) ([]driver.InboxLane, error) {
		return s.y.ClaimInbox(ctx, node, limit, batch, lease)
	})
}

func (s *system) Release(ctx context.Context, sort driver.News, claims ...driver.LaneRef) error {
	return run(ctx, s.f, "System.Release", true, func(ctx context.Context) error { return s.y.Release(ctx, sort, claims...) })
}

func (s *system) ClaimOutbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]driver.OutboxLane, error) {
	return call(ctx, s.f, "System.ClaimOutbox", false, func(ctx context.Context) ([]driver.OutboxLane, error) {
		return s.y.ClaimOutbox(ctx, node, limit, batch, lease)
	})
}

func (s *system) ClaimJobs(ctx context.Context, node string, limits map[string]int, lease time.Duration) ([]driver.Job, error) {
	return call(ctx, s.f, "System.ClaimJobs", false, func(ctx context.Context) ([]driver.Job, error) {
		return s.y.ClaimJobs(ctx, node, limits, lease)
	})
}

func (s *system) Due(ctx context.Context, limit int) ([]driver.Deadline, error) {
	return call(ctx, s.f, "System.Due", true, func(ctx context.Context) ([]driver.Deadline, error) { return s.y.Due(ctx, limit) })
}

func (s *system) NextDue(ctx context.Context) (driver.Dues, error) {
	return call(ctx, s.f, "System.NextDue", true, s.y.NextDue)
}

// changed is what Changed returns.
type changed struct {
	ws   []driver.WorkspaceID
	next string
}

func (s *system) Changed(ctx context.Context, since string) ([]driver.WorkspaceID, string, error) {
	c, err := call(ctx, s.f, "System.Changed", true, func(ctx context.Context) (changed, error) {
		ws, next, err := s.y.Changed(ctx, since)
		return changed{ws, next}, err
	})
	return c.ws, c.next, err
}

func (s *system) Beat(ctx context.Context, node string, ttl time.Duration) ([]string, error) {
	return call(ctx, s.f, "System.Beat", true, func(ctx context.Context) ([]string, error) { return s.y.Beat(ctx, node, ttl) })
}

func (s *system) Lease(ctx context.Context, name, node string, ttl time.Duration) (int64, error) {
	return call(ctx, s.f, "System.Lease", true, func(ctx context.Context) (int64, error) { return s.y.Lease(ctx, name, node, ttl) })
}

func (s *system) BeatAgents(ctx context.Context, ws driver.WorkspaceID, agents []routing.AgentID) ([]routing.AgentID, error) {
	return call(ctx, s.f, "System.BeatAgents", true, func(ctx context.Context) ([]routing.AgentID, error) {
		return s.y.BeatAgents(ctx, ws, agents)
	})
}

func (s *system) LostAgents(ctx context.Context, before time.Time, limit int) ([]driver.AgentRef, error) {
	return call(ctx, s.f, "System.LostAgents", true, func(ctx context.Context) ([]driver.AgentRef, error) {
		return s.y.LostAgents(ctx, before, limit)
	})
}

func (s *system) Meta(ctx context.Context, key string) ([]byte, error) {
	return call(ctx, s.f, "System.Meta", true, func(ctx context.Context) ([]byte, error) { return s.y.Meta(ctx, key) })
}

func (s *system) PutMeta(ctx context.Context, key string, old, value []byte) error {
	return run(ctx, s.f, "System.PutMeta", false, func(ctx context.Context) error { return s.y.PutMeta(ctx, key, old, value) })
}

func (s *system) Now(ctx context.Context) (time.Time, error) {
	return call(ctx, s.f, "System.Now", true, s.y.Now)
}

func (s *system) Check(ctx context.Context) error {
	return run(ctx, s.f, "System.Check", true, s.y.Check)
}
