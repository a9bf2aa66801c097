package conversation

import "time"

// Closure is when what is rated ended; zero while nothing has.
func (c Conversation) Closure() time.Time {
	if c.WrapUpAt.IsZero() {
		return c.ClosedAt
	}
	return c.WrapUpAt
}

// RatedThisEnd says whether the customer has rated the last ending.
func (c Conversation) RatedThisEnd() bool {
	return c.Rating != nil && c.Rating.Closure.Equal(c.Closure())
}

// AwaitsComment says that the customer announced a comment on the rating of the
// last ending, and may still write it.
func (c Conversation) AwaitsComment(now time.Time) bool {
	return c.RatedThisEnd() && now.Before(c.Rating.CommentUntil)
}
