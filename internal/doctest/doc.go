// Package doctest holds the documents to the code: the programs of the README are built and run, its
// walk with curl is executed, its diagram is drawn anew, the guide to an existing table is followed on servers, and every
// link leads somewhere.
//
//	go test ./internal/doctest -update
//
// writes the program, the test and the diagram into the documents.
package doctest
