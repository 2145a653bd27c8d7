//! DER as a tree: octets to change and to write, not to judge.
//!
//! A fuzzer that changes octets one by one breaks a length almost every time, and the parser stops right there. The
//! mutator here changes elements instead and writes the lengths anew, so that most of what it makes is well-formed.

/// The tag of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// The tag of a SET.
pub const SET: u8 = 0x31;
/// The tag of an INTEGER.
pub const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const CONSTRUCTED: u8 = 0x20;

/// Tags that an element may be given in place of its own.
const TAGS: &[u8] = &[
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1c, 0x1e, 0x30, 0x31, 0x80, 0x81,
    0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4,
];

/// How deep a tree is read; deeper elements are leaves.
const MAX_DEPTH: usize = 24;

/// Tag, length in its shortest form (X.690 section 10.1), contents.
#[must_use]
pub fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match u8::try_from(contents.len()) {
        Ok(short @ 0..=0x7f) => der.push(short),
        Ok(_) | Err(_) => {
            let length: Vec<u8> = contents.len().to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect();
            der.push(0x80 | u8::try_from(length.len()).expect("a length has eight octets at most"));
            der.extend(length);
        }
    }
    der.extend_from_slice(contents);
    der
}

/// A BIT STRING of whole octets.
#[must_use]
pub fn bit_string(octets: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], octets].concat())
}

/// The elements within a SEQUENCE, each with its tag and length; `None` if it is no SEQUENCE of elements.
#[must_use]
pub fn children(der: &[u8]) -> Option<Vec<&[u8]>> {
    let (tag, mut contents, rest) = split(der)?;
    if tag != SEQUENCE || !rest.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    while !contents.is_empty() {
        let (_, _, rest) = split(contents)?;
        parts.push(&contents[..contents.len() - rest.len()]);
        contents = rest;
    }
    Some(parts)
}

/// The tag and contents of the first element, and what follows it. Tags of one octet and definite lengths only.
fn split(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    (tag & 0x1f != 0x1f).then_some((tag, contents, rest))
}

#[derive(Debug, Clone)]
struct Node {
    tag: u8,
    /// Octets before the parts: the count of unused bits of a BIT STRING that holds DER, or all of a leaf's contents.
    octets: Vec<u8>,
    parts: Vec<Node>,
}

fn read(mut der: &[u8], depth: usize) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    while !der.is_empty() {
        let (tag, contents, rest) = split(der)?;
        der = rest;
        // Extension values and RSA keys are DER within strings.
        let within: Option<(&[u8], &[u8])> = match (tag, contents) {
            _ if depth == 0 => None,
            (BIT_STRING, [0, SEQUENCE, ..]) => Some(contents.split_at(1)),
            (OCTET_STRING, [_, _, ..]) => Some((&[], contents)),
            _ if tag & CONSTRUCTED != 0 => Some((&[], contents)),
            _ => None,
        };
        let parts = within.and_then(|(before, der)| Some((before, read(der, depth - 1)?)));
        let (octets, parts) = parts.unwrap_or((contents, Vec::new()));
        nodes.push(Node { tag, octets: octets.to_vec(), parts });
    }
    Some(nodes)
}

fn write(nodes: &[Node]) -> Vec<u8> {
    nodes.iter().flat_map(|node| tlv(node.tag, &[node.octets.as_slice(), &write(&node.parts)].concat())).collect()
}

fn count(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + count(&node.parts)).sum()
}

/// The list that holds the node of this number (from 0, parents first), and its place in it.
fn find(nodes: &mut Vec<Node>, mut number: usize) -> Option<(&mut Vec<Node>, usize)> {
    let mut place = 0;
    while place < nodes.len() {
        if number == 0 {
            return Some((nodes, place));
        }
        let inside = count(&nodes[place].parts);
        if number <= inside {
            return find(&mut nodes[place].parts, number - 1);
        }
        number -= 1 + inside;
        place += 1;
    }
    None
}

