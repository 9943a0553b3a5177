package engine

// repeats reports whether a transition is that of a request: two keys say it, where both have one; else
// it is what was asked, and by whom. key is zero for a request without.
func (t *Transition) repeats(key Key, print [32]byte, actor string) bool {
	if t.Fingerprint != print {
		return false
	}
	if keyed := t.Key.Source != sourceCall && !t.Key.IsZero(); keyed && !key.IsZero() {
		return t.Key == key
	}
	return t.Actor == actor
}

// Repeats reports whether an attempt asked for what a transition had done, by the engine's own rule: so
// already/replayed is right with that transition as its proof.
func (a *Attempt) Repeats(t *Transition) bool { return t.repeats(a.Key, a.Fingerprint, a.Actor) }
