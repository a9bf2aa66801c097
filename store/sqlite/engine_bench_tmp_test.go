package sqlite
import ("testing";"fmt")
func BenchmarkTmp(b *testing.B) {
	for _, only := range []bool{true,false} {
	for _, fresh := range []bool{false,true} {
		b.Run(fmt.Sprint("only=",only,"/new=",fresh), func(b *testing.B){
		db := openTest(b, Options{})
		s := newEngineBench(b, db, only)
		s.run(b)
		n:=0
		gen := func(k int) []signedBody { var out []signedBody; for range k { n++; u := n%64; if fresh {u=n}; out=append(out,s.textEvent(benchUser(u),n)) }; return out }
		if _, err := s.deliver(gen(64)); err != nil { b.Fatal(err) }
		before := db.Stats()
		total:=0
		for b.Loop() { ms := gen(5000); b.StopTimer(); b.StartTimer(); if _, err := s.deliver(ms); err != nil { b.Fatal(err) }; total+=5000 }
		a := db.Stats()
		b.ReportMetric(float64(total)/b.Elapsed().Seconds(),"msgs/s")
		b.ReportMetric(float64(a.Commits-before.Commits)/float64(total),"commits/msg")
		b.ReportMetric(float64(a.Updates-before.Updates)/float64(total),"updates/msg")
		b.ReportMetric(float64(a.RowsRead-before.RowsRead)/float64(total),"rows/msg")
		b.ReportMetric(float64(a.Wakes-before.Wakes)/float64(total),"wakes/msg")
		})
	}}
}
