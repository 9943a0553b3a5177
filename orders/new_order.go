package orders

import (
	"fmt"
	"maps"
	"slices"
)

// Bounds of a new order. Lengths are in bytes.
const (
	itemsMax         = 500
	skuMax           = 128
	nameMax          = 255
	quantityMax      = 1_000_000_000
	customerRefMax   = 190
	metadataMax      = 50 // entries
	metadataNameMax  = 40
	metadataValueMax = 500
)

// NewOrder is what a checkout sends.
type NewOrder struct {
	Currency    string   `json:"currency"`
	Items       []Item   `json:"items"`
	CustomerRef string   `json:"customer_ref,omitempty"`
	Metadata    Metadata `json:"metadata,omitempty"`
}

// Validate names the first field that is wrong, as an *engine.RequestError.
func (n NewOrder) Validate() error {
	if _, known := Exponent(n.Currency); !known {
		return bad("currency", "want an ISO 4217 code such as EUR")
	}
	if len(n.Items) == 0 || len(n.Items) > itemsMax {
		return bad("items", "%d of them, want 1 to %d", len(n.Items), itemsMax)
	}
	for i, item := range n.Items {
		if err := item.validate(fmt.Sprintf("items[%d]", i)); err != nil {
			return err
		}
	}
	if err := CheckText("customer_ref", n.CustomerRef, 0, customerRefMax); err != nil {
		return err
	}
	if err := n.Metadata.validate(); err != nil {
		return err
	}
	_, err := n.Total()
	return err
}

func (i Item) validate(field string) error {
	if err := CheckText(field+".sku", i.SKU, 1, skuMax); err != nil {
		return err
	}
	if err := CheckText(field+".name", i.Name, 1, nameMax); err != nil {
		return err
	}
	if i.Quantity < 1 || i.Quantity > quantityMax {
		return bad(field+".quantity", "want 1 to %d", quantityMax)
	}
	if !isAmount(i.UnitPrice) {
		return bad(field+".unit_price", "want 0 to 2^53-1 minor units")
	}
	return nil
}

func (m Metadata) validate() error {
	if len(m) > metadataMax {
		return bad("metadata", "%d entries, at most %d", len(m), metadataMax)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := CheckText("metadata", name, 1, metadataNameMax); err != nil {
			return err
		}
		if err := CheckText("metadata."+name, m[name], 0, metadataValueMax); err != nil {
			return err
		}
	}
	return nil
}

// Total is what the items cost together, in minor units. A sum of nothing and one beyond AmountMax
// are refused as an *engine.RequestError.
func (n NewOrder) Total() (int64, error) {
	var total int64
	for i, item := range n.Items {
		price, fits := mulAmount(item.UnitPrice, item.Quantity)
		if fits {
			total, fits = addAmounts(total, price)
		}
		if !fits {
			return 0, bad(fmt.Sprintf("items[%d]", i), "the total is more than 2^53-1 minor units")
		}
	}
	if total == 0 {
		return 0, bad("items", "the total is zero: there is nothing to pay")
	}
	return total, nil
}
