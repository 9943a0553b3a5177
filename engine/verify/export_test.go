package verify

// InSmallParts makes a walk of few rows one of many parts.
func (o Options) InSmallParts(subjects, rows, attempts int) Options {
	o.bounds = bounds{subjects, rows, attempts}
	return o
}
