package routing

type agentIndex struct{}

type poolPlace struct{}

func (p *pool) indexable() bool                                     { return false }
func (b *Board) pickIndexed(c *class, it *boardItem) (choice, bool) { return choice{}, false }
func (b *Board) rekey(a *boardAgent)                                {}
func (b *Board) leaveIndexes(a *boardAgent)                         {}
func (b *Board) joinIndexes(a *boardAgent)                          {}
func (b *Board) dropIndex(p *pool)                                  {}
