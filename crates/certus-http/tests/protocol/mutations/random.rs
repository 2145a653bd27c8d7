//! What is changed at random, in octets and in JSON.

use serde_json::{Value, json};

/// `SplitMix64`: the same sequence everywhere.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when that is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn octet(&mut self) -> u8 {
        // Half of them are what texts here are made of.
        match self.below(2) {
            0 => *self.pick(b"\"{}[]:,\\=.-_/?%@*\0\n 09aAzZ"),
            _ => self.next().to_le_bytes()[0],
        }
    }

    /// Changes octets in one to three ways.
    pub(super) fn octets(&mut self, octets: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let place = self.below(octets.len());
            let end = (place + self.below(40)).min(octets.len());
            match self.below(7) {
                0 => octets.truncate(place),
                1 => octets.insert(place, self.octet()),
                2 => drop(octets.drain(place..end)),
                3 => {
                    let copy = octets[place..end].repeat(1 + self.below(8));
                    octets.splice(place..place, copy);
                }
                4 => {
                    let octet = self.octet();
                    octets[place..end].fill(octet);
                }
                _ if octets.is_empty() => octets.push(self.octet()),
                5 => octets[place] = self.octet(),
                _ => octets[place] ^= 1 << self.below(8),
            }
        }
    }

    /// A JSON value that nobody expects.
    pub(super) fn value(&mut self) -> Value {
        match self.below(12) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(self.next()),
            3 => json!(-1.5e300),
            4 => json!(""),
            5 => json!("a".repeat(self.below(5_000))),
            6 => json!("\u{0}\u{202e}\u{1f512}é"),
            7 => json!([]),
            8 => json!({}),
            9 => json!([[[["x"]]], null, {"type": "dns"}]),
            10 => json!({ "type": "dns", "value": "b.localhost", "status": "valid", "csr": "", "contact": [null] }),
            _ => {
                let mut octets = b"https://localhost/acme/acct/AAAAAAAAAAAAAAAAAAAAAA".to_vec();
                self.octets(&mut octets);
                json!(String::from_utf8_lossy(&octets))
            }
        }
    }

    /// Changes a JSON value somewhere within.
    pub(super) fn json(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) if !members.is_empty() && self.below(5) > 0 => {
                let names: Vec<String> = members.keys().cloned().collect();
                let name = self.pick(&names);
                match self.below(6) {
                    0 => drop(members.remove(name)),
                    1 => {
                        let new = self.value();
                        members.insert(format!("{name}x"), new);
                    }
                    _ => self.json(members.get_mut(name).unwrap()),
                }
            }
            Value::Array(items) if !items.is_empty() && self.below(5) > 0 => {
                let place = self.below(items.len());
                match self.below(4) {
                    0 => drop(items.remove(place)),
                    1 => items.extend(vec![items[place].clone(); self.below(120)]),
                    _ => self.json(&mut items[place]),
                }
            }
            Value::String(text) if self.below(3) > 0 => {
                let mut octets = std::mem::take(text).into_bytes();
                self.octets(&mut octets);
                *text = String::from_utf8_lossy(&octets).into_owned();
            }
            Value::Object(_) | Value::Array(_) | Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
                *value = self.value()
            }
        }
    }
}
