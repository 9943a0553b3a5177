package engine

import (
	"context"
	"reflect"
	"runtime/debug"
	"time"

	"gorm.io/gorm"
)

// NoInput is the input type of guards and actions that need none. They serve any event.
type NoInput = struct{}

// Call is what guards and actions are told.
type Call[S, A any] struct {
	// Subject is a copy of the row: in a guard as it stands, in Set as it is being changed, in Exec
	// and ExecAll as it has been written. On a creation it is the new row.
	Subject *S
	Input   A
	Request Request
	From    State // "" on a creation
	To      State
	Version int64     // the version this transition gives the subject
	Now     time.Time // one time for the whole transaction; UTC, microseconds
}

// Guard decides whether an edge may be taken. Make one with Check.
type Guard[S any] struct {
	name  string
	input reflect.Type
	check func(*call) error
}

// Action does a transition's work. Make one with Set, Exec or ExecAll.
type Action[S any] struct {
	name    string
	input   reflect.Type
	set     func(*call, *Effects) error
	exec    execFunc
	execAll execAllFunc
	spends  bool // the request's token
}

// call is Call without its types.
type call struct {
	subject any // *S
	input   any
	request Request
	from,
	to State
	version int64
	now     time.Time
}

func typed[S, A any](c *call) Call[S, A] {
	// Construction has checked both types; a nil input leaves A at its zero value.
	subject, _ := c.subject.(*S)
	input, _ := c.input.(A)
	return Call[S, A]{
		Subject: subject, Input: input, Request: c.request,
		From: c.from, To: c.to, Version: c.version, Now: c.now,
	}
}

// Check makes a guard. f must be pure: it sees the subject's row and the input, may run any number
// of times outside any transaction, and its error is the reason shown to the caller. It changes
// nothing; what it does to its copy of the row is dropped.
func Check[S, A any](name string, f func(Call[S, A]) error) Guard[S] {
	g := Guard[S]{name: name, input: reflect.TypeFor[A]()}
	if f != nil {
		g.check = func(c *call) error { return f(typed[S, A](c)) }
	}
	return g
}

// Set makes an action that computes: it changes columns by writing fields of c.Subject (never key, state or
// version) and asks for effects. It may write in place, behind pointers and in slices and maps: columns are its own,
// copied deeply. Fields that are no columns are not copied. It must be pure and may run any number of times before
// the transaction. It may Refuse.
func Set[S, A any](name string, f func(Call[S, A], *Effects) error) Action[S] {
	a := Action[S]{name: name, input: reflect.TypeFor[A]()}
	if f != nil {
		a.set = func(c *call, fx *Effects) error { return f(typed[S, A](c), fx) }
	}
	return a
}

// Exec makes an action that runs SQL inside the transaction, after the conditional update of the
// subject. It may run again in a fresh transaction, so it keeps and sends nothing, and it must use
// the handle it is given. It may Refuse, or say ErrRunAgain; any other error rolls back and is returned to the caller.
// Its ctx, and so that of its handle, has the values of the caller's ctx also where a batch serves many callers, and
// ends with the transaction's. Requests for one subject are not folded over an edge with Exec or ExecAll. What f asks
// by ApplyTx is answered as if the other requests of its transaction had committed before, but never about its own
// subject; InTx finds the engine on tx. Rows must be closed when f returns; on the MySQL family also before the next
// statement. A unique key that was taken matches gorm.ErrDuplicatedKey in the answer, unless f makes a refusal of it.
func Exec[S, A any](name string, f func(context.Context, *gorm.DB, Call[S, A]) error) Action[S] {
	a := Action[S]{name: name, input: reflect.TypeFor[A]()}
	if f != nil {
		a.exec = func(ctx context.Context, tx *gorm.DB, c *call) error { return f(ctx, tx, typed[S, A](c)) }
	}
	return a
}

// ExecAll is Exec for all calls of a batch at once. f returns nil, or one error per call (nil where
// it succeeded), in the order of the calls. Its ctx is the batch's: the values of each caller's are in its
// Call's Request.Context.
func ExecAll[S, A any](name string, f func(context.Context, *gorm.DB, []Call[S, A]) []error) Action[S] {
	a := Action[S]{name: name, input: reflect.TypeFor[A]()}
	if f != nil {
		a.execAll = func(ctx context.Context, tx *gorm.DB, cs []*call) []error {
			calls := make([]Call[S, A], len(cs))
			for i, c := range cs {
				calls[i] = typed[S, A](c)
			}
			return f(ctx, tx, calls)
		}
	}
	return a
}

// panicAsError runs user code and turns its panic into an error of that request alone.
func panicAsError(where string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Where: where, Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}

type (
	execFunc    = func(context.Context, *gorm.DB, *call) error
	execAllFunc = func(context.Context, *gorm.DB, []*call) []error
)
