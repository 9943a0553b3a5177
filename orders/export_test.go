package orders

// SetSearchMax shrinks what one page of a search looks at.
func (s *Shop) SetSearchMax(n int) { s.searchMax = n }
