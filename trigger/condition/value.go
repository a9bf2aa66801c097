package condition

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxExact bounds whole numbers that a float64 holds exactly.
const maxExact = 1 << 53

// canonical returns the value in the form that JSON brings: nil, string, bool,
// float64, []string or []float64.
func canonical(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool:
		return v, nil
	case string:
		return v, validText(v)
	case []string:
		for _, s := range v {
			if err := validText(s); err != nil {
				return nil, err
			}
		}
		return v, nil
	case float64:
		return v, finite(v)
	case int:
		return exact(int64(v))
	case int64:
		return exact(v)
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case time.Duration:
		return v.String(), nil
	case []float64:
		for _, n := range v {
			if err := finite(n); err != nil {
				return nil, err
			}
		}
		return v, nil
	case []int:
		list := make([]float64, len(v))
		for i, n := range v {
			f, err := exact(int64(n))
			if err != nil {
				return nil, err
			}
			list[i] = f.(float64)
		}
		return list, nil
	}
	return nil, fmt.Errorf("a Go value of type %T: use a string, a number, a bool, a time.Time, a time.Duration or a list of strings or "+
		"numbers", v)
}

func validText(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("a text that is not UTF-8: convert it")
	}
	return nil
}

func finite(n float64) error {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return fmt.Errorf("a number that is not finite: use a finite one")
	}
	return nil
}

func exact(n int64) (any, error) {
	if n > maxExact || n < -maxExact {
		return nil, fmt.Errorf("a number beyond 2^53 loses digits: use a text or id field")
	}
	return float64(n), nil
}

// decodeValue reads the JSON of a value into its canonical form.
func decodeValue(data json.RawMessage) (any, error) {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	switch v := v.(type) {
	case nil, string, bool, float64:
		return v, nil
	case []any:
		return decodeList(v)
	}
	return nil, fmt.Errorf("an object: use a string, a number, true or false, or a list of strings or of numbers")
}

func decodeList(list []any) (any, error) {
	if len(list) > MaxValues {
		return nil, fmt.Errorf("%d values: keep at most %d", len(list), MaxValues)
	}
	texts, numbers := make([]string, 0, len(list)), make([]float64, 0, len(list))
	for _, v := range list {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case float64:
			numbers = append(numbers, v)
		}
	}
	switch len(list) {
	case len(texts):
		return texts, nil
	case len(numbers):
		return numbers, nil
	}
	return nil, fmt.Errorf("a list that is not all strings or all numbers: use one kind, without null, lists or objects")
}

// parseTime reads an RFC 3339 time into microseconds of Unix time.
func parseTime(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf(`not a time: use RFC 3339 such as "2026-01-31T09:00:00+09:00"`)
	}
	return t.UnixMicro(), nil
}

// parseDuration reads "90m", "36h" or whole days such as "3d" into
// nanoseconds.
func parseDuration(s string) (int64, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err == nil {
			return int64(n) * int64(24*time.Hour), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf(`not a duration: use "90m", "36h" or "3d", not negative`)
	}
	return int64(d), nil
}
