// Package export writes tables for people: CSV that Excel opens as it is, and
// Excel itself, with real dates and numbers in the reader's time zone. Texts
// that customers wrote cannot become formulas.
//
// The rows come as a sequence and are written as they come, so that a long table
// needs no memory of its size. Tickets and Categories make the tables of the
// library's own lists, which hold what the list on the screen holds.
//
// It is not a backup: a backup of conversations with their files is Engine.BackUp.
package export

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/sangdam/sangdam/internal/errs"
)

// Kind is what the cells of a column hold.
type Kind int

// The kinds. A cell that is nil is empty in every column.
const (
	Text   Kind = iota // string
	Number             // int, int64 or float64
	Time               // time.Time, shown to the second in the reader's zone
	Date               // time.Time, shown as the day that it names
	Yes                // bool, shown as yes or nothing
)

// Column is a column of a table.
type Column struct {
	Title string
	Kind  Kind
}

// Table says how rows are written.
type Table struct {
	// Name of the sheet; empty: "Sheet1". Excel takes 31 characters of it.
	Name    string
	Columns []Column
	// Zone is the reader's; nil: UTC.
	Zone *time.Location
}

// Rows are the cells of one row after another; an error ends the table.
type Rows = iter.Seq2[[]any, error]

// Limits of one table, which are Excel's.
const (
	MaxRows = 1_048_575 // beside the titles; more are ErrInvalid
	MaxText = 32_767    // UTF-16 units of a cell; longer texts are cut and end in " […]"
)

const (
	timeLayout = "2006-01-02 15:04:05"
	dateLayout = "2006-01-02"
	cutMark    = " […]"
)

// CSV writes the table as UTF-8 with a byte order mark, by which Excel knows it.
// Texts that a spreadsheet would take for a formula, phone numbers with a plus
// among them, get an apostrophe in front, so that they are read and not computed.
// ErrInvalid for a row with another number of cells than there are columns, and for a
// cell that is not of its column's Kind; an error of w or of rows is returned. What
// came before an error may have been written.
func CSV(w io.Writer, t Table, rows Rows) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	line := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		line[i] = harmless(c.Title)
	}
	if err := out.Write(line); err != nil {
		return err
	}
	err := each(t, rows, func(_ int, cells []any) error {
		for i, c := range cells {
			line[i] = t.plain(t.Columns[i].Kind, c)
		}
		return out.Write(line)
	})
	out.Flush()
	if err != nil {
		return err
	}
	return out.Error()
}

// Excel writes the table as a workbook with one sheet. Texts are text cells,
// which Excel never computes. Errors are as of CSV, but nothing is written to w before
// all rows have come.
func Excel(w io.Writer, t Table, rows Rows) error {
	book := excelize.NewFile()
	defer book.Close()
	sheet := "Sheet1"
	if t.Name != "" {
		name := sheetName(t.Name)
		if err := book.SetSheetName(sheet, name); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		sheet = name
	}
	styles, err := newStyles(book)
	if err != nil {
		return err
	}
	out, err := book.NewStreamWriter(sheet)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	line := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		line[i] = excelize.Cell{StyleID: styles.title, Value: written(c.Title)}
	}
	if err := out.SetRow("A1", line); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	err = each(t, rows, func(n int, cells []any) error {
		for i, c := range cells {
			line[i] = styles.cell(t, t.Columns[i].Kind, c)
		}
		at, err := excelize.CoordinatesToCellName(1, n+2)
		if err != nil {
			return err
		}
		return out.SetRow(at, line)
	})
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return book.Write(w)
}

// each checks rows and hands them on.
func each(t Table, rows Rows, fn func(n int, cells []any) error) error {
	n := 0
	for cells, err := range rows {
		switch {
		case err != nil:
			return err
		case n == MaxRows:
			return errs.New(errs.Invalid, "export: the table has more than %d rows; narrow the filter", MaxRows)
		case len(cells) != len(t.Columns):
			return errs.New(errs.Invalid, "export: row %d has %d cells for %d columns", n+1, len(cells), len(t.Columns))
		}
		for i, c := range cells {
			if !t.Columns[i].Kind.takes(c) {
				return errs.New(errs.Invalid, "export: row %d, column %q: a %T does not fit", n+1, t.Columns[i].Title, c)
			}
		}
		if err := fn(n, cells); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		n++
	}
	return nil
}

func (k Kind) takes(cell any) bool {
	switch cell.(type) {
	case nil:
		return true
	case string:
		return k == Text
	case int, int64, float64:
		return k == Number
	case time.Time:
		return k == Time || k == Date
	case bool:
		return k == Yes
	}
	return false
}

// plain is a cell in CSV.
func (t Table) plain(k Kind, cell any) string {
	switch v := cell.(type) {
	case string:
		return harmless(written(v))
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		if v {
			return "yes"
		}
	case time.Time:
		switch {
		case v.IsZero():
		case k == Date:
			return v.Format(dateLayout)
		default:
			return t.local(v).Format(timeLayout)
		}
	}
	return ""
}

func (t Table) local(at time.Time) time.Time {
	if t.Zone == nil {
		return at.UTC()
	}
	return at.In(t.Zone)
}

// harmless keeps a spreadsheet from computing a text: it looks at the first
// character, after blanks, also in its full-width form.
func harmless(s string) string {
	lead := strings.TrimLeft(s, " \u00a0\u3000")
	if lead == "" || !strings.ContainsAny(lead[:firstSize(lead)], "=+-@\t\r\n|%＝＋－＠") {
		return s
	}
	return "'" + s
}

func firstSize(s string) int {
	_, size := utf8.DecodeRuneInString(s)
	return size
}

// written is a text as a cell can hold it: valid, without control characters
// but line breaks and tabs, and not too long.
func written(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	units := 0
	for i, r := range s {
		if units++; r > 0xFFFF {
			units++
		}
		if units > MaxText-len(cutMark) && len(s)-i > len(cutMark) {
			return s[:i] + cutMark
		}
	}
	return s
}

// sheetName is a name that Excel takes.
func sheetName(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]'`, r) || r < ' ' {
			return '-'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 31 {
		s = string(r[:31])
	}
	return s
}

// styles are the formats of a workbook.
type styles struct{ title, time, date int }

func newStyles(book *excelize.File) (s styles, err error) {
	format := func(f string) (int, error) { return book.NewStyle(&excelize.Style{CustomNumFmt: &f}) }
	if s.title, err = book.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}}); err != nil {
		return s, err
	}
	if s.time, err = format("yyyy-mm-dd hh:mm:ss"); err != nil {
		return s, err
	}
	s.date, err = format("yyyy-mm-dd")
	return s, err
}

// cell is a cell in Excel. A time has no zone there: it is the reader's wall
// clock.
func (s styles) cell(t Table, k Kind, cell any) any {
	switch v := cell.(type) {
	case string:
		return written(v)
	case bool:
		return t.plain(k, v)
	case time.Time:
		if v.IsZero() {
			return nil
		}
		style := s.time
		if k == Date {
			style = s.date
		} else {
			v = t.local(v)
		}
		y, m, d := v.Date()
		wall := time.Date(y, m, d, v.Hour(), v.Minute(), v.Second(), 0, time.UTC)
		return excelize.Cell{StyleID: style, Value: wall}
	}
	return cell
}
