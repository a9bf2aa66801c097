package pgtest

// AdminDSN is the DSN of a server's database "postgres".
func AdminDSN(s *Server) string { return s.admin }
