// Package once makes work that drives no subject of a machine happen once. Work that drives one needs
// none of it: there the key of the request is enough.
//
//   - Tokens: a form may be sent once, however often its button is clicked.
//   - Inbox: a message has its effect once, however often it is delivered.
//   - Jobs: a quiet job is done once in each period, however many processes think of it.
//
// All of them keep their rows in tables that engine.Migrate makes.
package once
