package emailtest

import (
	"embed"
	"html/template"
	"net/http"
	"slices"

	"github.com/sangdam/sangdam/channel/emukit"
)

//go:embed page.html
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

// Page is the mailbox of a customer: what arrived, and forms to write, to answer
// and to let a mail bounce. /mails has the same as JSON. It is for a person who
// tries a desk out, and knows no log-in.
func (s *Server) Page(customer string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", emukit.Page(page, func() any {
		mails := s.Received(customer)
		slices.Reverse(mails)
		return map[string]any{"Who": customer, "Desk": s.opt.Address, "Mails": mails}
	}))
	type shown struct {
		From, Subject, Text, ID string
	}
	emukit.Show(emukit.NewControl(mux), "GET /mails", func() (all []shown) {
		for _, m := range s.Received(customer) {
			all = append(all, shown{m.Mail.From.Addr, m.Subject, m.Text, m.ID})
		}
		return all
	})
	mux.HandleFunc("POST /write", func(w http.ResponseWriter, r *http.Request) {
		s.Write(Letter{From: r.FormValue("from"), Subject: r.FormValue("subject"), Text: r.FormValue("text")})
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /answer", func(w http.ResponseWriter, r *http.Request) {
		for _, m := range s.Received(customer) {
			switch {
			case m.ID != r.FormValue("id"):
			case r.FormValue("what") == "bounce":
				s.Deliver("INBOX", s.Bounce(m, "5.1.1"))
			default:
				s.Write(Answer(m, r.FormValue("text")))
			}
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	return http.NewCrossOriginProtection().Handler(mux)
}
