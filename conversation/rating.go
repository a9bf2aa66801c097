package conversation

import "time"

// Closure returns when the conversation last ended, which is what a rating is
// about; zero when it has never ended.
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

// AwaitsComment says that the customer has asked to comment on the rating of
// the last ending, and that the time for that comment is not over.
func (c Conversation) AwaitsComment(now time.Time) bool {
	return c.RatedThisEnd() && now.Before(c.Rating.CommentUntil)
}
