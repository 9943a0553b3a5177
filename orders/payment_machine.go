package orders

import (
	"errors"
	"fmt"

	"example.com/orderd/engine"
)

// MachinePayment is the name of the machine that drives a Payment.
const MachinePayment = "payment"

// The states of a payment.
const (
	PaymentCreated  engine.State = "created"  // a row of ours, no more
	PaymentPending  engine.State = "pending"  // the provider has been told
	PaymentCaptured engine.State = "captured" // the money is there
	PaymentFailed   engine.State = "failed"   // the provider reports that it came to nothing
	PaymentExpired  engine.State = "expired"  // nothing came in time
	PaymentUnknown  engine.State = "unknown"  // the provider was told, its answer is lost
)

// The events of a payment.
const (
	EventStart   engine.Event = "start"   // creates an attempt
	EventSend    engine.Event = "send"    // the provider has been told
	EventCapture engine.Event = "capture" // the money is there
	EventFail    engine.Event = "fail"    // the provider reports that it came to nothing
	EventLose    engine.Event = "lose"    // the provider's answer is lost
	EventRecord  engine.Event = "record"  // creates what an operator reports, captured from the start
)

// paymentMachine defines the life of one attempt to pay. Money that has arrived is a fact, whatever
// was reported or assumed before: capture is possible from every state without money, failed and
// expired included, because providers report the failure of a try and then the success of the next
// under the same reference. What is captured stays so; a failure reported afterwards comes too late.
func (cfg Config) paymentMachine() (*engine.Machine[Payment], error) {
	waiting := []engine.State{PaymentCreated, PaymentPending, PaymentUnknown}
	return engine.NewMachine(engine.Definition[Payment]{
		Name: MachinePayment, Exclusive: true,
		Events: map[engine.Event]engine.Spec{
			EventStart:   {Input: start{}},
			EventSend:    {},
			EventCapture: {Input: capture{}, Factual: true},
			EventFail:    {},
			EventExpire:  {},
			EventLose:    {},
			EventRecord:  {Factual: true},
		},
		Edges: []engine.Edge[Payment]{
			{Event: EventStart, To: PaymentCreated, Guards: []engine.Guard[Payment]{isPayable()},
				Actions: []engine.Action[Payment]{engine.SpendToken[Payment](cfg.Tokens, ScopePayment)}},
			{Event: EventRecord, To: PaymentCaptured},
			{Event: EventSend, From: []engine.State{PaymentCreated}, To: PaymentPending},
			{Event: EventCapture, From: append(waiting, PaymentFailed, PaymentExpired), To: PaymentCaptured,
				Guards:  []engine.Guard[Payment]{coversAttempt()},
				Actions: []engine.Action[Payment]{noteTransaction()}},
			{Event: EventFail, From: waiting, To: PaymentFailed},
			{Event: EventExpire, From: waiting, To: PaymentExpired},
			{Event: EventLose, From: []engine.State{PaymentCreated, PaymentPending}, To: PaymentUnknown},
		},
	})
}

// isPayable passes on what StartPayment found out about the order. It is a guard and not an early
// answer so that a repeat of a payment already started is told so, even when the order is paid by then.
func isPayable() engine.Guard[Payment] {
	return engine.Check("payable", func(c engine.Call[Payment, start]) error {
		if c.Subject.refusal != "" {
			return errors.New(c.Subject.refusal)
		}
		return nil
	})
}

func coversAttempt() engine.Guard[Payment] {
	return engine.Check("covers_attempt", func(c engine.Call[Payment, capture]) error {
		p := c.Subject
		if c.Input.Currency != p.Currency || c.Input.Amount < p.Amount {
			return fmt.Errorf("the payment is for %s, not %s",
				FormatMoney(p.Amount, p.Currency), FormatMoney(c.Input.Amount, c.Input.Currency))
		}
		return nil
	})
}

func noteTransaction() engine.Action[Payment] {
	return engine.Set("note_transaction", func(c engine.Call[Payment, capture], _ *engine.Effects) error {
		c.Subject.TransactionID = c.Input.Transaction
		return nil
	})
}
