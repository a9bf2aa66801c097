package hours_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/routing/hours"
)

func Example() {
	const data = `{"version":1, "zone":"Asia/Seoul",
		"week":{"mon":[{"from":"09:00","to":"18:00"}], "tue":[{"from":"09:00","to":"18:00"}]},
		"exceptions":[{"from":"2026-02-16","to":"2026-02-18","name":"설날","holiday":true}]}`
	var calendar hours.Calendar
	if err := json.Unmarshal([]byte(data), &calendar); err != nil {
		fmt.Println(err)
		return
	}
	schedule, err := calendar.Compile()
	if err != nil {
		fmt.Println(err)
		return
	}
	holiday := time.Date(2026, 2, 16, 10, 0, 0, 0, time.FixedZone("KST", 9*60*60))
	fmt.Printf("%+v\n", schedule.At(holiday))
	opens, _ := schedule.NextOpen(holiday)
	fmt.Println(opens.Format(time.DateTime))
	// Output:
	// {Open:false Holiday:true Exception:설날}
	// 2026-02-23 09:00:00
}

func ExampleSchedule_Add() {
	week := hours.Every([]hours.Interval{{From: hours.At(9, 0), To: hours.At(18, 0)}},
		time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)
	schedule, err := hours.Calendar{Zone: "Europe/London", Week: week}.Compile()
	if err != nil {
		fmt.Println(err)
		return
	}
	friday := time.Date(2026, 1, 9, 17, 0, 0, 0, time.UTC)
	due, _ := schedule.Add(friday, 4*time.Hour)
	fmt.Println(due.Format(time.DateTime), schedule.Elapsed(friday, due))
	// Output: 2026-01-12 12:00:00 4h0m0s
}

func ExampleCalendar_WithException() {
	calendar := hours.Calendar{Zone: "UTC", Always: true}
	today := hours.Date{Year: 2026, Month: time.December, Day: 1}
	christmas := hours.Date{Year: 2026, Month: time.December, Day: 25}
	calendar, err := calendar.WithException(hours.Exception{From: christmas, To: christmas.AddDays(1), Holiday: true}, today)
	fmt.Println(len(calendar.Exceptions), err)
	calendar, err = calendar.WithoutException(christmas)
	fmt.Println(len(calendar.Exceptions), err)
	// Output:
	// 1 <nil>
	// 0 <nil>
}

func ExampleFirst() {
	workspace := &hours.Calendar{Zone: "Asia/Seoul", Always: true}
	desk := &hours.Calendar{Zone: "Asia/Tokyo", Always: true}
	var account, queue, workStream *hours.Calendar
	fmt.Println(hours.First(account, desk, queue, workStream, workspace).Zone)
	// Output: Asia/Tokyo
}
