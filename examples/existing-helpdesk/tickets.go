package main

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// Ticket is the team's own. Nothing of it is the library's.
type Ticket struct {
	ID           int      `json:"id"`
	Title        string   `json:"title"`
	Status       string   `json:"status"` // open or solved
	Conversation string   `json:"conversation"`
	Notes        []string `json:"notes,omitempty"`
}

// TicketService plays the ticket system that the team has had for years: a small
// HTTP service with a memory. It knows a request that comes again by its
// Idempotency-Key, as a payment service would. While it is down it answers 503.
type TicketService struct {
	mu      sync.Mutex
	tickets []Ticket
	known   map[string]int // Idempotency-Key to ticket
	down    bool
	solved  func(Ticket) // the service's own event
}

// NewTicketService returns an empty one; solved is called when a ticket is.
func NewTicketService(solved func(Ticket)) *TicketService {
	return &TicketService{known: map[string]int{}, solved: solved}
}

// Down begins or ends an outage.
func (s *TicketService) Down(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Tickets lists them, oldest first.
func (s *TicketService) Tickets() []Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tickets)
}

// ServeHTTP: POST /tickets takes a message of a conversation and adds it to the
// conversation's open ticket, or makes one; POST /tickets/{id}/solve solves one;
// GET /tickets lists them.
func (s *TicketService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	down := s.down
	s.mu.Unlock()
	if down {
		http.Error(w, "the ticket system is being repaired", http.StatusServiceUnavailable)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tickets", s.add)
	mux.HandleFunc("POST /tickets/{id}/solve", s.solve)
	mux.HandleFunc("GET /tickets", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Tickets()) })
	mux.ServeHTTP(w, r)
}

func (s *TicketService) add(w http.ResponseWriter, r *http.Request) {
	var in struct{ Conversation, Text string }
	key := r.Header.Get("Idempotency-Key")
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil || in.Conversation == "" || key == "" {
		http.Error(w, "conversation, text and an Idempotency-Key are needed", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, again := s.known[key]; again {
		reply(w, s.tickets[id-1])
		return
	}
	at := slices.IndexFunc(s.tickets, func(t Ticket) bool { return t.Conversation == in.Conversation && t.Status == "open" })
	if at < 0 {
		s.tickets = append(s.tickets, Ticket{ID: len(s.tickets) + 1, Title: cmp.Or(in.Text, "(no text)"), Status: "open",
			Conversation: in.Conversation})
		at = len(s.tickets) - 1
	} else {
		s.tickets[at].Notes = append(s.tickets[at].Notes, in.Text)
	}
	s.known[key] = s.tickets[at].ID
	reply(w, s.tickets[at])
}

func (s *TicketService) solve(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	s.mu.Lock()
	if err != nil || id < 1 || id > len(s.tickets) {
		s.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	s.tickets[id-1].Status = "solved"
	t := s.tickets[id-1]
	s.mu.Unlock()
	s.solved(t)
	reply(w, t)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
