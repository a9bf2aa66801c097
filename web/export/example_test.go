package export_test

import (
	"fmt"
	"strings"

	"github.com/sangdam/sangdam/web/export"
)

// A text of a customer that looks like a formula stays a text.
func ExampleCSV() {
	table := export.Table{Columns: []export.Column{{Title: "Number", Kind: export.Number}, {Title: "Said"}}}
	rows := func(yield func([]any, error) bool) {
		_ = yield([]any{1, "hello"}, nil) && yield([]any{2, "=HYPERLINK(1)"}, nil)
	}
	var file strings.Builder
	if err := export.CSV(&file, table, rows); err != nil {
		fmt.Println(err)
	}
	// Excel knows UTF-8 by the mark at the beginning, and lines end as in CSV of old.
	fmt.Print(strings.NewReplacer("\ufeff", "", "\r", "").Replace(file.String()))
	// Output:
	// Number,Said
	// 1,hello
	// 2,'=HYPERLINK(1)
}
