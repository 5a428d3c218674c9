//! What is wrong with an expression, and where in it. Whoever read the expression from somewhere turns the place
//! within the expression into a place in a file.

use crate::base::{Kind, Trouble, nearest};

/// A fault of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    pub message: String,
    /// Bytes before the place that is meant.
    pub offset: Option<usize>,
    /// The word that is meant.
    pub name: Option<String>,
    pub hints: Vec<String>,
}

/// Longer expressions are not repeated in a message.
const SHOWN: usize = 72;

/// As many names fit into a hint.
const FEW: usize = 12;

impl Flaw {
    pub fn new(message: impl Into<String>, offset: Option<usize>) -> Flaw {
        Flaw { message: message.into(), offset, name: None, hints: Vec::new() }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Flaw {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn named(mut self, name: &str) -> Flaw {
        self.name = Some(name.to_owned());
        self
    }

    /// Adds the nearest of the known names, or all of them if they are few.
    #[must_use]
    pub fn nearest<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Flaw {
        let known: Vec<&str> = known.into_iter().collect();
        let flaw = self.named(name);
        match nearest::nearest(name, known.iter().copied()) {
            Some(near) => flaw.hint(format!("did you mean '{near}'?")),
            None if known.is_empty() || known.len() > FEW => flaw,
            None => flaw.hint(format!("known: {}", known.join(", "))),
        }
    }

    /// As an error about the policy of that name.
    pub fn into_trouble(self, slot: &str, text: &str) -> Trouble {
        let column = self.offset.and_then(|at| text.get(..at)).map(|before| 1 + before.chars().count());
        let place = match column {
            Some(column) if text.contains('\n') || text.len() > SHOWN => {
                format!(" (character {column} of the expression)")
            }
            Some(column) => format!(" (column {column} of '{text}')"),
            None => String::new(),
        };
        let message = format!("policy {slot}: {}{place}", self.message);
        let mut trouble =
            Trouble::new(Kind::Configuration, message).fact("policy", slot).fact("expression", text);
        if let Some(column) = column {
            trouble = trouble.fact("column", column);
        }
        if let Some(name) = self.name {
            trouble = trouble.fact("name", name);
        }
        if self.hints.is_empty() {
            trouble =
                trouble.hint(format!("`moonstack docs policy.{slot}` says what it can see and must give"));
        }
        for hint in self.hints {
            trouble = trouble.hint(hint);
        }
        trouble
    }
}
