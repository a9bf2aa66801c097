package ticket

import (
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Order is an order in which tickets are listed.
type Order string

// The orders. ByDue lists only tickets with a running clock.
const (
	ByUpdated  Order = "updated"
	ByCreated  Order = "created"
	ByNumber   Order = "number"
	ByPriority Order = "priority" // then by number
	ByDue      Order = "due"
)

// Orders lists them.
func Orders() []Order { return []Order{ByUpdated, ByCreated, ByNumber, ByPriority, ByDue} }

// View is a saved list of tickets (TK10).
type View struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Name    string `json:"name"`
	// Owner is the agent whose own view it is; empty: everybody's.
	Owner AgentID             `json:"owner,omitempty"`
	When  condition.Condition `json:"when"`
	// Order is ByUpdated when empty. Desc begins with the newest or highest, else the
	// oldest or lowest comes first.
	Order Order `json:"order,omitempty"`
	Desc  bool  `json:"desc,omitempty"`
	// Columns are names of fields of conditions (SchemaFields), in the order of the
	// table, at most 30.
	Columns []string `json:"columns,omitempty"`
}

// maxColumns bounds a view.
const maxColumns = 30

// Validate checks a view against the fields of tickets (SchemaFields). The error is
// ErrInvalid and says what to change.
func (v View) Validate(schema *condition.Schema) error {
	if err := checkText("a view's name", v.Name, 1, MaxName); err != nil {
		return err
	}
	switch {
	case v.ID == "":
		return errs.New(errs.Invalid, "ticket: a view needs an id")
	case v.Order != "" && !slices.Contains(Orders(), v.Order):
		return errs.New(errs.Invalid, "ticket: a view cannot be ordered by %q; use one of %v", clip(string(v.Order)), Orders())
	case len(v.Columns) > maxColumns:
		return errs.New(errs.Invalid, "ticket: a view has %d columns; use at most %d", len(v.Columns), maxColumns)
	}
	for _, c := range v.Columns {
		if _, ok := schema.Field(c); !ok {
			return errs.New(errs.Invalid, "ticket: a view has a column %q, which is no field of tickets", clip(c))
		}
	}
	return v.When.Validate(schema)
}
