package orders

import "example.com/orderd/engine"

// MachineOrder is the name of the machine that drives an Order.
const MachineOrder = "order"

// The states of an order.
const (
	OrderPlaced        engine.State = "placed"
	OrderPartlyPaid    engine.State = "partly_paid"
	OrderPaid          engine.State = "paid"
	OrderPartlyShipped engine.State = "partly_shipped"
	OrderShipped       engine.State = "shipped"
	OrderDelivered     engine.State = "delivered"
	OrderCompleted     engine.State = "completed"
	OrderReturning     engine.State = "returning"
	OrderRefunding     engine.State = "refunding"
	OrderRefunded      engine.State = "refunded"
	OrderCancelled     engine.State = "cancelled"
	OrderExpired       engine.State = "expired"
)

// The events of an order.
const (
	EventPlace         engine.Event = "place"          // creates it
	EventPay           engine.Event = "pay"            // exactly the rest due
	EventPayPart       engine.Event = "pay_part"       // at most the rest due
	EventCancel        engine.Event = "cancel"         // before it is paid; money held then goes to the desk
	EventExpire        engine.Event = "expire"         // the timer's cancel
	EventShipPart      engine.Event = "ship_part"      // a parcel, more to come
	EventShip          engine.Event = "ship"           // the only or last parcel
	EventDeliver       engine.Event = "deliver"        // the customer has it
	EventComplete      engine.Event = "complete"       // the time for returns is over
	EventFailDelivery  engine.Event = "fail_delivery"  // the parcel comes back unasked
	EventRequestReturn engine.Event = "request_return" // the customer sends it back
	EventAcceptReturn  engine.Event = "accept_return"  // it came back as it should
	EventRejectReturn  engine.Event = "reject_return"  // it did not; the customer keeps it
	EventRequestRefund engine.Event = "request_refund" // also the cancel of a paid order
	EventFinishRefund  engine.Event = "finish_refund"  // the money has gone back
)

// The timers of an order, named after the events they fire.
const (
	timerExpire   = "expire"
	timerComplete = "complete"
)

// Ship is the input of ship and ship_part.
type Ship struct {
	Carrier  string `json:"carrier,omitempty"`
	Tracking string `json:"tracking,omitempty"`
}

// shipTextMax bounds the texts of Ship, in bytes.
const shipTextMax = 190

// Validate names the first field that is wrong, as an *engine.RequestError.
func (s Ship) Validate() error {
	if err := CheckText("carrier", s.Carrier, 0, shipTextMax); err != nil {
		return err
	}
	return CheckText("tracking", s.Tracking, 0, shipTextMax)
}

// orderMachine defines the life of an order. Money and goods under a new key are new money and goods,
// so their events need keys; ship, deliver, complete and cancel happen once and do without.
func (cfg Config) orderMachine() (*engine.Machine[Order], error) {
	return engine.NewMachine(engine.Definition[Order]{
		Name: MachineOrder, Exclusive: true,
		Events: map[engine.Event]engine.Spec{
			EventPlace:         {Input: NewOrder{}},
			EventPay:           {Input: Pay{}, Factual: true},
			EventPayPart:       {Input: Pay{}, Factual: true, Repeatable: true},
			EventCancel:        {},
			EventExpire:        {},
			EventShipPart:      {Input: Ship{}, Repeatable: true},
			EventShip:          {Input: Ship{}},
			EventDeliver:       {},
			EventComplete:      {},
			EventFailDelivery:  {},
			EventRequestReturn: {Repeatable: true},
			EventAcceptReturn:  {},
			EventRejectReturn:  {Repeatable: true},
			EventRequestRefund: {Factual: true},
			EventFinishRefund:  {Factual: true},
		},
		Edges: append(append([]engine.Edge[Order]{cfg.placeEdge()}, cfg.payEdges()...), cfg.goodsEdges()...),
	})
}

