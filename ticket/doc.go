// Package ticket holds tickets: inquiries that are handled until they are
// solved, with categories, fields, answer templates, banned words, service
// levels and a full history.
//
// The package is pure: it takes the time as an argument and returns values. A
// Draft changes one ticket by the rules and ends in the ticket as it is to be
// stored and an Entry of its history; Replay makes the ticket from its entries
// alone. Who may do what, where tickets are stored and what leaves the house
// are matters of the caller. It works without package trigger.
//
// A host with the Engine begins with Engine.OpenTicket and UpdateTicket, and meets
// Ticket, Entry and Field in what they return; Open, Draft and Replay are for a
// backend that keeps tickets itself.
package ticket
