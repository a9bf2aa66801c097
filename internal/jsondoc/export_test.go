package jsondoc

// ByPlan says that a document is read by the plan of what p points to.
func ByPlan(doc []byte, p any) bool { return quick(doc, p).read }
