//! A query's words.

use super::{Op, Operand, QueryError};
use crate::types::Time;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Tag(String),
    And,
    Op(Op),
    Operand(Operand),
}

/// Reads words one after the other.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// Where the word in hand begins.
    pos: usize,
    /// Where it ends.
    end: usize,
}

/// Years a time may be of.
const YEARS: std::ops::RangeInclusive<u32> = 1900..=2999;

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Scanner { text, pos: 0, end: 0 }
    }

    pub(super) fn error(&self, what: String) -> QueryError {
        QueryError { offset: self.pos, what }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.end..]
    }

    /// The next word; the end of the text is an error.
    pub(super) fn require(&mut self) -> Result<Token, QueryError> {
        self.next()?.ok_or_else(|| self.error("EOF".into()))
    }

    /// The next word; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, QueryError> {
        let blank = self.rest().len() - self.rest().trim_start().len();
        self.end += blank;
        self.pos = self.end;
        let Some(first) = self.rest().chars().next() else { return Ok(None) };
        if first.is_ascii_digit() {
            return Ok(Some(self.number()));
        }
        if is_tag(first) {
            return self.word().map(Some);
        }
        self.end += first.len_utf8();
        match first {
            '\'' => {
                let Some(len) = self.rest().find('\'') else {
                    return Err(self.error("EOF".into()));
                };
                let text = self.rest()[..len].to_owned();
                self.end += len + 1;
                Ok(Some(Token::Operand(Operand::Text(text))))
            }
            '=' => Ok(Some(Token::Op(Op::Equal))),
            '<' | '>' => {
                let has_equal = self.rest().starts_with('=');
                self.end += usize::from(has_equal);
                Ok(Some(Token::Op(match (first, has_equal) {
                    ('<', false) => Op::Less,
                    ('<', true) => Op::LessOrEqual,
                    (_, false) => Op::Greater,
                    (_, true) => Op::GreaterOrEqual,
                })))
            }
            other => {
                let end = self.end;
                Err(self.error(format!("invalid input {other} at offset {end}")))
            }
        }
    }

    fn take(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        self.end += len;
        &rest[..len]
    }

    fn number(&mut self) -> Token {
        let start = self.end;
        self.take(|c| c.is_ascii_digit());
        if self.rest().starts_with('.') {
            self.end += 1;
            self.take(|c| c.is_ascii_digit());
        }
        Token::Operand(Operand::Number(self.text[start..self.end].into()))
    }

    fn word(&mut self) -> Result<Token, QueryError> {
        let word = self.take(is_tag);
        let has_space = self.rest().starts_with(' ');
        Ok(match word {
            "TIME" if has_space => {
                self.end += 1;
                let time = self.take(|c| c.is_ascii_digit() || "-T:+Z".contains(c));
                self.check_time(time, "TIME", instant(time).is_some() && time.contains('T'))?;
                Token::Operand(Operand::Time(time.into()))
            }
            "DATE" if has_space => {
                self.end += 1;
                let date = self.take(|c| c.is_ascii_digit() || c == '-');
                self.check_time(date, "DATE", instant(date).is_some())?;
                Token::Operand(Operand::Date(date.into()))
            }
            "AND" => Token::And,
            "EXISTS" => Token::Op(Op::Exists),
            "CONTAINS" => Token::Op(Op::Contains),
            tag => Token::Tag(tag.into()),
        })
    }

    fn check_time(&self, text: &str, kind: &str, is_good: bool) -> Result<(), QueryError> {
        let year = text.split('-').next().and_then(|year| year.parse::<u32>().ok());
        match year {
            Some(year) if is_good && !YEARS.contains(&year) => {
                Err(self.error(format!("timestamp year {year} out of range")))
            }
            _ if is_good => Ok(()),
            _ => Err(self.error(format!("invalid {kind} value: {text:?}"))),
        }
    }
}

fn is_tag(c: char) -> bool {
    c == '.' || c == '_' || c == '-' || c == '/' || c.is_alphanumeric()
}

/// The point in time a text means: a date is the beginning of its day.
pub(super) fn instant(text: &str) -> Option<Time> {
    let is_date = text.len() == 10 && !text.contains('T');
    let whole = if is_date { format!("{text}T00:00:00Z") } else { text.to_owned() };
    whole.parse().ok()
}
