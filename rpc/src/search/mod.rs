//! The query language of searches and subscriptions, as CometBFT v0.38 has it:
//! `tm.event='Tx' AND transfer.amount >= 100 AND note.text CONTAINS 'x' AND a.b EXISTS`.
//!
//! Conditions are joined by `AND` alone. A tag is an event's type and an attribute's key with a
//! dot between. Numbers are compared as decimals of any length, whole values only; other values
//! as text.

mod decimal;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::types::Event;
use decimal::Decimal;
use scan::{Scanner, Token};

/// Bytes of a query at most, where it is bounded (`subscribe`, `tx_search`).
pub const QUERY_BYTES_MAX: usize = 512;

/// Why a text is not a query, in CometBFT's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset}: {what}")]
pub struct QueryError {
    /// Where, in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub what: String,
}

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // each name says it
pub enum Op {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    Exists,
}

/// What a condition compares with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operand {
    /// Nothing: the tag exists.
    None,
    /// In single quotes.
    Text(String),
    /// Digits, perhaps with a fraction.
    Number(String),
    /// `TIME 2013-05-03T14:45:00Z`
    Time(String),
    /// `DATE 2013-05-03`
    Date(String),
}

impl Operand {
    /// The operand as it is compared for equality.
    pub fn text(&self) -> &str {
        match self {
            Operand::None => "",
            Operand::Text(text)
            | Operand::Number(text)
            | Operand::Time(text)
            | Operand::Date(text) => text,
        }
    }
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// What it is about.
    pub tag: String,
    /// How.
    pub op: Op,
    /// With what.
    pub operand: Operand,
}

impl Condition {
    /// Whether a value of the tag satisfies the condition.
    pub fn admits(&self, value: &str) -> bool {
        match self.op {
            Op::Exists => true,
            Op::Contains => value.contains(self.operand.text()),
            Op::Equal => match &self.operand {
                Operand::Number(number) => is_same_number(number, value),
                other => other.text() == value,
            },
            Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => {
                self.order(value).is_some_and(|order| match self.op {
                    Op::Less => order.is_lt(),
                    Op::LessOrEqual => order.is_le(),
                    Op::Greater => order.is_gt(),
                    _ => order.is_ge(),
                })
            }
        }
    }

    /// Whether an index's entry with this value satisfies the condition: there, numbers are equal
    /// only if they are written alike.
    pub fn admits_entry(&self, value: &str) -> bool {
        match self.op {
            Op::Equal => self.operand.text() == value,
            _ => self.admits(value),
        }
    }

    /// How a value compares with the operand; none if it is not of the operand's kind.
    fn order(&self, value: &str) -> Option<std::cmp::Ordering> {
        match &self.operand {
            Operand::Number(number) => Some(Decimal::parse(value)?.cmp(&Decimal::parse(number)?)),
            Operand::Time(time) | Operand::Date(time) => {
                Some(scan::instant(value)?.cmp(&scan::instant(time)?))
            }
            Operand::None | Operand::Text(_) => None,
        }
    }

    /// Whether the condition is a range over times, which an index does not find.
    fn is_time_range(&self) -> bool {
        let is_time = matches!(self.operand, Operand::Time(_) | Operand::Date(_));
        is_time && self.op != Op::Equal
    }
}

fn is_same_number(number: &str, value: &str) -> bool {
    number == value
        || match (Decimal::parse(number), Decimal::parse(value)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
}

/// A parsed query. Two texts with the same conditions in the same order are the same query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Search {
    conditions: Vec<Condition>,
}

impl Search {
    /// Reads a query.
    ///
    /// # Errors
    /// Where and why it is none.
    pub fn parse(text: &str) -> Result<Search, QueryError> {
        let mut scanner = Scanner::new(text);
        let mut conditions = vec![condition(&mut scanner)?];
        loop {
            match scanner.next() {
                Ok(None) => return Ok(Search { conditions }),
                Ok(Some(Token::And)) => conditions.push(condition(&mut scanner)?),
                // 6 is CometBFT's number of AND.
                Ok(Some(token)) => {
                    return Err(scanner.error(format!("got {token}, want 6")));
                }
                Err(_) => return Err(scanner.error("got invalid token, want 6".into())),
            }
        }
    }

    /// The conditions, all of which must hold.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether an event of a node with these values by tag is asked for: each condition holds for
    /// some value of its tag.
    pub fn admits(&self, values: &BTreeMap<String, Vec<String>>) -> bool {
        self.conditions.iter().all(|condition| {
            values
                .get(&condition.tag)
                .is_some_and(|values| values.iter().any(|value| condition.admits(value)))
        })
    }

