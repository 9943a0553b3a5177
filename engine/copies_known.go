package engine

import (
	"math/big"
	"reflect"
)

// knownCopies are types of the standard library that keep what they share to themselves, and can copy it.
var knownCopies = map[reflect.Type]ownFunc{
	reflect.TypeFor[big.Int]():   ownBig(func(n *big.Int) *big.Int { return new(big.Int).Set(n) }),
	reflect.TypeFor[big.Rat]():   ownBig(func(n *big.Rat) *big.Rat { return new(big.Rat).Set(n) }),
	reflect.TypeFor[big.Float](): ownBig(func(n *big.Float) *big.Float { return new(big.Float).Copy(n) }),
}

func ownBig[T any](clone func(*T) *T) ownFunc {
	return func(v reflect.Value, _ int) bool {
		n, ok := v.Addr().Interface().(*T)
		if ok {
			v.Set(reflect.ValueOf(clone(n)).Elem())
		}
		return ok
	}
}
