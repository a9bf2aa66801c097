package ticket

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// CategoryID names a category; the library makes it.
type CategoryID string

// TreeKind is one of the three trees of categories (TK1).
type TreeKind string

// The trees: what customers ask about, how tickets were resolved, how chats
// were.
const (
	Intake         TreeKind = "intake"
	Resolution     TreeKind = "resolution"
	ChatResolution TreeKind = "chat_resolution"
)

// Depth is how many levels a tree has at most; 0 for an unknown tree.
func (k TreeKind) Depth() int {
	return map[TreeKind]int{Intake: 5, Resolution: 5, ChatResolution: 3}[k]
}

// Category is one entry of a tree.
type Category struct {
	ID     CategoryID        `json:"id"`
	Parent CategoryID        `json:"parent,omitempty"` // empty: the first level
	Names  map[string]string `json:"names"`            // by language
	// Offered: customers may pick it in the help center. Agents always may.
	Offered bool `json:"offered"`
	// Position orders the categories of one parent; ties go by id.
	Position  int       `json:"position"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// MaxCategories bounds one tree.
const MaxCategories = 2000

// Tree is all categories of one kind in a workspace. The methods that change
// something return the changed tree, or the tree as it was with an error, and leave
// the receiver as it is.
type Tree struct {
	Kind       TreeKind                `json:"kind"`
	Version    int64                   `json:"version"`
	Categories map[CategoryID]Category `json:"categories"`
}

// Level is the level of a category, 1 for the first; 0 when there is none.
func (t Tree) Level(id CategoryID) int { return len(t.Path(id)) }

// Path lists a category with those above it, the first level first; nil when the
// tree has no such category.
func (t Tree) Path(id CategoryID) []Category {
	var path []Category
	for id != "" && len(path) <= MaxCategories {
		c, ok := t.Categories[id]
		if !ok {
			return nil
		}
		path = append(path, c)
		id = c.Parent
	}
	slices.Reverse(path)
	return path
}

// Children lists the categories below a parent (empty: the first level), in
// order.
func (t Tree) Children(parent CategoryID) []Category {
	var out []Category
	for _, c := range t.Categories {
		if c.Parent == parent {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Category) int { return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Walk lists the whole tree, each category before those below it: the rows of a
// download.
func (t Tree) Walk() []Category {
	var out []Category
	var down func(CategoryID)
	down = func(parent CategoryID) {
		for _, c := range t.Children(parent) {
			out = append(out, c)
			down(c.ID)
		}
	}
	down("")
	return out
}

// OfferedTo reports whether customers may pick the category: it and all above
// it are offered.
func (t Tree) OfferedTo(id CategoryID) bool {
	path := t.Path(id)
	return len(path) > 0 && !slices.ContainsFunc(path, func(c Category) bool { return !c.Offered })
}

// Add puts a category into the tree. ErrInvalid for a level below the tree's Depth,
// more than MaxCategories, no name, or one above MaxName characters; ErrNotFound for
// an unknown parent; ErrAlreadyExists for an ID that is empty or taken, and for a
// name that another category of the same parent has in the same language, where
// case and blanks at the ends do not count.
func (t Tree) Add(c Category, now time.Time) (Tree, error) {
	depth := t.Kind.Depth()
	switch _, taken := t.Categories[c.ID]; {
	case depth == 0:
		return t, errs.New(errs.Invalid, "ticket: there is no tree of categories %q", t.Kind)
	case c.ID == "" || taken:
		return t, errs.New(errs.AlreadyExists, "ticket: a category needs an id of its own")
	case len(t.Categories) >= MaxCategories:
		return t, errs.New(errs.Invalid, "ticket: the tree has %d categories; delete some first", MaxCategories)
	case c.Parent != "" && t.Level(c.Parent) == 0:
		return t, errs.New(errs.NotFound, "ticket: there is no category %s to put this one under", c.Parent)
	case t.Level(c.Parent) >= depth:
		return t, errs.New(errs.Invalid, "ticket: a tree of kind %s has at most %d levels", t.Kind, depth)
	}
	c.CreatedAt, c.UpdatedAt = now, now
	return t.with(c)
}

// Change replaces Names, Offered and Position of the category of c's ID. It stays
// where it is in the tree. ErrNotFound for no such category; names are as of Add.
func (t Tree) Change(c Category, now time.Time) (Tree, error) {
	old, ok := t.Categories[c.ID]
	if !ok {
		return t, errs.New(errs.NotFound, "ticket: there is no category %s; a new one is saved without an id", c.ID)
	}
	c.Parent, c.CreatedAt, c.UpdatedAt = old.Parent, old.CreatedAt, now
	return t.with(c)
}

func (t Tree) with(c Category) (Tree, error) {
	if err := checkNames("a category", c.Names); err != nil {
		return t, err
	}
	for _, other := range t.Children(c.Parent) {
		for language, name := range c.Names {
			if other.ID != c.ID && folded(other.Names[language]) == folded(name) {
				return t, errs.New(errs.AlreadyExists, "ticket: category %s of the same level has this name in language %s; choose another",
					other.ID, language)
			}
		}
	}
	c.Names = maps.Clone(c.Names)
	t.Categories = maps.Clone(t.Categories)
	if t.Categories == nil {
		t.Categories = map[CategoryID]Category{}
	}
	t.Categories[c.ID] = c
	return t, nil
}

// Remove takes a category out with all below it and returns the IDs of what went,
// the category's own first. ErrNotFound for no such category.
func (t Tree) Remove(id CategoryID) (Tree, []CategoryID, error) {
	if _, ok := t.Categories[id]; !ok {
		return t, nil, errs.New(errs.NotFound, "ticket: there is no category %s", id)
	}
	gone := []CategoryID{id}
	for i := 0; i < len(gone); i++ {
		for _, c := range t.Children(gone[i]) {
			gone = append(gone, c.ID)
		}
	}
	t.Categories = maps.Clone(t.Categories)
	for _, c := range gone {
		delete(t.Categories, c)
	}
	return t, gone, nil
}
