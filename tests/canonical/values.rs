//! Random values that sealed JSON can hold, the same in every build: numbers at every edge, keys in every order.

use openthymos::canon::{canonical_value, domain};
use serde_json::{Map, Number, Value};

/// How many values there are.
pub const COUNT: u64 = 100_000;
/// The hash of their canonical forms, one after the other.
pub const DIGEST: &str = "285389c097721524ab53f841e1eea4b407936f9e753fbc7ef44175026db11bcf";

const MAX: f64 = 9_007_199_254_740_991.0;
const EDGES: [f64; 18] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    0.5,
    1e-6,
    1e-7,
    9.999_999e-7,
    123_456.789,
    4.5,
    5e-324,
    f64::MIN_POSITIVE,
    f64::EPSILON,
    MAX,
    -MAX,
    4_503_599_627_370_495.5,
    1e15,
];
const LETTERS: [char; 16] = [
    'a', 'b', 'Z', '"', '\\', '/', '\u{0}', '\n', '\u{1f}', '\u{7f}', 'é', '\u{2028}', '\u{d7ff}', '\u{e000}',
    '\u{ffff}', '😀',
];

struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn number(&mut self) -> Number {
        let float = match self.below(5) {
            0 => EDGES[self.below(EDGES.len())],
            1 => return Number::from((self.next() % (1 << 53)) as i64 * if self.below(2) == 0 { 1 } else { -1 }),
            // A few units in the last place beside an edge.
            2 => f64::from_bits(EDGES[self.below(EDGES.len())].to_bits().wrapping_add(self.next() % 5)),
            3 => (self.next() % 2_000_001) as f64 / [1.0, 10.0, 1e3, 1e7, 1e20][self.below(5)],
            _ => f64::from_bits(self.next()),
        };
        let float = if float.is_finite() && float.abs() <= MAX { float } else { 0.25 };
        Number::from_f64(float).unwrap()
    }

    fn text(&mut self) -> String {
        (0..self.below(5)).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 0),
            2 | 3 => Value::Number(self.number()),
            4 => Value::String(self.text()),
            5 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let members = (0..self.below(5)).map(|_| (self.text(), self.value(depth - 1)));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}

/// The values, in order.
pub fn all() -> impl Iterator<Item = Value> {
    let mut draw = Draw(7);
    (0..COUNT).map(move |_| draw.value(3))
}

/// The hash of all canonical forms.
pub fn digest() -> String {
    let mut stream = domain::RECORD.stream();
    all().for_each(|value| stream.update(&canonical_value(&value).unwrap()));
    stream.finish().iter().map(|byte| format!("{byte:02x}")).collect()
}
