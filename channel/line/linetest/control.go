package linetest

func (s *Server) controlRoutes() {}
