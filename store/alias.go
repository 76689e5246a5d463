package store

import "ldapsync/changelog"

// Of an entry that a directory held before it joined, the room may have another
// id, and a directory cannot change its own. The aliases say which two mean the
// same. They swap: should the directory ever hold the room's id as well, that
// entry is known by the directory's.
const (
	aliasOwn  = 'd' // the directory's id: the room's
	aliasRoom = 'r' // the room's id: the directory's
)

func aliasKey(kind byte, id changelog.ID) []byte { return append([]byte{kind}, id[:]...) }

// aliasAt is aliasKey for who reads or deletes; valid until the next such key.
func (t *Tx) aliasAt(kind byte, id changelog.ID) []byte {
	t.key = append(append(t.key[:0], kind), id[:]...)
	return t.key
}

// SetAlias notes that the directory's entry own is the room's entry id.
func (t *Tx) SetAlias(own, id changelog.ID) error {
	b := t.bucket(bucketAliases)
	if err := b.Put(aliasKey(aliasOwn, own), id[:]); err != nil {
		return err
	}
	return b.Put(aliasKey(aliasRoom, id), own[:])
}

// Swapped returns the room's id of an entry that the directory calls id, and the
// directory's of one that the room calls id: another only where there is an
// alias.
func (t *Tx) Swapped(id changelog.ID) changelog.ID {
	b := t.bucket(bucketAliases)
	if other := b.Get(t.aliasAt(aliasOwn, id)); other != nil {
		return toID(other)
	}
	if other := b.Get(t.aliasAt(aliasRoom, id)); other != nil {
		return toID(other)
	}
	return id
}

// DropAlias forgets the alias of the room's entry id, if it has one.
func (t *Tx) DropAlias(id changelog.ID) error {
	b := t.bucket(bucketAliases)
	own := b.Get(t.aliasAt(aliasRoom, id))
	if own == nil {
		return nil
	}
	key := t.aliasAt(aliasOwn, toID(own))
	if err := b.Delete(key); err != nil {
		return err
	}
	return b.Delete(t.aliasAt(aliasRoom, id))
}

// ResetAliases forgets all aliases.
func (t *Tx) ResetAliases() error { return t.bucket(bucketAliases).Clear() }

// Aliases returns up to max of the room's ids that have an alias, in order,
// beginning after the given one.
func (t *Tx) Aliases(after changelog.ID, max int) (ids []changelog.ID) {
	t.bucket(bucketAliases).Scan([]byte{aliasRoom}, aliasKey(aliasRoom, after), func(k, _ []byte) bool {
		if id := toID(k[1:]); id != after {
			ids = append(ids, id)
		}
		return len(ids) < max
	})
	return ids
}

// AliasCount returns the number of aliases.
func (t *Tx) AliasCount() int { return t.count(bucketAliases) / 2 }