func (cfg Config) placeEdge() engine.Edge[Order] {
	return engine.Edge[Order]{
		Event: EventPlace, To: OrderPlaced,
		Actions: []engine.Action[Order]{cfg.fillOrder(), armExpire(), announce("order.placed"),
			engine.SpendToken[Order](cfg.Tokens, ScopeOrder), insertItems()},
	}
}

// payEdges take money. Which of two edges is taken depends on where the money comes from: a captured
// payment is a row already, so only memory is touched and requests can share a transaction; an
// operator's offline payment becomes a row in the same transaction.
func (cfg Config) payEdges() []engine.Edge[Order] {
	payable := []engine.State{OrderPlaced, OrderPartlyPaid}
	edge := func(event engine.Event, from []engine.State, to engine.State, guards []engine.Guard[Order],
		actions ...engine.Action[Order]) []engine.Edge[Order] {
		captured := engine.Edge[Order]{Event: event, From: from, To: to, Actions: actions}
		captured.Guards = append([]engine.Guard[Order]{isCaptured()}, guards...)
		offline := engine.Edge[Order]{Event: event, From: from, To: to}
		offline.Guards = append([]engine.Guard[Order]{isOffline()}, guards...)
		offline.Actions = append(append(offline.Actions, actions...), cfg.recordOffline())
		return []engine.Edge[Order]{captured, offline}
	}
	completes := []engine.Guard[Order]{isTheRest()}
	paid, part := announce("order.paid"), announce("order.partly_paid")
	var edges []engine.Edge[Order]
	edges = append(edges, edge(EventPay, payable, OrderPaid, nil, takeRest(), paid)...)
	edges = append(edges, edge(EventPayPart, payable, OrderPaid, completes, takePart(), paid)...)
	edges = append(edges, edge(EventPayPart, []engine.State{OrderPlaced}, OrderPartlyPaid, nil, takePart(), armExpire(), part)...)
	return append(edges, edge(EventPayPart, []engine.State{OrderPartlyPaid}, OrderPartlyPaid, nil, takePart(), part)...)
}

// goodsEdges are all others. Each transition emits one message.
func (cfg Config) goodsEdges() []engine.Edge[Order] {
	edge := func(event engine.Event, to engine.State, message string, from ...engine.State) engine.Edge[Order] {
		return engine.Edge[Order]{Event: event, From: from, To: to, Actions: []engine.Action[Order]{announce(message)}}
	}
	with := func(action engine.Action[Order], e engine.Edge[Order]) engine.Edge[Order] {
		e.Actions = append([]engine.Action[Order]{action}, e.Actions...)
		return e
	}
	return []engine.Edge[Order]{
		edge(EventCancel, OrderCancelled, "order.cancelled", OrderPlaced),
		with(cfg.holdMoney(), edge(EventCancel, OrderCancelled, "order.cancelled", OrderPartlyPaid)),
		edge(EventExpire, OrderExpired, "order.expired", OrderPlaced),
		with(cfg.holdMoney(), edge(EventExpire, OrderExpired, "order.expired", OrderPartlyPaid)),
		edge(EventShipPart, OrderPartlyShipped, "order.partly_shipped", OrderPaid, OrderPartlyShipped),
		edge(EventShip, OrderShipped, "order.shipped", OrderPaid, OrderPartlyShipped),
		with(cfg.armComplete(), edge(EventDeliver, OrderDelivered, "order.delivered", OrderShipped)),
		edge(EventComplete, OrderCompleted, "order.completed", OrderDelivered),
		edge(EventFailDelivery, OrderReturning, "order.delivery_failed", OrderShipped),
		edge(EventRequestReturn, OrderReturning, "order.return_requested", OrderDelivered),
		edge(EventAcceptReturn, OrderRefunding, "order.return_accepted", OrderReturning),
		with(cfg.armComplete(), edge(EventRejectReturn, OrderDelivered, "order.return_rejected", OrderReturning)),
		edge(EventRequestRefund, OrderRefunding, "order.refund_requested", OrderPaid, OrderPartlyShipped, OrderCompleted),
		with(giveBack(), edge(EventFinishRefund, OrderRefunded, "order.refunded", OrderRefunding)),
	}
}
