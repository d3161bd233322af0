package verify

// Take leaves out every step but some.
func (m *Run) Take(names ...string) { m.only = names }
