// Package left shows engine/enginetest what transitions left of their rows, which is nobody else's to see.
package left

// Of is the row that the transition of a result left, a pointer to a row type, as it was written; nil where the
// result is not applied. It takes an engine.Result. Package engine sets it before anybody can have one; rows are
// for reading.
var Of func(result any) any