/// libFuzzer's own mutation: changes the first `size` octets within `max_size` and says how many there are then.
pub type OctetMutation = fn(data: &mut [u8], size: usize, max_size: usize) -> usize;

/// Changes the first `size` octets of `data` and says how many there are then, at most `max_size`.
///
/// Half of the time, and whenever the octets are no DER, `octets` changes them; else one to three elements are
/// changed, copied, moved or removed.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32, octets: OctetMutation) -> usize {
    let mut random = Random(u64::from(seed) | 1 << 32);
    if random.below(2) == 0 {
        return octets(data, size, max_size);
    }
    let Some(mut nodes) = data.get(..size).and_then(|der| read(der, MAX_DEPTH)).filter(|nodes| !nodes.is_empty())
    else {
        return octets(data, size, max_size);
    };
    for _ in 0..=random.below(3) {
        change(&mut nodes, &mut random, octets);
    }
    let der = write(&nodes);
    match data.get_mut(..der.len()) {
        Some(to) if der.len() <= max_size && !der.is_empty() => {
            to.copy_from_slice(&der);
            der.len()
        }
        Some(_) | None => octets(data, size, max_size),
    }
}

fn change(nodes: &mut Vec<Node>, random: &mut Random, octets: OctetMutation) {
    let other = pick(nodes, random).map(|(list, place)| list[place].clone());
    let (Some((list, place)), Some(other)) = (pick(nodes, random), other) else { return };
    match random.below(10) {
        0..4 => mutate_leaf(list, place, random, octets),
        4 => list[place].tag = TAGS[random.below(TAGS.len())],
        5 => drop(list.remove(place)),
        6 => list.insert(place, other),
        7 => list[place] = other,
        8 => {
            let copy = list[place].clone();
            let copies = 1 << random.below(6);
            list.splice(place..place, std::iter::repeat_n(copy, copies));
        }
        _ => {
            let last = list.len() - 1;
            list.swap(place, last);
        }
    }
}

/// Changes the contents of the node, or, if it has parts, of the first leaf in it.
fn mutate_leaf(list: &mut [Node], place: usize, random: &mut Random, octets: OctetMutation) {
    let mut node = &mut list[place];
    while !node.parts.is_empty() {
        let part = random.below(node.parts.len());
        node = &mut node.parts[part];
    }
    let size = node.octets.len();
    let room = size + 16;
    node.octets.resize(room, 0);
    let size = octets(&mut node.octets, size, room);
    node.octets.truncate(size);
}

fn pick<'a>(nodes: &'a mut Vec<Node>, random: &mut Random) -> Option<(&'a mut Vec<Node>, usize)> {
    let all = count(nodes);
    if all == 0 { None } else { find(nodes, random.below(all)) }
}

/// Numbers that follow from a seed (xorshift): a mutation can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds;

    #[test]
    fn what_is_read_is_written_back() {
        for target in ["certificate", "crl", "csr"] {
            for seed in seeds::of(target) {
                let nodes = read(&seed.octets, MAX_DEPTH).unwrap();
                assert!(count(&nodes) > 20, "{target} {}", seed.name);
                assert_eq!(write(&nodes), seed.octets, "{target} {}", seed.name);
            }
        }
    }

    #[test]
    fn changed_elements_stay_well_formed() {
        let unchanged: OctetMutation = |_, size, _| size;
        let seed = &seeds::of("certificate")[0].octets;
        let mut different = 0;
        for number in 0..2_000 {
            let mut data = seed.clone();
            data.resize(8_192, 0);
            let size = mutate(&mut data, seed.len(), 8_192, number, unchanged);
            assert!(read(&data[..size], MAX_DEPTH).is_some(), "{number}");
            different += usize::from(&data[..size] != seed.as_slice());
        }
        assert!(different > 500, "{different}");
    }
}
