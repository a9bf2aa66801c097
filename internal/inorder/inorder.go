// Package inorder decodes rows side by side and hands them on in the order in which
// they came.
package inorder

import "runtime"

// together is how many rows one goroutine decodes at a time.
const together = 512

// Decoder reads very many rows: what adds them reads, as many goroutines as may run
// decode, which takes longer, and the values are handed on meanwhile, by the goroutine
// that adds. Few rows cost no goroutine. Its buffers are used again and again, so that
// a list of all is nowhere. Not for two goroutines at once.
type Decoder[T any] struct {
	decode func(doc []byte, numbers [2]int64, into *T) error
	each   func(T)
	part   *part[T]   // that rows are added to
	under  []*part[T] // that are decoded or wait to be handed on, the oldest first
	spare  []*part[T]
}

// New makes a Decoder. decode runs on several goroutines at once and writes to a zero
// value; it keeps nothing of doc. each runs on the one that calls Add and End.
func New[T any](decode func(doc []byte, numbers [2]int64, into *T) error, each func(T)) *Decoder[T] {
	return &Decoder[T]{decode: decode, each: each}
}

// part are rows that one goroutine decodes.
type part[T any] struct {
	docs    []byte
	rows    []row
	values  []T
	decoded chan error // one, for all of them
}

type row struct {
	end     int // of its document in docs
	numbers [2]int64
}

// Add takes a row: doc, which is copied, and the numbers that come with it. The error
// is that of a row before.
func (d *Decoder[T]) Add(doc []byte, numbers [2]int64) error {
	p := d.part
	if p == nil {
		p = d.fresh()
		d.part = p
	}
	p.docs = append(p.docs, doc...)
	p.rows = append(p.rows, row{len(p.docs), numbers})
	if len(p.rows) < together {
		return nil
	}
	d.part = nil
	d.under = append(d.under, p)
	go func() { p.decoded <- p.all(d.decode) }()
	return d.handOn(2 * runtime.GOMAXPROCS(0))
}

// End hands on what is left.
func (d *Decoder[T]) End() error {
	if err := d.handOn(1); err != nil || d.part == nil {
		return err
	}
	err := d.part.all(d.decode)
	if err == nil {
		d.give(d.part)
	}
	d.part = nil
	return err
}

func (d *Decoder[T]) fresh() *part[T] {
	if n := len(d.spare); n > 0 {
		p := d.spare[n-1]
		d.spare = d.spare[:n-1]
		return p
	}
	return &part[T]{decoded: make(chan error, 1)}
}

// handOn hands on what is decoded, and waits until fewer than most parts are not.
func (d *Decoder[T]) handOn(most int) error {
	for len(d.under) > 0 {
		p := d.under[0]
		var err error
		if len(d.under) >= most {
			err = <-p.decoded
		} else {
			select {
			case err = <-p.decoded:
			default:
				return nil
			}
		}
		if err != nil {
			return err
		}
		d.under = d.under[1:]
		d.give(p)
		d.spare = append(d.spare, p)
	}
	return nil
}

// give hands on the values of a part and empties it.
func (d *Decoder[T]) give(p *part[T]) {
	for i := range p.rows {
		d.each(p.values[i])
	}
	clear(p.values)
	p.docs, p.rows = p.docs[:0], p.rows[:0]
}

// all decodes the rows up to one that cannot be.
func (p *part[T]) all(decode func([]byte, [2]int64, *T) error) error {
	if cap(p.values) < len(p.rows) {
		p.values = make([]T, len(p.rows))
	}
	p.values = p.values[:len(p.rows)]
	begin := 0
	for i, r := range p.rows {
		if err := decode(p.docs[begin:r.end], r.numbers, &p.values[i]); err != nil {
			return err
		}
		begin = r.end
	}
	return nil
}
