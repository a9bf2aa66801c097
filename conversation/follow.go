package conversation

import "time"

// SetFollow records a follow or unfollow by the event's own time: a late event
// never undoes a newer one, and at the same time an unfollow counts, so that
// the order of arrival never matters. It reports whether the state changed.
func (i *Identity) SetFollow(follows bool, at time.Time) bool {
	if at.Before(i.FollowsAt) || (at.Equal(i.FollowsAt) && i.Follows != nil && follows) {
		return false
	}
	changed := i.Follows == nil || *i.Follows != follows
	i.Follows, i.FollowsAt = &follows, at
	return changed
}
