package jsondoc

import "reflect"

// ByPlan says that a document is read by the plan of what p points to.
func ByPlan(doc []byte, p any) bool { return quick(doc, p).read }

// WrittenByPlan says that values of a type are written by a plan, and not by the
// standard writer as a whole.
func WrittenByPlan(t reflect.Type) bool { return writerOf(t) != nil }
