//! Values with sizes, of which those go first that were used longest ago.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Values by key, in the order of their last use. It knows their bytes, and leaves it to the caller how many may be.
pub(super) struct Lru<K, V> {
    slots: HashMap<K, Slot<V>>,
    /// Keys by age: those used longest ago first.
    ages: BTreeMap<u64, K>,
    clock: u64,
    bytes: u64,
}

struct Slot<V> {
    value: V,
    bytes: u64,
    age: u64,
}

impl<K, V> Default for Lru<K, V> {
    fn default() -> Self {
        Self { slots: HashMap::new(), ages: BTreeMap::new(), clock: 0, bytes: 0 }
    }
}

impl<K: Copy + Eq + Hash, V> Lru<K, V> {
    /// What a value costs beside its own bytes: its places in both maps, which are at least half full.
    pub(super) const SLOT_BYTES: u64 = 2 * (size_of::<(K, Slot<V>)>() + size_of::<(u64, K)>() + 2) as u64;

    /// Bytes of all values, with their slots.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many values there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// A value, which is used thereby.
    pub(super) fn get(&mut self, key: K) -> Option<&mut V> {
        let slot = self.slots.get_mut(&key)?;
        self.ages.remove(&slot.age);
        self.clock += 1;
        slot.age = self.clock;
        self.ages.insert(self.clock, key);
        Some(&mut slot.value)
    }

    /// Takes in a value of `bytes` bytes in the place of the one before, if there was one.
    pub(super) fn insert(&mut self, key: K, value: V, bytes: u64) {
        self.remove(key);
        self.clock += 1;
        let bytes = bytes + Self::SLOT_BYTES;
        self.bytes += bytes;
        self.ages.insert(self.clock, key);
        self.slots.insert(key, Slot { value, bytes, age: self.clock });
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        let slot = self.slots.remove(&key)?;
        self.ages.remove(&slot.age);
        self.bytes -= slot.bytes;
        Some(slot.value)
    }

    /// Takes out values that may go, those used longest ago first, until no more than `most` bytes are left; tells how
    /// many went. Those that may not go are taken to be used, and not many of them are looked at.
    pub(super) fn shrink(&mut self, most: u64, mut may_go: impl FnMut(&V) -> bool) -> u64 {
        let (mut gone, mut looks) = (0, 256);
        while self.bytes > most && looks > 0 {
            let Some((_, &key)) = self.ages.first_key_value() else { break };
            if self.slots.get(&key).is_none_or(|slot| may_go(&slot.value)) {
                self.remove(key);
                gone += 1;
            } else {
                self.get(key);
                looks -= 1;
            }
        }
        gone
    }

    /// Takes out all values whose key is not wanted.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(K) -> bool) {
        let unwanted: Vec<K> = self.slots.keys().copied().filter(|&key| !wanted(key)).collect();
        for key in unwanted {
            self.remove(key);
        }
        self.slots.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbers = Lru<u32, u32>;
    const EACH: u64 = 100 + Numbers::SLOT_BYTES;

    fn keys(lru: &Numbers) -> Vec<u32> {
        let keys: Vec<u32> = lru.ages.values().copied().collect();
        assert_eq!(keys.len(), lru.len());
        assert_eq!(lru.bytes(), EACH * keys.len() as u64);
        keys
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_but_for_what_may_not() {
        let mut lru = Numbers::default();
        (0..6).for_each(|key| lru.insert(key, 10 * key, 100));
        assert_eq!(lru.get(0), Some(&mut 0));
        assert_eq!(lru.get(9), None);
        lru.insert(2, 21, 100);
        assert_eq!(keys(&lru), [1, 3, 4, 5, 0, 2]);

        assert_eq!(lru.shrink(4 * EACH, |&value| value != 30), 2);
        assert_eq!(keys(&lru), [5, 0, 2, 3]);
        assert_eq!(lru.shrink(4 * EACH, |_| true), 0);
        assert_eq!(lru.shrink(0, |&value| value == 21), 1);
        assert_eq!(keys(&lru).len(), 3);
        assert_eq!((lru.remove(5), lru.remove(5)), (Some(50), None));
        lru.retain(|key| key == 3);
        assert_eq!(keys(&lru), [3]);
        assert_eq!(lru.shrink(0, |_| true), 1);
        assert_eq!(lru.bytes(), 0);
    }
}
