package export_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/web/export"
)

// rows makes a sequence of some rows.
func rows(all ...[]any) export.Rows {
	return func(yield func([]any, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

var seoul = time.FixedZone("KST", 9*3600)

// parsed reads CSV back.
func parsed(t *testing.T, b []byte) [][]string {
	t.Helper()
	require.True(t, bytes.HasPrefix(b, []byte("\xef\xbb\xbf")), "Excel knows UTF-8 by its mark")
	all, err := csv.NewReader(bytes.NewReader(b[3:])).ReadAll()
	require.NoError(t, err)
	return all
}

// opened reads a workbook back, as raw values.
func opened(t *testing.T, b []byte) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(b))
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestNothingIsComputed: texts of customers are text in both forms.
func TestNothingIsComputed(t *testing.T) {
	table := export.Table{Columns: []export.Column{{Title: "text"}}}
	evil := []string{"=cmd()", "+82 10 1234 5678", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝cmd()", "　+1", "|x", "%x"}
	harmless := []string{"plain", "a=b", "안녕하세요", "12", "it's"}
	var in [][]any
	for _, s := range slices.Concat(evil, harmless) {
		in = append(in, []any{s})
	}
	var out, book bytes.Buffer
	require.NoError(t, export.CSV(&out, table, rows(in...)))
	for i, line := range parsed(t, out.Bytes())[1:] {
		if i < len(evil) {
			require.True(t, strings.HasPrefix(line[0], "'"), "%q", line[0])
			continue
		}
		require.Equal(t, harmless[i-len(evil)], line[0])
	}
	require.NoError(t, export.Excel(&book, table, rows(in...)))
	f := opened(t, book.Bytes())
	for i, s := range evil {
		at, err := excelize.CoordinatesToCellName(1, i+2)
		require.NoError(t, err)
		formula, err := f.GetCellFormula("Sheet1", at)
		require.NoError(t, err)
		require.Empty(t, formula)
		got, err := f.GetCellValue("Sheet1", at)
		require.NoError(t, err)
		require.Equal(t, strings.ReplaceAll(s, "\r", ""), got, "readable as it is")
	}
}

// TestDatesAndNumbersAreReal in the reader's time zone.
func TestDatesAndNumbersAreReal(t *testing.T) {
	at := time.Date(2026, 3, 2, 23, 30, 0, 0, time.UTC)
	table := export.Table{Name: "a/b", Zone: seoul,
		Columns: []export.Column{{"at", export.Time}, {"n", export.Number}, {"day", export.Date},
			{"yes", export.Yes}}}
	row := []any{at, 1.5, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), true}
	var out, book bytes.Buffer
	require.NoError(t, export.CSV(&out, table, rows(row, []any{nil, nil, nil, nil})))
	require.Equal(t, []string{"2026-03-03 08:30:00", "1.5", "2026-03-02", "yes"}, parsed(t, out.Bytes())[1])
	require.NoError(t, export.Excel(&book, table, rows(row, []any{nil, nil, nil, nil})))
	f := opened(t, book.Bytes())
	for cell, want := range map[string]string{"A2": "2026-03-03 08:30:00", "B2": "1.5", "C2": "2026-03-02", "D2": "yes", "A3": ""} {
		got, err := f.GetCellValue("a-b", cell)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	raw, err := f.GetCellValue("a-b", "A2", excelize.Options{RawCellValue: true})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(raw, "46084.35"), "a number of days: %s", raw)
}

// TestBadRowsEndTheTable with a clear error.
func TestBadRowsEndTheTable(t *testing.T) {
	table := export.Table{Columns: []export.Column{{"n", export.Number}}}
	for name, r := range map[string]export.Rows{"too many cells": rows([]any{1, 2}), "a text as a number": rows([]any{"1"}),
		"another type": rows([]any{[]byte("x")})} {
		require.ErrorIs(t, export.CSV(&bytes.Buffer{}, table, r), sangdam.ErrInvalid, name)
		require.ErrorIs(t, export.Excel(&bytes.Buffer{}, table, r), sangdam.ErrInvalid, name)
	}
	gone := errors.New("gone")
	failing := func(yield func([]any, error) bool) { yield(nil, gone) }
	require.ErrorIs(t, export.CSV(&bytes.Buffer{}, table, failing), gone)
	require.ErrorIs(t, export.Excel(&bytes.Buffer{}, table, failing), gone)
}

// TestLongTextsAreCut and say so.
func TestLongTextsAreCut(t *testing.T) {
	table := export.Table{Columns: []export.Column{{Title: "text"}}}
	var book bytes.Buffer
	require.NoError(t, export.Excel(&book, table, rows([]any{strings.Repeat("가", 40_000) + "\x00"}, []any{"a\x01b\nc"})))
	f := opened(t, book.Bytes())
	got, err := f.GetCellValue("Sheet1", "A2")
	require.NoError(t, err)
	require.LessOrEqual(t, len([]rune(got)), export.MaxText)
	require.True(t, strings.HasSuffix(got, "[…]"))
	got, err = f.GetCellValue("Sheet1", "A3")
	require.NoError(t, err)
	require.Equal(t, "ab\nc", got)
}

// TestTheExportIsTheList: the same tickets in the same order, names in the
// reader's language, nothing of encrypted fields.
func TestTheExportIsTheList(t *testing.T) {
	ctx := context.Background()
	keys, err := seal.Ephemeral()
	require.NoError(t, err)
	eng, err := sangdam.New(sangdam.Config{DB: memory.New(memory.Options{}), Sealer: keys})
	require.NoError(t, err)
	host := sangdam.Host("w")
	require.NoError(t, eng.CreateWorkspace(ctx, "w", "W"))
	refund, err := eng.SaveCategory(ctx, host, sangdam.SaveCategory{Tree: ticket.Intake,
		Category: ticket.Category{Names: map[string]string{"en": "Refund", "ko": "환불"}, Offered: true}})
	require.NoError(t, err)
	for i, f := range []ticket.Field{{Code: "paid", Kind: ticket.AgentField, Type: ticket.Number, Names: map[string]string{"ko": "금액"}},
		{Code: "card", Kind: ticket.AgentField, Type: ticket.Text, Encrypted: true, Names: map[string]string{"ko": "카드"}}} {
		_, err = eng.SaveField(ctx, host, sangdam.SaveField{Version: int64(i), Field: f})
		require.NoError(t, err)
	}
	n := 12000.0
	for range 450 {
		_, err = eng.OpenTicket(ctx, host, sangdam.OpenTicket{Title: "=1+1", Category: ticket.CategoryID(refund.ID),
			Requester: ticket.Requester{Phone: "+82101234"},
			Fields:    map[string]ticket.Value{"paid": {Number: &n}, "card": {Text: "4111"}}})
		require.NoError(t, err)
	}
	table, all, err := export.Tickets(ctx, eng, host, sangdam.TicketFilter{Order: ticket.ByNumber, Desc: true},
		export.Options{Language: "ko", Zone: seoul, Columns: []string{"number", "title", "category", "requester_phone", "field.paid",
			"field.card"}})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, export.CSV(&out, table, all))
	got := parsed(t, out.Bytes())
	require.Len(t, got, 451)
	require.Equal(t, []string{"number", "title", "category", "requester_phone", "금액", "카드"}, got[0])
	require.Equal(t, []string{"450", "'=1+1", "환불", "'+82101234", "12000", ""}, got[1])
	require.Equal(t, "1", got[450][0])

	_, err = eng.DeleteField(ctx, host, sangdam.DeleteField{Version: 2, Code: "paid"})
	require.NoError(t, err)
	table, all, err = export.Tickets(ctx, eng, host, sangdam.TicketFilter{Number: 7},
		export.Options{Language: "ko", Columns: []string{"field.paid"}})
	require.NoError(t, err)
	out.Reset()
	require.NoError(t, export.CSV(&out, table, all))
	require.Equal(t, [][]string{{"paid"}, {"12000"}}, parsed(t, out.Bytes()), "a deleted field is exported under its code")
}

// TestCategoriesAreDownloaded: in both forms a tree has the id that the library
// gave, the names of every language, level, parent, whether customers are offered
// it, and when it was made and changed, as real dates in the reader's zone.
func TestCategoriesAreDownloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, host := t.Context(), sangdam.Host("w")
		keys, err := seal.Ephemeral()
		require.NoError(t, err)
		eng, err := sangdam.New(sangdam.Config{DB: memory.New(memory.Options{Now: time.Now}), Sealer: keys})
		require.NoError(t, err)
		require.NoError(t, eng.CreateWorkspace(ctx, "w", "W"))
		save := func(version int64, c ticket.Category) ticket.CategoryID {
			saved, err := eng.SaveCategory(ctx, host, sangdam.SaveCategory{Tree: ticket.Intake, Version: version, Category: c})
			require.NoError(t, err)
			return ticket.CategoryID(saved.ID)
		}
		refund := ticket.Category{Names: map[string]string{"en": "Refund", "ko": "환불"}, Offered: true}
		refund.ID = save(0, refund)
		late := save(1, ticket.Category{Parent: refund.ID, Names: map[string]string{"en": "=Late", "ko": "늦음"}})
		time.Sleep(36 * time.Hour)
		refund.Names = map[string]string{"en": "Refunds", "ko": "환불"}
		save(2, refund)
		setup, err := eng.TicketSetup(ctx, host)
		require.NoError(t, err)
		table, all := export.Categories(setup.Trees[ticket.Intake], []string{"en", "ko"}, seoul)
		head := []string{"id", "name (en)", "name (ko)", "level", "parent", "offered", "made", "changed"}
		// The bubble's clock begins at midnight of 2000-01-01 in UTC.
		made, changed := "2000-01-01 09:00:00", "2000-01-02 21:00:00"
		var out, book bytes.Buffer
		require.NoError(t, export.CSV(&out, table, all))
		require.Equal(t, [][]string{head, {string(refund.ID), "Refunds", "환불", "1", "", "yes", made, changed},
			{string(late), "'=Late", "늦음", "2", string(refund.ID), "", made, made}}, parsed(t, out.Bytes()))
		require.NoError(t, export.Excel(&book, table, all))
		f := opened(t, book.Bytes())
		rows, err := f.GetRows(string(ticket.Intake))
		require.NoError(t, err)
		require.Equal(t, [][]string{head, {string(refund.ID), "Refunds", "환불", "1", "", "yes", made, changed},
			{string(late), "=Late", "늦음", "2", string(refund.ID), "", made, made}}, rows)
		raw := func(cell string) string {
			got, err := f.GetCellValue(string(ticket.Intake), cell, excelize.Options{RawCellValue: true})
			require.NoError(t, err)
			return got
		}
		require.Equal(t, []string{"36526.375", "36527.875", "2"}, []string{raw("G2"), raw("H2"), raw("D3")}, "days and a number, no texts")
	})
}
