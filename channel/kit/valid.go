package kit

// Valid reports that raw is one JSON value, as json.Valid has it, whose brackets
// nest at most depth deep. It is one pass over bytes of which nothing is known,
// several times faster than the two that it stands for; depth bounds what it
// recurses.
func Valid(raw []byte, depth int) bool {
	end := checkValue(raw, skipBlank(raw, 0), depth)
	return end > 0 && skipBlank(raw, end) == len(raw)
}

// checkValue goes behind the value that begins at i; 0 where there is none.
func checkValue(raw []byte, i, depth int) int {
	if i >= len(raw) {
		return 0
	}
	switch raw[i] {
	case '"':
		return checkString(raw, i)
	case '{', '[':
		if depth < 1 {
			return 0
		}
		return checkNested(raw, i, depth-1)
	case 't':
		return checkWord(raw, i, "true")
	case 'f':
		return checkWord(raw, i, "false")
	case 'n':
		return checkWord(raw, i, "null")
	}
	return checkNumber(raw, i)
}

func checkWord(raw []byte, i int, word string) int {
	if len(raw)-i < len(word) || string(raw[i:i+len(word)]) != word {
		return 0
	}
	return i + len(word)
}

// checkNested goes from the opening bracket behind the closing one.
func checkNested(raw []byte, i, depth int) int {
	object := raw[i] == '{'
	closing := raw[i] + 2 // in ASCII, of both kinds
	i = skipBlank(raw, i+1)
	if i < len(raw) && raw[i] == closing {
		return i + 1
	}
	for {
		if object {
			if i = checkKey(raw, i); i == 0 {
				return 0
			}
		}
		if i = checkValue(raw, i, depth); i == 0 {
			return 0
		}
		i = skipBlank(raw, i)
		switch {
		case i >= len(raw):
			return 0
		case raw[i] == closing:
			return i + 1
		case raw[i] != ',':
			return 0
		}
		i = skipBlank(raw, i+1)
	}
}

// checkKey goes from a member's name to its value.
func checkKey(raw []byte, i int) int {
	if i >= len(raw) || raw[i] != '"' {
		return 0
	}
	if i = checkString(raw, i); i == 0 {
		return 0
	}
	if i = skipBlank(raw, i); i >= len(raw) || raw[i] != ':' {
		return 0
	}
	return skipBlank(raw, i+1)
}

// checkString goes from the opening quote behind the closing one. What is not
// UTF-8 is left to whoever reads the string.
func checkString(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return 0
		case c == '\\':
			if i = checkEscape(raw, i+1); i == 0 {
				return 0
			}
		}
	}
	return 0
}

// checkEscape goes from behind a backslash to the last byte of the escape.
func checkEscape(raw []byte, i int) int {
	if i >= len(raw) {
		return 0
	}
	switch raw[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
		if len(raw)-i < 5 {
			return 0
		}
		for _, c := range raw[i+1 : i+5] {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return 0
			}
		}
		return i + 4
	}
	return 0
}

func checkNumber(raw []byte, i int) int {
	if i < len(raw) && raw[i] == '-' {
		i++
	}
	whole := i
	if i = skipDigits(raw, i); i == whole || raw[whole] == '0' && i > whole+1 {
		return 0
	}
	if i < len(raw) && raw[i] == '.' {
		part := i + 1
		if i = skipDigits(raw, part); i == part {
			return 0
		}
	}
	if i < len(raw) && raw[i]|0x20 == 'e' {
		if i++; i < len(raw) && (raw[i] == '+' || raw[i] == '-') {
			i++
		}
		power := i
		if i = skipDigits(raw, power); i == power {
			return 0
		}
	}
	return i
}

func skipDigits(raw []byte, i int) int {
	for i < len(raw) && raw[i] >= '0' && raw[i] <= '9' {
		i++
	}
	return i
}