    /// The hash that a condition on `tx.hash` gives.
    pub fn tx_hash(&self) -> Option<&str> {
        let of_hash = |condition: &&Condition| condition.tag == "tx.hash";
        self.conditions.iter().find(of_hash).map(|condition| condition.operand.text())
    }

    /// What it asks of an index whose heights have the tag `height_tag`; none if no entry of an
    /// index can satisfy it.
    pub fn plan(&self, height_tag: &str) -> Option<Plan<'_>> {
        let mut plan = Plan { heights: Vec::new(), events: Vec::new() };
        for condition in &self.conditions {
            if condition.is_time_range() {
                return None;
            }
            if condition.tag == height_tag {
                // CometBFT's index of blocks has no such entry.
                if condition.op == Op::Exists && height_tag == "block.height" {
                    return None;
                }
                plan.heights.push(condition);
            } else {
                plan.events.push(condition);
            }
        }
        Some(plan)
    }
}

/// A query as an index answers it.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Conditions on the height.
    pub heights: Vec<&'a Condition>,
    /// Conditions on attributes. One event must satisfy them all.
    pub events: Vec<&'a Condition>,
}

impl Plan<'_> {
    /// Whether a height is asked for.
    pub fn admits_height(&self, height: u64) -> bool {
        let text = height.to_string();
        self.heights.iter().all(|condition| condition.admits(&text))
    }

    /// The lowest and the highest height that can be asked for.
    pub fn height_range(&self) -> (u64, u64) {
        let (mut low, mut high) = (0, u64::MAX);
        for condition in &self.heights {
            let whole = condition.operand.text().split('.').next().unwrap_or_default();
            let Ok(number) = whole.parse::<u64>() else { continue };
            match condition.op {
                Op::Equal => (low, high) = (low.max(number), high.min(number)),
                Op::Greater | Op::GreaterOrEqual => low = low.max(number),
                Op::Less | Op::LessOrEqual => high = high.min(number),
                Op::Contains | Op::Exists => {}
            }
        }
        (low, high)
    }

    /// Whether something at `height` with these events is found.
    pub fn admits(&self, height: u64, events: &[Event]) -> bool {
        let satisfies = |event: &Event| {
            self.events.iter().all(|condition| {
                let Some(key) = condition.tag.strip_prefix(event.kind.as_str()) else {
                    return false;
                };
                let Some(key) = key.strip_prefix('.') else { return false };
                let mut of_key = event.attributes.iter().filter(|a| a.index && a.key == key);
                of_key.any(|attribute| condition.admits_entry(&attribute.value))
            })
        };
        self.admits_height(height) && (self.events.is_empty() || events.iter().any(satisfies))
    }
}

const OPERATORS: &str = "<= operator, >= operator, < operator, > operator, = operator, CONTAINS \
                         operator or EXISTS operator";

fn condition(scanner: &mut Scanner<'_>) -> Result<Condition, QueryError> {
    let tag = match scanner.require()? {
        Token::Tag(tag) => tag,
        other => return Err(scanner.error(format!("got {other}, wanted tag"))),
    };
    let op = match scanner.require()? {
        Token::Op(op) => op,
        other => return Err(scanner.error(format!("got {other}, wanted {OPERATORS}"))),
    };
    if op == Op::Exists {
        return Ok(Condition { tag, op, operand: Operand::None });
    }
    let token = scanner.require()?;
    let wanted = match (&token, op) {
        (Token::Operand(Operand::Text(_)), Op::Contains | Op::Equal) => None,
        (_, Op::Contains) => Some("string"),
        (Token::Operand(Operand::Text(_)), _) => Some("number, timestamp or datestamp"),
        (Token::Operand(_), _) => None,
        (_, Op::Equal) => Some("number, timestamp, datestamp or string"),
        _ => Some("number, timestamp or datestamp"),
    };
    match (token, wanted) {
        (Token::Operand(operand), None) => Ok(Condition { tag, op, operand }),
        (token, wanted) => {
            Err(scanner.error(format!("got {token}, wanted {}", wanted.unwrap_or("operand"))))
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Token::Tag(_) => "tag",
            Token::And => "AND operator",
            Token::Op(Op::Equal) => "= operator",
            Token::Op(Op::Less) => "< operator",
            Token::Op(Op::LessOrEqual) => "<= operator",
            Token::Op(Op::Greater) => "> operator",
            Token::Op(Op::GreaterOrEqual) => ">= operator",
            Token::Op(Op::Contains) => "CONTAINS operator",
            Token::Op(Op::Exists) => "EXISTS operator",
            Token::Operand(Operand::Number(_)) => "number",
            Token::Operand(Operand::Text(_)) => "string",
            Token::Operand(Operand::Time(_)) => "timestamp",
            Token::Operand(Operand::Date(_)) => "datestamp",
            Token::Operand(Operand::None) => "nothing",
        })
    }
}
