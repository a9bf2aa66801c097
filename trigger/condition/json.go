package condition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sangdam/sangdam/internal/errs"
)

type conditionJSON struct {
	Version int      `json:"version"`
	All     []Clause `json:"all,omitempty"`
	Any     []Clause `json:"any,omitempty"`
}

type clauseJSON struct {
	Field string   `json:"field,omitempty"`
	Op    Op       `json:"op,omitempty"`
	Value any      `json:"value,omitempty"`
	All   []Clause `json:"all,omitempty"`
	Any   []Clause `json:"any,omitempty"`
}

// MarshalJSON writes the condition with its version:
// {"version":1,"all":[{"field":"channel","op":"is","value":"line"}]}.
func (c Condition) MarshalJSON() ([]byte, error) {
	return json.Marshal(conditionJSON{Version, c.All, c.Any})
}

// MarshalJSON writes the clause with its value in canonical form.
func (c Clause) MarshalJSON() ([]byte, error) {
	v, err := canonical(c.Value)
	if err != nil {
		return nil, errs.New(errs.Invalid, "condition: the value of %s: %w", shown(c.Field), err)
	}
	return json.Marshal(clauseJSON{c.Field, c.Op, v, c.All, c.Any})
}

// UnmarshalJSON reads what MarshalJSON wrote. It is strict: unknown and
// repeated keys, keys in another case, wrong types, a version of a later
// program, more than MaxJSON bytes and more than MaxDepth groups are
// ErrInvalid. Whether fields and operators exist is for Validate to say.
func (c *Condition) UnmarshalJSON(data []byte) error {
	if len(data) > MaxJSON {
		return invalid("condition", "%d bytes of JSON: keep at most %d", len(data), MaxJSON)
	}
	var read Condition
	var v int
	err := eachKey("condition", data, func(key string, raw json.RawMessage) (err error) {
		switch key {
		case "version":
			err = decodeInto("version", "a whole number", raw, &v)
		case "all":
			read.All, err = decodeClauses("all", raw, 1)
		case "any":
			read.Any, err = decodeClauses("any", raw, 1)
		default:
			err = invalid("condition", "unknown key %s: use version, all, any", shown(key))
		}
		return err
	})
	if err != nil {
		return err
	}
	if v != Version {
		return invalid("version", "%d: this program reads version %d", v, Version)
	}
	*c = read
	return nil
}

// UnmarshalJSON reads a single clause as strictly as Condition does.
func (c *Clause) UnmarshalJSON(data []byte) error {
	read, err := decodeClause("clause", data, 1)
	if err == nil {
		*c = read
	}
	return err
}

func decodeClauses(path string, data json.RawMessage, depth int) ([]Clause, error) {
	var raws []json.RawMessage
	if err := decodeInto(path, "a list of clauses", data, &raws); err != nil {
		return nil, err
	}
	if len(raws) > MaxClauses {
		return nil, invalid(path, "%d clauses: keep at most %d", len(raws), MaxClauses)
	}
	var clauses []Clause
	for i, raw := range raws {
		clause, err := decodeClause(fmt.Sprintf("%s[%d]", path, i), raw, depth)
		if err != nil {
			return nil, err
		}
		clauses = append(clauses, clause)
	}
	return clauses, nil
}

func decodeClause(path string, data json.RawMessage, depth int) (c Clause, err error) {
	if depth > MaxDepth {
		return Clause{}, invalid(path, "groups nested more than %d deep: flatten them", MaxDepth)
	}
	err = eachKey(path, data, func(key string, raw json.RawMessage) (err error) {
		switch key {
		case "field":
			err = decodeInto(path+".field", "a string", raw, &c.Field)
		case "op":
			err = decodeInto(path+".op", "a string", raw, &c.Op)
		case "value":
			if c.Value, err = decodeValue(raw); err != nil {
				err = invalid(path+".value", "%w", err)
			}
		case "all":
			c.All, err = decodeClauses(path+".all", raw, depth+1)
		case "any":
			c.Any, err = decodeClauses(path+".any", raw, depth+1)
		default:
			err = invalid(path, "unknown key %s: use field, op, value, or all, any", shown(key))
		}
		return err
	})
	return c, err
}

// decodeInto reads raw into a value that is never null.
func decodeInto(path, want string, raw json.RawMessage, into any) error {
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) || json.Unmarshal(raw, into) != nil {
		return invalid(path, "not %s", want)
	}
	return nil
}

// eachKey calls f for each member of a JSON object and refuses repeated keys.
func eachKey(path string, data []byte, f func(key string, raw json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return invalid(path, "not a JSON object")
	}
	seen := make(map[string]bool)
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return invalid(path, "not a JSON object")
		}
		if seen[key] {
			return invalid(path, "key %s stands twice: remove one", shown(key))
		}
		seen[key] = true
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return invalid(path, "not a JSON object")
		}
		if err := f(key, raw); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return invalid(path, "not a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid(path, "more than one JSON value: remove what follows the object")
	}
	return nil
}

// Parse reads the JSON form of a condition; see Condition.UnmarshalJSON.
func Parse(data []byte) (Condition, error) {
	var c Condition
	err := c.UnmarshalJSON(data)
	return c, err
}
